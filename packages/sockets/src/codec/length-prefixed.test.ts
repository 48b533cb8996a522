import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../../../test/seed.ts";
import { SocketError } from "../errors.ts";
import { assertDecodes, cutAt, decodeAll } from "../testing/mod.ts";
import { type LengthPrefixedOptions, lengthPrefixed } from "./length-prefixed.ts";

/** Bytes from hex words and quoted text. */
function bytes(notation: string): Buffer {
  const words = notation.match(/"[^"]*"|[0-9a-f]+/g) ?? [];
  return Buffer.concat(
    words.map((word) => (word[0] === '"' ? Buffer.from(word.slice(1, -1)) : Buffer.from(word, "hex"))),
  );
}

/** Frames are compared as hex. */
const hex = (notation: string): Uint8Array => bytes(notation).toString("hex") as unknown as Uint8Array;

function assertFrames(options: LengthPrefixedOptions, input: string, frames: readonly string[]): void {
  assertDecodes(lengthPrefixed(options), bytes(input), frames.map(hex));
}

test("lengthPrefixed() decodes no frame from an empty stream", () => {
  assertFrames({}, "", []);
});

test("lengthPrefixed() decodes a frame in both byte orders", () => {
  assertFrames({}, '00000009 "abcdefghi"', ['"abcdefghi"']);
  assertFrames({ endian: "little" }, '09000000 "abcdefghi"', ['"abcdefghi"']);
});

test("lengthPrefixed() decodes consecutive frames", () => {
  assertFrames({}, '00000009 "abcdefghi" 00000003 "123" 0000000b "hello world"', [
    '"abcdefghi"',
    '"123"',
    '"hello world"',
  ]);
});

test("lengthPrefixed() returns a frame with the chunk that completes it", () => {
  const decoder = lengthPrefixed().decoder();
  const chunks = ["0000", "0009", '"abc"', '"defghi"', "", '00000003 "12"', '"3" 0000000b "hello world" 00'];
  const counts = chunks.map((chunk) => decoder.decode(bytes(chunk)).length);
  assert.deepEqual(counts, [0, 0, 0, 1, 0, 0, 2]);
  assert.deepEqual([...decoder.rest()], [0]);
});

test("lengthPrefixed() returns empty frames", () => {
  assertFrames({}, '00000000 00000001 "a" 00000000', ["", '"a"', ""]);
  assertFrames({ lengthBytes: 1 }, "00 00 00", ["", "", ""]);
});

test("lengthPrefixed() distinguishes an end in the header from an end in the payload, with partial", () => {
  for (const [input, part] of [
    ["0000", "header"],
    ["00", "header"],
    ['00000009 "abcd"', "payload"],
    ["00000001", "payload"],
  ] as const) {
    assertDecodes(lengthPrefixed(), bytes(input), [
      { error: "frame-truncated", partial: bytes(input).toString("hex") },
    ] as never);
    const decoder = lengthPrefixed().decoder();
    decoder.decode(bytes(input));
    assert.throws(() => decoder.end(), { code: "frame-truncated", message: new RegExp(`inside its ${part}$`) });
  }
  assertDecodes(lengthPrefixed(), bytes('00000001 "a" 000000'), [
    hex('"a"'),
    { error: "frame-truncated", partial: "000000" },
  ] as never);
});

test("lengthPrefixed() accepts a frame at the limit and rejects one byte more at its header", () => {
  assertFrames({ bytesMax: 5 }, '00000005 "abcde"', ['"abcde"']);
  const decoder = lengthPrefixed({ bytesMax: 5 }).decoder();
  assert.throws(() => decoder.decode(bytes("00000006")), {
    code: "frame-too-long",
    message: "Cannot read frame: length 6 exceeds limit 5 bytes (option bytesMax)",
  });
  assertDecodes(lengthPrefixed({ bytesMax: 5 }), bytes('00000001 "a" 00000006 "abcdef"'), [
    hex('"a"'),
    { error: "frame-too-long" },
  ] as never);
});

test("lengthPrefixed() has a default limit of 8 MiB", () => {
  assert.deepEqual(lengthPrefixed().decoder().decode(bytes("00800000")), []);
  assert.throws(() => lengthPrefixed().decoder().decode(bytes("00800001")), { code: "frame-too-long" });
  assert.throws(() => lengthPrefixed().decoder().decode(bytes("ffffffff")), { code: "frame-too-long" });
});

test('lengthPrefixed({ tooLong: "skip" }) skips exactly the long frame', () => {
  const options = { bytesMax: 3, tooLong: "skip" } as const;
  assertFrames(options, '00000001 "a" 00000004 "bbbb" 00000003 "ccc" 00000000 00000005 "ddddd"', ['"a"', '"ccc"', ""]);
  assertFrames({ ...options, offset: 2, lengthBytes: 1 }, '"xx" 04 "bbbb" "yy" 01 "c"', ['"c"']);
  assertDecodes(lengthPrefixed(options), bytes('00000001 "a" 00000004 "bbb"'), [
    hex('"a"'),
    { error: "frame-truncated" },
  ] as never);
});

test('lengthPrefixed({ tooLong: "skip" }) buffers nothing of a skipped frame', () => {
  const decoder = lengthPrefixed({ bytesMax: 3, tooLong: "skip" }).decoder();
  assert.deepEqual(decoder.decode(bytes('00000008 "bbbb"')), []);
  assert.equal(decoder.rest().length, 0);
  assert.deepEqual(decoder.decode(bytes('"bbbb" 00000001 "c"')).map(String), ["c"]);
});

test("lengthPrefixed() decodes lengths of 1, 2, 3 and 8 bytes", () => {
  assertFrames({ lengthBytes: 1 }, '09 "abcdefghi"', ['"abcdefghi"']);
  assertFrames({ lengthBytes: 2 }, '0009 "abcdefghi" 0100'.concat(' "a"'.repeat(256)), [
    '"abcdefghi"',
    `"${"a".repeat(256)}"`,
  ]);
  assertFrames({ lengthBytes: 3, endian: "little" }, '030000 "abc"', ['"abc"']);
  assertFrames({ lengthBytes: 8 }, '0000000000000003 "abc"', ['"abc"']);
  assertFrames({ lengthBytes: 8, endian: "little" }, '0300000000000000 "abc"', ['"abc"']);
});

test("lengthPrefixed({ offset }) decodes other header fields before the length", () => {
  assertFrames({ offset: 4, lengthBytes: 2 }, '"zzzz" 0009 "abcdefghi"', ['"abcdefghi"']);
});

test("lengthPrefixed({ skip: 0 }) returns the header with the frame", () => {
  assertFrames({ offset: 2, lengthBytes: 2, skip: 0, adjustment: 0 }, '"xx" 0009 "abcdefghi" "yy" 0003 "123"', [
    '"xx" 0009 "abcdefghi"',
    '"yy" 0003 "123"',
  ]);
});

test("lengthPrefixed({ adjustment }) decodes a field after the length that it does not include", () => {
  assertFrames({ lengthBytes: 3, adjustment: 1, skip: 4 }, '00000b 0c "Hello world"', ['"Hello world"']);
});

test("lengthPrefixed({ adjustment }) decodes lengths that include their own header", () => {
  assertFrames({ lengthBytes: 2, adjustment: -2 }, '000b "abcdefghi" 0005 "123" 000d "hello world" 0002', [
    '"abcdefghi"',
    '"123"',
    '"hello world"',
    "",
  ]);
});

test("lengthPrefixed() throws malformed for a length smaller than its own header", () => {
  for (const input of ["0001", "0000"]) {
    assertDecodes(lengthPrefixed({ lengthBytes: 2, adjustment: -2 }), bytes(`0003 "a" ${input} "b"`), [
      hex('"a"'),
      { error: "malformed" },
    ] as never);
  }
  assertDecodes(lengthPrefixed({ lengthBytes: 1, skip: 4 }), bytes('02 "abc"'), [{ error: "malformed" }] as never);
  assertFrames({ lengthBytes: 1, skip: 4 }, '03 "abc"', [""]);
});

test("lengthPrefixed() rejects a length above 2^53", () => {
  const most = lengthPrefixed({ lengthBytes: 8, bytesMax: Number.MAX_SAFE_INTEGER });
  assert.deepEqual(most.decoder().decode(bytes("001fffffffffffff")), []);
  assert.throws(() => most.decoder().decode(bytes("0020000000000000")), { code: "frame-too-long" });
  assert.throws(() => most.decoder().decode(bytes("ffffffffffffffff")), { code: "frame-too-long" });
  assert.throws(() => lengthPrefixed({ lengthBytes: 8, bytesMax: 10 }).decoder().decode(bytes("000000000000000b")), {
    code: "frame-too-long",
  });
});

function encoded(frame: Uint8Array, options?: LengthPrefixedOptions): Buffer {
  const parts = lengthPrefixed(options).encode(frame);
  return Buffer.concat((Array.isArray(parts) ? parts : [parts]) as Uint8Array[]);
}

test("lengthPrefixed() encodes the length before the frame", () => {
  const frame = Buffer.from("abcdefghi");
  assert.deepEqual(encoded(frame), bytes('00000009 "abcdefghi"'));
  assert.deepEqual(encoded(new Uint8Array(frame).subarray(1, 3)), bytes('00000002 "bc"'));
  assert.deepEqual(encoded(frame, { endian: "little" }), bytes('09000000 "abcdefghi"'));
  assert.deepEqual(encoded(frame, { lengthBytes: 1 }), bytes('09 "abcdefghi"'));
  assert.deepEqual(encoded(frame, { lengthBytes: 3 }), bytes('000009 "abcdefghi"'));
  assert.deepEqual(encoded(frame, { lengthBytes: 8 }), bytes('0000000000000009 "abcdefghi"'));
  assert.deepEqual(encoded(frame, { adjustment: -2 }), bytes('0000000b "abcdefghi"'));
  assert.deepEqual(encoded(new Uint8Array(0)), bytes("00000000"));
});

test("lengthPrefixed() does not encode a frame above its limit", () => {
  const codec = lengthPrefixed({ bytesMax: 5 });
  assert.equal(encoded(Buffer.from("abcde"), { bytesMax: 5 }).length, 9);
  assert.throws(() => codec.encode(Buffer.from("abcdef")), {
    code: "frame-too-long",
    message: "Cannot write frame: length 6 exceeds limit 5 bytes (option bytesMax)",
  });
});

test("lengthPrefixed() lowers its limit to the maximum of the length field", () => {
  for (const [adjustment, bytesMax] of [
    [-1, 254],
    [0, 255],
    [1, 256],
  ] as const) {
    const options = { lengthBytes: 1, adjustment, bytesMax: 1_000 } as const;
    assert.equal(encoded(Buffer.alloc(bytesMax), options)[0], 0xff);
    assert.throws(() => lengthPrefixed(options).encode(Buffer.alloc(bytesMax + 1)), {
      code: "frame-too-long",
      message: `Cannot write frame: length ${bytesMax + 1} exceeds limit ${bytesMax} bytes (option bytesMax)`,
    });
  }
});

test("lengthPrefixed() does not encode a frame shorter than its adjustment", () => {
  const options = { adjustment: 4 };
  assert.deepEqual(encoded(Buffer.from("abcd"), options), bytes('00000000 "abcd"'));
  assert.throws(() => lengthPrefixed(options).encode(Buffer.from("abc")), { code: "malformed" });
});

test("lengthPrefixed({ offset }) does not encode", () => {
  assert.throws(() => lengthPrefixed({ offset: 1 }).encode(Buffer.from("a")), TypeError);
});

test("lengthPrefixed() refuses invalid options", () => {
  const wrong = [
    { lengthBytes: 5 },
    { lengthBytes: 0 },
    { offset: -1 },
    { offset: 1.5 },
    { skip: -1 },
    { bytesMax: -1 },
    { bytesMax: Number.NaN },
    { bytesMax: Number.POSITIVE_INFINITY },
    { adjustment: 0.5 },
  ];
  for (const options of wrong) {
    assert.throws(() => lengthPrefixed(options as LengthPrefixedOptions), RangeError, JSON.stringify(options));
  }
});

test("lengthPrefixed() returns undecoded bytes in rest(), for another codec", () => {
  const decoder = lengthPrefixed().decoder();
  assert.equal(decoder.decode(bytes('00000001 "a" 00000001 "b" "text"'), 1).length, 1);
  assert.deepEqual(Buffer.from(decoder.rest()), bytes('00000001 "b" "text"'));
});

test("lengthPrefixed() decodes what it encodes, at every split", () => {
  const layouts = fc.record(
    {
      lengthBytes: fc.constantFrom(2, 3, 4, 8),
      endian: fc.constantFrom("big", "little"),
      adjustment: fc.integer({ min: -20, max: 0 }),
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<LengthPrefixedOptions>;
  fc.assert(
    fc.property(
      layouts,
      fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 }),
      fc.array(fc.nat(300), { maxLength: 12 }),
      fc.integer({ min: 1, max: 4 }),
      (options, frames, places, framesMax) => {
        const codec = lengthPrefixed(options);
        const all = Buffer.concat(frames.map((frame) => encoded(frame, options)));
        const outcomes = decodeAll(codec, cutAt(all, places), framesMax);
        assert.deepEqual(
          outcomes,
          frames.map((frame) => ({ frame: Buffer.from(frame).toString("hex") })),
        );
      },
    ),
  );
});

test("lengthPrefixed() gives the same result for random bytes at every split, and throws only SocketErrors", () => {
  const layouts = fc.record(
    {
      lengthBytes: fc.constantFrom(1, 1, 1, 2, 3, 4, 8),
      endian: fc.constantFrom("big", "little"),
      offset: fc.nat(3),
      adjustment: fc.integer({ min: -6, max: 6 }),
      skip: fc.nat(6),
      bytesMax: fc.constantFrom(0, 1, 10, 200, 1_000),
      tooLong: fc.constantFrom("fail", "skip"),
    },
    { requiredKeys: ["lengthBytes"] },
  ) as fc.Arbitrary<LengthPrefixedOptions>;
  const noise = fc.array(fc.oneof(fc.nat(6), fc.nat(255)), { maxLength: 60 });
  fc.assert(
    fc.property(
      layouts.filter(isPossible),
      noise,
      fc.array(fc.nat(60), { maxLength: 6 }),
      (options, noiseBytes, places) => {
        const codec = lengthPrefixed(options);
        const all = Buffer.from(noiseBytes);
        assert.deepEqual(decodeAll(codec, cutAt(all, places)), decodeAll(codec, [all]));
        assert.deepEqual(decodeAll(codec, cutAt(all, places), 1), decodeAll(codec, [all]));
      },
    ),
    { numRuns: 500 },
  );
});

/** Whether any frame can have the layout. Other layouts must be refused. */
function isPossible(options: LengthPrefixedOptions): boolean {
  const { lengthBytes = 4, offset = 0, adjustment = 0, skip = 0, bytesMax = 1_000 } = options;
  return (
    adjustment <= bytesMax && skip <= offset + lengthBytes + Math.min(bytesMax, 256 ** lengthBytes - 1 + adjustment)
  );
}

test("lengthPrefixed() refuses a layout that no frame can have, and accepts one that a single frame can", () => {
  for (const [works, wrong] of [
    [
      { skip: 5, bytesMax: 1 },
      { skip: 6, bytesMax: 1 },
    ],
    [
      { adjustment: 3, bytesMax: 3 },
      { adjustment: 4, bytesMax: 3 },
    ],
    [
      { lengthBytes: 1, adjustment: -255 },
      { lengthBytes: 1, adjustment: -256 },
    ],
  ] as const) {
    lengthPrefixed(works);
    assert.throws(() => lengthPrefixed(wrong), RangeError, JSON.stringify(wrong));
  }
});

test("lengthPrefixed() allocates no memory for bytes that have not arrived", () => {
  const before = process.memoryUsage().arrayBuffers;
  const decoders = Array.from({ length: 100 }, () => lengthPrefixed().decoder());
  for (const decoder of decoders) assert.deepEqual(decoder.decode(bytes("00800000 00")), []);
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 * 1024 * 1024);
});

test("lengthPrefixed() throws errors with the name SocketError", () => {
  assert.throws(() => lengthPrefixed({ bytesMax: 1 }).decoder().decode(bytes("00000002")), SocketError);
});
