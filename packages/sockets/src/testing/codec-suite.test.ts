import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Codec,
  delimited,
  type JsonValue,
  json,
  type LengthPrefixedOptions,
  lengthPrefixed,
  lines,
  mapped,
  netstrings,
  varintPrefixed,
} from "../codec/mod.ts";
import { codecSuite } from "./codec-suite.ts";
import { cutAt } from "./cuts.ts";
import { decodeAll } from "./decode-all.ts";
import { SeededRandom } from "./seeded-random.ts";

const bytes = (...texts: string[]): Buffer[] => texts.map((text) => Buffer.from(text));
const fromHex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

/** `hi`, an empty frame and `abc` in this layout. One byte more is too long. */
function lengthPrefixedSuite(layout: LengthPrefixedOptions, encoded: string, refused: string, canEncode = true): void {
  const name = `lengthPrefixed(${JSON.stringify(layout)})`;
  const codec = lengthPrefixed({ ...layout, bytesMax: 3 });
  const frames = bytes("hi", "", "abc");
  codecSuite(
    name,
    codec,
    [
      { bytes: fromHex(encoded), frames },
      { bytes: fromHex(encoded).subarray(0, -1), frames: frames.slice(0, 2), error: "frame-truncated" },
      { bytes: Buffer.concat([fromHex(encoded), fromHex(refused)]), frames, error: "frame-too-long" },
    ],
    { tooLong: [fromHex(refused)], ...(canEncode ? {} : { roundTrip: [] }) },
  );
}

lengthPrefixedSuite({}, "00000002 6869 00000000 00000003 616263", "00000004");
lengthPrefixedSuite({ endian: "little" }, "02000000 6869 00000000 03000000 616263", "04000000");
lengthPrefixedSuite({ lengthBytes: 1 }, "02 6869 00 03 616263", "04");
lengthPrefixedSuite({ lengthBytes: 2 }, "0002 6869 0000 0003 616263", "0004");
lengthPrefixedSuite({ lengthBytes: 3, endian: "little" }, "020000 6869 000000 030000 616263", "040000");
lengthPrefixedSuite(
  { lengthBytes: 8 },
  "0000000000000002 6869 0000000000000000 0000000000000003 616263",
  "ff".repeat(8),
);
lengthPrefixedSuite({ lengthBytes: 2, adjustment: -2 }, "0004 6869 0002 0005 616263", "0006");
// A custom header in front, which is unknown when encoding.
lengthPrefixedSuite({ offset: 2, lengthBytes: 1 }, "7979 02 6869 7979 00 7979 03 616263", "7979 04", false);

codecSuite(
  "lengthPrefixed() that keeps the header",
  lengthPrefixed({ offset: 1, lengthBytes: 1, skip: 0, bytesMax: 3 }),
  [
    { bytes: fromHex("78 02 6869 79 00"), frames: [fromHex("78026869"), fromHex("7900")] },
    { bytes: fromHex("78 02 68"), frames: [], error: "frame-truncated" },
  ],
  { roundTrip: [], tooLong: [fromHex("7804")] },
);

codecSuite(
  "lengthPrefixed() with a field behind the length",
  lengthPrefixed({ lengthBytes: 1, adjustment: 1, skip: 2 }),
  [{ bytes: fromHex("02 ff 6869 00 ff 01 ff 61"), frames: bytes("hi", "", "a") }],
  { roundTrip: [] },
);

codecSuite(
  "lengthPrefixed() that leaves long frames out",
  lengthPrefixed({ lengthBytes: 4, bytesMax: 3, tooLong: "skip" }),
  [
    { bytes: fromHex("00000002 6869 00000004 78787878 00000001 61"), frames: bytes("hi", "a") },
    { bytes: fromHex("00000001 61 00000004 787878"), frames: bytes("a"), error: "frame-truncated" },
  ],
  { tooLong: [fromHex("00010000")], skips: true },
);

codecSuite(
  "varintPrefixed()",
  varintPrefixed({ bytesMax: 300 }),
  [
    { bytes: fromHex("02 6869 00 03 616263"), frames: bytes("hi", "", "abc") },
    { bytes: fromHex("02 6869 8300"), frames: bytes("hi"), error: "malformed" },
    { bytes: fromHex("01 61 02 62"), frames: bytes("a"), error: "frame-truncated" },
    { bytes: fromHex("01 61 80"), frames: bytes("a"), error: "frame-truncated" },
    { bytes: fromHex("01 61 ffffffffffffffff"), frames: bytes("a"), error: "malformed" },
  ],
  {
    roundTrip: [...bytes("", "hi"), Buffer.alloc(127), Buffer.alloc(128), Buffer.alloc(300)],
    tooLong: [fromHex("ad02")],
  },
);

codecSuite(
  "varintPrefixed() behind a header of its own",
  varintPrefixed({ offset: 1, skip: 0, bytesMax: 300 }),
  [
    {
      bytes: fromHex("c000 3003 0001 61 30 8001".concat("00".repeat(128))),
      frames: [fromHex("c000"), fromHex("3003000161"), fromHex("308001".concat("00".repeat(128)))],
    },
    { bytes: fromHex("c000 30"), frames: [fromHex("c000")], error: "frame-truncated" },
    { bytes: fromHex("c000 308000"), frames: [fromHex("c000")], error: "malformed" },
  ],
  { roundTrip: [], tooLong: [fromHex("30ad02")] },
);

codecSuite(
  "varintPrefixed() that accepts lengths in more bytes than they need",
  varintPrefixed({ overlong: "accept" }),
  [{ bytes: fromHex("02 6869 8000 838000 616263"), frames: bytes("hi", "", "abc") }],
);

codecSuite(
  "netstrings()",
  netstrings({ bytesMax: 12 }),
  [
    { bytes: "2:hi,0:,12:hello, world,", frames: bytes("hi", "", "hello, world") },
    { bytes: "2:hi,2:h", frames: bytes("hi"), error: "frame-truncated" },
    { bytes: "2:hi,2:hi;", frames: bytes("hi"), error: "malformed" },
    { bytes: "2:hi,02:", frames: bytes("hi"), error: "malformed" },
  ],
  { tooLong: ["13:"] },
);

codecSuite(
  "netstrings() that leave long frames out",
  netstrings({ bytesMax: 2, tooLong: "skip" }),
  [{ bytes: "2:hi,3:abc,1:x,", frames: bytes("hi", "x") }],
  { tooLong: ["99999:"], skips: true },
);

codecSuite(
  "lines()",
  lines({ bytesMax: 8 }),
  [
    { bytes: "one\ntwo\r\n\n€ grü\r\n", frames: ["one", "two", "", "€ grü"] },
    { bytes: "one\nlast", frames: ["one", "last"] },
    { bytes: fromHex("610a e2820a"), frames: ["a"], error: "malformed" },
    { bytes: "one\nninechars\n", frames: ["one"], error: "frame-too-long" },
  ],
  // Nine bytes may be eight bytes and a CR.
  { tooLong: ["x".repeat(10)], unfinished: "frame" },
);

codecSuite(
  "lines() that leave long ones out",
  lines({ bytesMax: 3, tooLong: "skip" }),
  [{ bytes: "one\nlonger\ntwo\n", frames: ["one", "two"] }],
  { tooLong: ["longe"], unfinished: "frame", skips: true },
);

codecSuite(
  "delimited() with one delimiter",
  delimited("--", { bytesMax: 5 }),
  [
    { bytes: "a-b----c---d", frames: bytes("a-b", "", "c", "-d") },
    { bytes: "one--sixsix--", frames: bytes("one"), error: "frame-too-long" },
  ],
  { roundTrip: bytes("a-b", "", "c"), tooLong: ["sixsix"], unfinished: "frame" },
);

codecSuite(
  "delimited() with several delimiters",
  delimited(["\r", "\r\n", "\n"], { bytesMax: 5 }),
  [{ bytes: "a\r\nb\rc\n\r\r\nd\r", frames: bytes("a", "b", "c", "", "", "d") }],
  { tooLong: ["sixsix"], unfinished: "frame" },
);

codecSuite<JsonValue, unknown>(
  "json()",
  json({ bytesMax: 24, depthMax: 3 }),
  [
    {
      bytes: '{"a":[1,{}]}{"ü€":"😀"} [] "x\\"" 12 -2.5e1\nnull',
      frames: [{ a: [1, {}] }, { "ü€": "😀" }, [], 'x"', 12, -25, null],
    },
    { bytes: '[1]{"a"', frames: [[1]], error: "frame-truncated" },
    { bytes: "[1][1,]", frames: [[1]], error: "malformed" },
    { bytes: "[][[[[]]]]", frames: [[]], error: "malformed" },
    { bytes: fromHex("5b5d 22e28222"), frames: [[]], error: "malformed" },
  ],
  { tooLong: [`"${"x".repeat(24)}`], unfinished: "frame" },
);

codecSuite<unknown>(
  'json({ invalid: "skip" })',
  json({ invalid: "skip" }),
  [{ bytes: '[1]\nnonsense\n{"a":1}', frames: [[1], "error: malformed", { a: 1 }] }],
  { roundTrip: [[1], { a: 1 }], unfinished: "frame", skips: true },
);

codecSuite<unknown>(
  'json({ framing: "lines" })',
  json({ framing: "lines", bytesMax: 24 }),
  [
    { bytes: '{"a":[1]}\r\n\n [ 2 ] \n"é"\n3', frames: [{ a: [1] }, [2], "é", 3] },
    { bytes: "[1]\n[1] 2\n", frames: [[1]], error: "malformed" },
    { bytes: "[1]\n[1\n]\n", frames: [[1]], error: "malformed" },
    { bytes: `1\n"${"x".repeat(23)}"\n`, frames: [1], error: "frame-too-long" },
  ],
  { tooLong: [`"${"x".repeat(24)}`], unfinished: "frame" },
);

codecSuite<unknown>(
  'json({ framing: "lines", invalid: "skip" })',
  json({ framing: "lines", invalid: "skip" }),
  [{ bytes: '[1]\nbad {"x":1} tail\n{"a":1}', frames: [[1], "error: malformed", { a: 1 }] }],
  { roundTrip: [[1], { a: 1 }], unfinished: "frame", skips: true },
);

/** Every combination of these values. */
function combinations(values: Readonly<Record<string, readonly unknown[]>>): readonly Record<string, unknown>[] {
  return Object.entries(values).reduce<readonly Record<string, unknown>[]>(
    (all, [name, choices]) => all.flatMap((one) => choices.map((choice) => ({ ...one, [name]: choice }))),
    [{}],
  );
}

const SIZED = { bytesMax: [0, 1, 5, Number.MAX_SAFE_INTEGER], tooLong: ["fail", "skip"] };
const COPIED = { ...SIZED, copy: [false, true] };
/** The parts of the streams. Few of them are valid. */
const TEXTS = [
  "{",
  "}",
  "[",
  "]",
  '"',
  "\\",
  "\n",
  "\r\n",
  " ",
  "1",
  "a",
  ":",
  ",",
  "--",
  "-",
  "é",
  "true",
  "3:",
  "0:,",
];
const BYTES = ["\0", "\x01", "\x02", "\x03", "\x05", "\x80", "\xff"];

/** Every codec with its options at their edges, and the parts of its streams. */
const EDGES: readonly [
  name: string,
  make: (options: never) => Codec<unknown, never>,
  options: Readonly<Record<string, readonly unknown[]>>,
  pieces: readonly string[],
][] = [
  ["lines()", lines, { ...SIZED, ending: ["\n", "\r\n"] }, TEXTS],
  ["delimited() with one byte", (options) => delimited("\n", options), COPIED, TEXTS],
  ["delimited() with several", (options) => delimited(["-", "--", "\r\n"], options), COPIED, TEXTS],
  ["netstrings()", netstrings, COPIED, TEXTS],
  [
    "lengthPrefixed()",
    lengthPrefixed,
    {
      ...SIZED,
      lengthBytes: [1, 2, 3, 4, 8],
      endian: ["big", "little"],
      offset: [0, 1, 6],
      adjustment: [0, 1, -1, -255],
      skip: [undefined, 0, 1, 9],
    },
    BYTES,
  ],
  [
    "varintPrefixed()",
    varintPrefixed,
    { ...COPIED, offset: [0, 1, 6], skip: [undefined, 0, 1, 9], overlong: ["fail", "accept"] },
    BYTES,
  ],
  [
    "json()",
    json,
    {
      bytesMax: [1, 2, 5, Number.MAX_SAFE_INTEGER],
      depthMax: [0, 1, 2, 128],
      framing: ["values", "lines"],
      invalid: ["fail", "skip"],
      parse: [
        JSON.parse,
        (text: string) => text,
        () => {
          throw new Error("refused");
        },
      ],
    },
    TEXTS,
  ],
  [
    "mapped()",
    (options) => mapped(lines(options), { decode: Number, encode: String }) as Codec<unknown, never>,
    SIZED,
    TEXTS,
  ],
];
/** Number of streams per combination. */
const STREAMS = 24;

for (const [name, make, options, pieces] of EDGES) {
  test(`${name} decodes at most one frame per byte, with every combination of edge values of its options`, () => {
    let made = 0;
    for (const [index, combination] of combinations(options).entries()) {
      let codec: Codec<unknown, never>;
      try {
        codec = make(combination as never);
      } catch (error) {
        // No frame can have this layout.
        assert.ok(error instanceof RangeError, String(error));
        continue;
      }
      made += 1;
      for (let seed = index * STREAMS; seed < (index + 1) * STREAMS; seed += 1) {
        const random = new SeededRandom(seed);
        const text = Array.from({ length: random.below(12) }, () => random.pick(pieces)).join("");
        const stream = Buffer.from(text, pieces === BYTES ? "latin1" : "utf8");
        const cuts = cutAt(stream, [random.below(stream.length + 1), random.below(stream.length + 1)]);
        try {
          // One frame per call first: with a decoder that does not advance, the other calls would never return.
          const whole = decodeAll(codec, [stream], 1);
          for (const framesMax of [1, 2, Number.POSITIVE_INFINITY]) {
            assert.deepEqual(decodeAll(codec, cuts, framesMax), whole, `${framesMax} frames at a time`);
          }
        } catch (error) {
          const how = `${JSON.stringify(combination)}, bytes ${stream.toString("hex")}, seed ${seed}`;
          throw new Error(`${name} with ${how}`, { cause: error });
        }
      }
    }
    assert.ok(made >= 8, `${made} combinations`);
  });
}
