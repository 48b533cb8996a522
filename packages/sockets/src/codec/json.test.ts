import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../../../test/seed.ts";
import { SocketError } from "../errors.ts";
import { assertDecodes, cutAt, decodeAll } from "../testing/mod.ts";
import type { Codec } from "./codec.ts";
import { type JsonOptions, type JsonValue, json } from "./json.ts";
import { JsonScanner } from "./json-scanner.ts";

const INVALID = "error: malformed";
const skipping = json({ invalid: "skip" });

test("json() decodes values back to back, by lines and with white space between", () => {
  assertDecodes(json(), "", []);
  assertDecodes(json(), '{"a":1}{"b":2}', [{ a: 1 }, { b: 2 }]);
  assertDecodes(json(), '{"a":1}\n{"b":2}\r\n', [{ a: 1 }, { b: 2 }]);
  assertDecodes(json(), ' \t\r\n{"a":1} [1,2]"x"[][]{}', [{ a: 1 }, [1, 2], "x", [], [], {}]);
});

test("json() decodes pretty printed values", () => {
  const value = { name: "Ada", list: [1, { deep: [] }], none: null };
  assertDecodes(json(), `${JSON.stringify(value, null, 2)}\n${JSON.stringify([value], null, "\t")}`, [value, [value]]);
});

test("json() ignores braces, brackets and quotes in strings", () => {
  const value = { 'k"}': 'v\\"]}{[', "\\": "\\\\", list: ["}", "]", '"'] };
  assertDecodes(json(), JSON.stringify(value).repeat(2), [value, value]);
});

test("json() decodes characters that are split between chunks", () => {
  assertDecodes(json(), '{"ü€":"😀"}"é"', [{ "ü€": "😀" }, "é"]);
});

test("json() decodes every escape", () => {
  assertDecodes(json(), String.raw`"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`, ['"\\/\b\f\n\r\té😀']);
});

test("json() accepts a lone surrogate that is written as an escape", () => {
  assertDecodes(json(), String.raw`"\ud800""\udc00x"`, ["\ud800", "\udc00x"]);
});

test("json() decodes top-level numbers and literals, also at the end of the stream", () => {
  assertDecodes(json(), "1 -2.5e+3\n0 true false null", [1, -2500, 0, true, false, null]);
  assertDecodes(json(), "12", [12]);
  assertDecodes(json(), "null[]1", [null, [], 1]);
  assertDecodes(json(), '1"a"2{}3[]-4', [1, "a", 2, {}, 3, [], -4]);
  assertDecodes(json(), "1 ", [1]);
});

test("json() returns a number only after its end is known", () => {
  const decoder = json().decoder();
  assert.deepEqual(decoder.decode(Buffer.from("1")), []);
  assert.deepEqual(decoder.decode(Buffer.from("2")), []);
  assert.deepEqual(decoder.decode(Buffer.from("\n3")), [12]);
  assert.deepEqual(decoder.end(), [3]);
});

test("json() returns a value with the byte that completes it", () => {
  const decoder = json().decoder();
  assert.deepEqual(decoder.decode(Buffer.from('{"a":[1')), []);
  assert.deepEqual(decoder.decode(Buffer.from("]")), []);
  assert.deepEqual(decoder.decode(Buffer.from('}"x')), [{ a: [1] }]);
  assert.deepEqual(decoder.decode(Buffer.from('"')), ["x"]);
  assert.deepEqual(decoder.decode(Buffer.from("tru")), []);
  assert.deepEqual(decoder.decode(Buffer.from("e")), [true]);
});

test("json() decodes __proto__ as an ordinary property", () => {
  const [value] = json().decoder().decode(Buffer.from('{"__proto__":{"admin":true},"constructor":1}'));
  assert.ok(typeof value === "object" && value !== null);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.ok(Object.hasOwn(value, "__proto__"));
  assert.equal((value as { admin?: boolean }).admin, undefined);
});

test("json() throws malformed for invalid JSON, once, after the values before it", () => {
  const bad = [
    "x",
    "}",
    "]",
    ",",
    ":",
    '{"a" 1}',
    '{"a":1,}',
    "{,}",
    "{1:2}",
    "{'a':1}",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1}",
    '{"a":1]',
    '{"a":}',
    "nul ",
    "True",
    "01 ",
    "1.2.3 ",
    "- ",
    "+1 ",
    ".5 ",
    "1e ",
    "[01]",
    '"\\x"',
    '"\\u12g4"',
    '"a\nb"',
    '"\t"',
    "NaN",
    "\u{feff}{}",
    "// comment\n",
    "\x00",
  ];
  for (const text of bad) {
    assertDecodes(json(), `{"a":1}${text}{"b":2}`, [{ a: 1 }, { error: "malformed" }] as never);
  }
});

test("json() throws at the first wrong byte", () => {
  for (const start of ["x", '{"a"x', "[1x", "nux", "GET"]) {
    assert.throws(() => json().decoder().decode(Buffer.from(start)), { code: "malformed" }, start);
  }
});

test("json() throws malformed for invalid UTF-8", () => {
  for (const bad of ["ff", "c0af", "eda080", "f4908080", "e282"]) {
    assertDecodes(json(), Buffer.from(`3122${bad}22`, "hex"), [1, { error: "malformed" }] as never);
  }
});

test("json() throws frame-truncated with partial at an end inside a value", () => {
  for (const start of ["{", '{"a', '{"a":1', '"abc', '"a\\', "[1,", "tr", '{"ü', "[[]"]) {
    const partial = Buffer.from(start).toString("hex");
    assertDecodes(json(), `1 ${start}`, [1, { error: "frame-truncated", partial }] as never);
    assertDecodes(skipping, `1 ${start}`, [1, { error: "frame-truncated", partial }] as never);
  }
});

test("json() accepts a value at the limit and rejects one byte more", () => {
  for (const [fits, tooLong] of [
    ['"123"', '"1234"'],
    ["[1,2]", "[1,23]"],
    ["12345 ", "123456 "],
    ["[   ]", "[    ]"],
    ['"\u{20ac}"', '"\u{20ac}x"'],
  ] as const) {
    const value = JSON.parse(fits) as JsonValue;
    assertDecodes(json({ bytesMax: 5 }), `${fits}        ${fits}`, [value, value]);
    assertDecodes(json({ bytesMax: 5 }), `${fits}${tooLong}${fits}`, [value, { error: "frame-too-long" }] as never);
  }
  assertDecodes(json({ bytesMax: 5 }), "12345", [12_345]);
  assertDecodes(json({ bytesMax: 5 }), "123456", [{ error: "frame-too-long" }] as never);
  assertDecodes(json({ bytesMax: 5, invalid: "skip" }), "[1] [123456]", [[1], { error: "frame-too-long" }] as never);
});

test("json() rejects a value over the limit before it ends, and buffers nothing of it", () => {
  const decoder = json({ bytesMax: 100 }).decoder();
  decoder.decode(Buffer.from(`"${"x".repeat(99)}`));
  assert.throws(() => decoder.decode(Buffer.from("x")), {
    code: "frame-too-long",
    message: "Cannot read JSON: the value at byte 0 exceeds limit 100 bytes (option bytesMax)",
  });
});

test("json() accepts nesting at the limit and rejects one level more", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  const depthOf = (value: unknown): number => (Array.isArray(value) ? 1 + depthOf(value[0]) : 0);
  assert.deepEqual(
    json()
      .decoder()
      .decode(Buffer.from(nested(128)))
      .map(depthOf),
    [128],
  );
  assert.throws(
    () =>
      json()
        .decoder()
        .decode(Buffer.from(nested(129))),
    { code: "malformed" },
  );
  assertDecodes(json({ depthMax: 2 }), '[{}][{"a":[]}]', [[{}], { error: "malformed" }] as never);
  assertDecodes(json({ depthMax: 2 }), "[[]][[]][[]]", [[[]], [[]], [[]]]);
});

test("json() never overflows the stack", () => {
  const decoder = json({ depthMax: 1_000_000, bytesMax: 10_000_000 }).decoder();
  assert.equal(decoder.decode(Buffer.from("[".repeat(100_000) + "]".repeat(100_000))).length, 1);
});

test('json({ invalid: "skip" }) resumes at the next LF or { after invalid JSON', () => {
  assertDecodes(skipping, '{"a":1}xyz{"b":2}', [{ a: 1 }, INVALID, { b: 2 }] as never);
  assertDecodes(skipping, 'xyz\n[1]\n{"b":2}', [INVALID, [1], { b: 2 }] as never);
  assertDecodes(skipping, "xyz [1]\n2\n", [INVALID, 2] as never);
  assertDecodes(skipping, '{"a" {"b":2}', [INVALID, { b: 2 }] as never);
  assertDecodes(skipping, '{"a":\n{"b":]\n{"c":3}', [INVALID, { c: 3 }] as never);
  assertDecodes(skipping, '"unfinished\n{"b":2}', [INVALID, { b: 2 }] as never);
  assertDecodes(skipping, "a\nb\nc\n", [INVALID, INVALID, INVALID] as never);
  assertDecodes(skipping, "xyz", [INVALID] as never);
  assertDecodes(skipping, "xyz\n", [INVALID] as never);
  assertDecodes(skipping, "nul\n1\n", [INVALID, 1] as never);
});

test('json({ invalid: "skip" }) resumes after a complete value that JSON.parse rejects', () => {
  assertDecodes(skipping, '{"a":01}{"b":2}', [INVALID, { b: 2 }] as never);
  assertDecodes(skipping, '"\\x"\n3 ', [INVALID, 3] as never);
  assertDecodes(skipping, "1.2.3 4\n5\n", [INVALID, 5] as never);
  assertDecodes(skipping, "1.2.3", [INVALID] as never);
  assertDecodes(skipping, Buffer.from('22ff7b220a{"b":2}'.replace('{"b":2}', ""), "hex"), [INVALID] as never);
  assertDecodes(skipping, Buffer.concat([Buffer.from("22ff220a", "hex"), Buffer.from('{"b":2}')]), [
    INVALID,
    { b: 2 },
  ] as never);
});

test('json({ invalid: "skip" }) returns the error as a frame, with its cause', () => {
  const [error] = skipping.decoder().decode(Buffer.from("[01]"));
  assert.ok(error instanceof SocketError);
  assert.equal(error.code, "malformed");
  assert.ok(error.cause instanceof SyntaxError);
});

test('json({ invalid: "skip" }) resumes after nesting that is too deep', () => {
  const codec = json({ invalid: "skip", depthMax: 2 });
  assertDecodes(codec, '[[[[1]]]]{"b":2}', [INVALID, { b: 2 }] as never);
});

test("json() never quotes the peer's bytes in error texts", () => {
  for (const secret of ["hunter2", '{"password":hunter2}', '"\\hunter2"']) {
    const [error] = skipping.decoder().decode(Buffer.from(secret));
    assert.ok(error instanceof SocketError);
    assert.doesNotMatch(error.message, /hunter2/);
  }
});

test("json() returns undecoded bytes in rest(), for another codec", () => {
  const decoder = json().decoder();
  assert.deepEqual(decoder.decode(Buffer.from('{"a":1} tail'), 1), [{ a: 1 }]);
  assert.deepEqual(decoder.decode(Buffer.from("more"), 0), []);
  assert.equal(Buffer.from(decoder.rest()).toString(), " tailmore");
  const inside = json().decoder();
  inside.decode(Buffer.from('{"a'));
  inside.decode(Buffer.from('b":'));
  assert.equal(Buffer.from(inside.rest()).toString(), '{"ab":');
});

test("json() encodes a value as a line", () => {
  assert.equal(json().encode({ a: [1, "\n"] }), '{"a":[1,"\\n"]}\n');
  assert.equal(json().encode(null), "null\n");
});

test("json() refuses to encode a value that JSON cannot represent", () => {
  assert.throws(() => json().encode(undefined), TypeError);
  assert.throws(() => json().encode(() => 1), TypeError);
});

test("json() refuses invalid limits", () => {
  const wrong: JsonOptions[] = [
    { bytesMax: -1 },
    { bytesMax: Number.NaN },
    { depthMax: -1 },
    { depthMax: 1.5 },
    { depthMax: Number.NaN },
  ];
  for (const options of wrong) assert.throws(() => json(options), RangeError, JSON.stringify(options));
});

/** Counts the reads of bytes. */
function counted(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly looks: () => number } {
  let looks = 0;
  const proxy = new Proxy(bytes, {
    get(target, key) {
      if (typeof key === "string" && /^\d+$/.test(key)) looks += 1;
      return Reflect.get(target, key, target);
    },
  });
  return { bytes: proxy, looks: () => looks };
}

test("JsonScanner reads every byte at most twice, at every split", () => {
  const value = Buffer.from(JSON.stringify({ text: "x".repeat(500), list: [1, -2.5, true, null, { a: "\\" }] }));
  for (const size of [1, 2, 7, 100, value.length]) {
    const scanner = new JsonScanner(128);
    let looks = 0;
    let result = "more";
    for (let at = 0; at < value.length; at += size) {
      const piece = counted(value.subarray(at, at + size));
      result = scanner.scan(piece.bytes, 0);
      looks += piece.looks();
    }
    assert.equal(result, "value");
    // A byte that begins a chunk inside a string, or ends a number, is read twice; no byte is read more often.
    assert.ok(looks <= 2 * value.length, `${looks} reads of ${value.length} bytes`);
  }
});

test("json() takes linear time for a value that arrives byte by byte", () => {
  // A decoder that concatenates or scans again per chunk would take minutes.
  const decoder = json().decoder();
  decoder.decode(Buffer.from('"'));
  for (let i = 0; i < 200_000; i += 1) decoder.decode(Buffer.from("x"));
  assert.equal(String(decoder.decode(Buffer.from('"'))[0]).length, 200_000);
});

test("json() decodes what it encodes, at every split", () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue({ noUnicodeString: false }), { maxLength: 5 }),
      fc.array(fc.nat(200), { maxLength: 6 }),
      fc.constantFrom("\n", "", "  "),
      (values, places, between) => {
        // Numbers and literals need a separator.
        const items = values.map((value) => (between === "" ? [value] : value));
        const text = items.map((value) => json().encode(value)).join("");
        const all = Buffer.from(between === "\n" ? text : text.replaceAll("\n", between));
        assert.deepEqual(
          decodeAll(json(), cutAt(all, places)),
          items.map((value) => ({ frame: JSON.parse(JSON.stringify(value)) as unknown })),
        );
      },
    ),
    { numRuns: 40 },
  );
});

test("json() accepts exactly the values that JSON.parse accepts", () => {
  const text = fc.array(
    fc.constantFrom('"', "\\", "{", "}", "[", "]", ":", ",", "1", "-", ".", "e", "0", "true", "null", " ", "\n", "é"),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(text, (pieces) => {
      const joined = pieces.join("");
      let expected: unknown;
      try {
        expected = { value: JSON.parse(joined) as unknown };
      } catch {
        expected = undefined;
      }
      const outcomes = decodeAll(json(), [Buffer.from(joined)]);
      const [only] = outcomes;
      const isOne = outcomes.length === 1 && only !== undefined && "frame" in only;
      if (expected !== undefined) assert.deepEqual(isOne ? { value: only.frame } : outcomes, expected);
    }),
    { numRuns: 1_000 },
  );
});

test("json() gives the same result for random bytes at every split, and throws only SocketErrors", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '{"a":',
      "{",
      "}",
      "[",
      "]",
      '"',
      "\\",
      "\n",
      " ",
      "1",
      "-",
      ".",
      "e",
      "tru",
      "true",
      "x",
      ",",
      ":",
    ),
    fc.constantFrom("é", "€", "😀", '{"ü":"ß"}', '{"a":1}\n', "[[", "\\u12", "\x01"),
    fc.json({ maxDepth: 2 }),
  );
  const noise = fc
    .array(fc.oneof({ weight: 8, arbitrary: piece }, fc.constantFrom("\u{fffd}bad")), { maxLength: 12 })
    // Half a character: invalid UTF-8.
    .map((pieces) =>
      Buffer.concat(pieces.map((text) => (text.endsWith("bad") ? Buffer.of(0xe2, 0x82) : Buffer.from(text)))),
    );
  const options = fc.record({
    bytesMax: fc.constantFrom(3, 10, 1_000),
    depthMax: fc.constantFrom(1, 3, 128),
    invalid: fc.constantFrom("fail" as const, "skip" as const),
  });
  fc.assert(
    fc.property(options, noise, fc.array(fc.nat(100), { maxLength: 6 }), (settings, all, places) => {
      const whole = decodeAll(json(settings), [all]);
      assert.deepEqual(decodeAll(json(settings), cutAt(all, places)), whole);
      assert.deepEqual(decodeAll(json(settings), cutAt(all, places), 1), whole);
      assert.deepEqual(
        decodeAll(
          json(settings),
          Array.from(all, (byte) => Uint8Array.of(byte)),
        ),
        whole,
      );
    }),
    { numRuns: 1_000 },
  );
});

test("json({ parse }) returns the result of parse, and throws malformed when parse throws", () => {
  const names: Codec<string, unknown> = json({ parse: nameOf });
  assertDecodes(names, '{"name":"Ann"}{"name":"Bob"}\n', ["Ann", "Bob"]);
  assertDecodes(names, '{"name":"Ann"}[]{"name":"Bob"}', ["Ann", { error: "malformed" }]);
  assert.throws(() => names.decoder().decode(Buffer.from("[]")), {
    message: "Cannot read JSON: at byte 0, the value was refused (see cause)",
    cause: new TypeError("no name"),
  });
});

test('json({ parse, invalid: "skip" }) returns an error frame when parse throws, and continues directly after the value', () => {
  const names: Codec<string | SocketError, unknown> = json({ parse: nameOf, invalid: "skip" });
  assertDecodes(names, '{"name":"Ann"} 1 {"name":"Bob"}nonsense\n2', ["Ann", INVALID, "Bob", INVALID, INVALID]);
});

test('json({ parse, invalid: "skip" }) continues at the next LF or { after a SyntaxError of parse', () => {
  const names: Codec<string | SocketError, unknown> = json({ parse: nameOf, invalid: "skip" });
  assertDecodes(names, '"\\q" 01 02\n{"name":"Ann"} [1.] 3 {"name":"Bob"}', [INVALID, "Ann", INVALID, "Bob"]);
});

/**
 * The errors of a stream, thrown or as frames, at every split: their texts without the beginning, and their offsets.
 */
function errorsOf(
  codec: Codec<unknown, unknown>,
  sample: Uint8Array | string,
): readonly [string, number | undefined][] {
  const bytes = Buffer.from(sample);
  const [whole, ...cut] = [[], ...bytes.keys(), Array.from(bytes.keys())].map((places) => {
    const decoder = codec.decoder();
    const errors: [string, number | undefined][] = [];
    const collect = (decode: () => readonly unknown[]): void => {
      let frames: readonly unknown[] = [];
      try {
        frames = decode();
      } catch (error) {
        frames = [error];
      }
      for (const frame of frames) {
        if (!(frame instanceof SocketError)) continue;
        errors.push([frame.message.replace(/^Cannot read JSON: /, ""), frame.offset]);
      }
    };
    for (const chunk of cutAt(bytes, [places].flat())) collect(() => decoder.decode(chunk));
    for (let times = 0; times < 2; times += 1) collect(() => decoder.end());
    return errors;
  });
  for (const errors of cut) assert.deepEqual(errors, whole);
  return whole ?? [];
}

test("json() errors name the reason and the byte of the stream, thrown or as frames, with both framings", () => {
  const before = '{"é":1}\n';
  const at = Buffer.byteLength(before);
  const cases: readonly [text: string | Buffer, reason: string, offset: number][] = [
    ["x", "expected a value", 0],
    ["}", "expected a value", 0],
    ['{"a" 1}', "expected :", 5],
    ["{1:2}", "expected a string or }", 1],
    ['{"a":1,}', "expected a string", 7],
    ['{"a":1]', "expected , or }", 6],
    ["[1 2]", "expected , or ]", 3],
    ["[,1]", "expected a value or ]", 1],
    ["[1,]", "expected a value", 3],
    ["nul ", "expected true, false or null", 3],
    ['"a\tb"', "a string has a control character", 2],
    ['["\\\t"]', "a string has a control character", 3],
    ["[[[[1]]]]", "nesting exceeds limit 3 (option depthMax)", 3],
    ['{"a":{"b":{"c":{}}}}', "nesting exceeds limit 3 (option depthMax)", 15],
    ["\u{feff}{}", "expected a value, not a byte order mark (0xEF)", 0],
    ["\x1e{}", "expected a value, not 0x1E, the record separator of RFC 7464", 0],
    ["[\x1e]", "expected a value or ]", 1],
    ['["é", "\\q"]', "a string has an invalid escape", 8],
    ['"\\u12g4" ', "a string has an invalid escape", 1],
    ['{"\\"":"1", "\\u00e9":[01]} ', "a number is not valid JSON", 21],
    ["[-1, 1.2.3]", "a number is not valid JSON", 5],
    ["[1, NaN]", "a number is not valid JSON", 4],
    ["-Infinity ", "a number is not valid JSON", 0],
    [Buffer.from('["\xe9"]', "latin1"), "the value is not UTF-8", 0],
  ];
  for (const [text, reason, offset] of cases) {
    const stream = Buffer.concat([Buffer.from(before), Buffer.from(text)]);
    for (const framing of ["values", "lines"] as const) {
      for (const invalid of ["fail", "skip"] as const) {
        const codec: Codec<unknown, unknown> = json({ framing, invalid, depthMax: 3 });
        const [first] = errorsOf(codec, stream);
        assert.deepEqual(first, [`at byte ${at + offset}, ${reason}`, at + offset], `${framing} ${invalid} ${text}`);
      }
    }
  }
});

test("json() errors name the start of a value that is too long, rejected or truncated", () => {
  const texts: readonly [codec: Codec<unknown, unknown>, stream: string, text: string, offset: number][] = [
    [json({ bytesMax: 4 }), '"é" [1, 2]', "the value at byte 5 exceeds limit 4 bytes (option bytesMax)", 5],
    [
      json({ bytesMax: 4, framing: "lines" }),
      '"é"\n 12345',
      "the value at byte 6 exceeds limit 4 bytes (option bytesMax)",
      6,
    ],
    [json(), '"é" [1, ', "the stream ended at byte 9, inside the value at byte 5", 5],
    [json({ framing: "lines" }), '"é"\n[1, ', "at byte 9, the line ends inside its value", 9],
    [json({ framing: "lines" }), '"é"\n[1,\n2]', "at byte 8, the line ends inside its value", 8],
    [json({ framing: "lines" }), "1\n 2 3\n", "at byte 5, expected the end of the line", 5],
    [json({ parse: nameOf }), ' {"name":"é"} 5\n', "at byte 15, the value was refused (see cause)", 15],
  ];
  for (const [codec, stream, text, offset] of texts)
    assert.deepEqual(errorsOf(codec, stream), [[text, offset]], stream);
});

test("json() errors count bytes from the first decoded byte, also after error frames", () => {
  assert.deepEqual(errorsOf(skipping, '{"é":1}x\n  y {"b":]\n'), [
    ["at byte 8, expected a value", 8],
    ["at byte 12, expected a value", 12],
    ["at byte 19, expected a value", 19],
  ]);
});

test('json({ invalid: "skip" }) consumes a byte with each step at every limit', () => {
  const scalars = json({ depthMax: 0, invalid: "skip" });
  assertDecodes(scalars, '1 "a" true\n', [1, "a", true]);
  assertDecodes(scalars, "{", [INVALID] as never);
  assertDecodes(scalars, "{{{[{\n7\n", [INVALID, INVALID, INVALID, INVALID, 7] as never);
  assertDecodes(json({ depthMax: 0 }), "1 {", [1, { error: "malformed" }] as never);
});

test('json({ framing: "lines" }) accepts or rejects a line as a whole', () => {
  const ndjson = json({ framing: "lines" });
  assertDecodes(ndjson, '{"a":1}\n [2] \r\n\n \t\r\n"é"\nnull', [{ a: 1 }, [2], "é", null]);
  const wrong = [
    'bad {"x":1} tail',
    '{"x":1} tail',
    '{"x":1}{"y":2}',
    '{"x":1',
    '{"x":"\\q"}',
    "1 2",
    "[1] ,",
    "\u{feff}1",
    "\x1e1",
  ];
  for (const line of wrong) {
    assertDecodes(ndjson, `[1]\n${line}\n[2]\n`, [[1], { error: "malformed" }] as never);
    const going = json({ framing: "lines", invalid: "skip" });
    for (const ending of ["\n", "\r\n"]) {
      assertDecodes(going, `[1]${ending}${line}${ending}[2]${ending}`, [[1], INVALID, [2]] as never);
    }
    assertDecodes(going, `[1]\n${line}`, [[1], INVALID] as never);
  }
  // A value over several lines is invalid.
  assertDecodes(json({ framing: "lines", invalid: "skip" }), "[1,\n2]\n3\n", [INVALID, INVALID, 3] as never);
  assertDecodes(json({ framing: "lines", invalid: "skip", parse: nameOf }), '5\n{"name":"Ann"}\n', [
    INVALID,
    "Ann",
  ] as never);
});

test('json({ framing: "lines" }) accepts a line at the limit and rejects one byte more before the line ends', () => {
  const ndjson = json({ framing: "lines", bytesMax: 5, invalid: "skip" });
  assertDecodes(ndjson, "[1,2]\r\n12345\n", [[1, 2], 12_345]);
  assertDecodes(ndjson, "1\n[1,23]\n", [1, { error: "frame-too-long" }] as never);
  assertDecodes(ndjson, "1\n12345", [1, 12_345] as never);
  assertDecodes(ndjson, "1\n123456", [1, { error: "frame-too-long" }] as never);
  const decoder = json({ framing: "lines", bytesMax: 100 }).decoder();
  decoder.decode(Buffer.from(`"${"x".repeat(99)}`));
  assert.throws(() => decoder.decode(Buffer.from("x")), { code: "frame-too-long" });
});

const WORDS = ["NaN", "Infinity", "-Infinity"];

test("json({ parse }) passes the original text to parse, also with NaN and Infinity of Python", () => {
  const texts: Codec<string, unknown> = json({ parse: (text) => text });
  const values = [
    ...WORDS,
    "1.0",
    "-0",
    "12345678901234567890",
    '"\\u00e9 é NaN"',
    '{ "a" : [NaN,\t-Infinity,{"b":Infinity}] }',
  ];
  assertDecodes(texts, values.join(" "), values);
  assertDecodes(
    texts,
    values.map((value) => `[${value}]`).join(""),
    values.map((value) => `[${value}]`),
  );
});

test("json() rejects NaN and Infinity, and other such words with any parse", () => {
  for (const word of WORDS) {
    for (const text of [`${word}\n`, `[${word}]`, `{"a":${word}}`]) {
      assertDecodes(json(), text, [{ error: "malformed" }]);
      assertDecodes(json({ invalid: "skip" }), `${text}\n7\n`, [INVALID, 7]);
    }
  }
  const texts: Codec<string, unknown> = json({ parse: (text) => text });
  for (const text of [
    "Nan",
    "[Infinit]",
    "[-NaN]",
    "nan",
    "inf",
    "{NaN:1}",
    "[NaNN]",
    "[InfinityNaN]",
    "[NaN1]",
    "+Infinity",
  ]) {
    assertDecodes(texts, `${text}\n`, [{ error: "malformed" }]);
  }
});

function nameOf(text: string): string {
  const { name } = JSON.parse(text) as { readonly name?: unknown };
  if (typeof name !== "string") throw new TypeError("no name");
  return name;
}
