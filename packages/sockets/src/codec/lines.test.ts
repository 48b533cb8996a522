import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../../../test/seed.ts";
import { assertDecodes, cutAt, decodeAll } from "../testing/mod.ts";
import { lines } from "./lines.ts";

test("lines() splits at LF and CRLF and returns empty lines", () => {
  assertDecodes(lines(), "", []);
  assertDecodes(lines(), "one\ntwo\r\n\n\r\nthree\n", ["one", "two", "", "", "three"]);
});

test("lines() returns a last line without its ending", () => {
  assertDecodes(lines(), "one\ntwo", ["one", "two"]);
  assertDecodes(lines(), "a", ["a"]);
});

test("lines() removes only one CR before the LF", () => {
  assertDecodes(lines(), "a\rb\r\r\n\rc\n", ["a\rb\r", "\rc"]);
});

test("lines() decodes characters that are split between chunks", () => {
  assertDecodes(lines(), "grüß\n€ 😀\r\n\u{feff}x\n", ["grüß", "€ 😀", "\u{feff}x"]);
});

test("lines() throws malformed for invalid UTF-8, after the lines before it", () => {
  for (const bad of ["ff", "c0af", "eda080", "f4908080", "e282", "80"]) {
    assertDecodes(lines(), Buffer.from(`610a${bad}0a620a`, "hex"), ["a", { error: "malformed" }] as never);
  }
});

test("lines() throws malformed for a character cut off by the end", () => {
  assertDecodes(lines(), Buffer.from("610ae282", "hex"), ["a", { error: "malformed" }] as never);
});

test("lines() rejects a line one byte over the limit", () => {
  for (const ending of ["\n", "\r\n"]) {
    assertDecodes(lines({ bytesMax: 5 }), `abcde${ending}x${ending}`, ["abcde", "x"]);
    assertDecodes(lines({ bytesMax: 5 }), `x${ending}abcdef${ending}y${ending}`, [
      "x",
      { error: "frame-too-long" },
    ] as never);
  }
  assertDecodes(lines({ bytesMax: 5 }), "abcde", ["abcde"]);
  assertDecodes(lines({ bytesMax: 5 }), "abcdef", [{ error: "frame-too-long" }] as never);
  assertDecodes(lines({ bytesMax: 0 }), "\n\r\n", ["", ""]);
  assertDecodes(lines({ bytesMax: 0 }), "a\n", [{ error: "frame-too-long" }] as never);
});

test("lines() applies bytesMax to bytes, not characters", () => {
  assertDecodes(lines({ bytesMax: 3 }), "€\n", ["€"]);
  assertDecodes(lines({ bytesMax: 2 }), "€\n", [{ error: "frame-too-long" }] as never);
});

test("lines() names the limit and the option in its error", () => {
  const decoder = lines({ bytesMax: 2 }).decoder();
  assert.throws(() => decoder.decode(Buffer.from("abc\n")), {
    code: "frame-too-long",
    message: "Cannot read line: it exceeds limit 2 bytes (option bytesMax)",
  });
});

test("lines() has a default limit of 64 KiB", () => {
  const line = "x".repeat(65_536);
  assert.deepEqual(
    lines()
      .decoder()
      .decode(Buffer.from(`${line}\n`)),
    [line],
  );
  assert.throws(
    () =>
      lines()
        .decoder()
        .decode(Buffer.from(`${line}x\n`)),
    { code: "frame-too-long" },
  );
});

test("lines() buffers nothing past the limit", () => {
  const failing = lines({ bytesMax: 5 }).decoder();
  failing.decode(Buffer.from("abcdef"));
  assert.throws(() => failing.decode(Buffer.from("g")), { code: "frame-too-long" });

  const skipping = lines({ bytesMax: 5, tooLong: "skip" }).decoder();
  for (let i = 0; i < 100; i += 1) skipping.decode(Buffer.from("abcdefgh"));
  assert.equal(skipping.rest().length, 0);
});

test('lines({ tooLong: "skip" }) skips exactly the long line', () => {
  const codec = lines({ bytesMax: 3, tooLong: "skip" });
  assertDecodes(codec, "a\nbbbb\ncc\nddddddddd\r\nee", ["a", "cc", "ee"]);
  assertDecodes(codec, "abc\r\nabcd\r\nabc\r\n", ["abc", "abc"]);
  assertDecodes(codec, "a\nbbbb", ["a"]);
  assertDecodes(codec, "bbbb\n", []);
});

test("lines() encodes a line with LF, and refuses text that would be read as another line", () => {
  assert.equal(lines().encode("hé"), "hé\n");
  assert.equal(lines().encode(""), "\n");
  assert.equal(lines().encode("a\rb"), "a\rb\n");
  for (const line of ["a\nb", "a\r", "\r"]) assert.throws(() => lines().encode(line), TypeError);
});

test("lines() names the argument when it is not a string", () => {
  assert.throws(() => lines().encode(5 as never), {
    name: "TypeError",
    message: "line must be a string, not of type number",
  });
});

test('lines({ ending: "\\r\\n" }) encodes a line with CRLF', () => {
  const codec = lines({ ending: "\r\n" });
  assert.equal(codec.encode("hé"), "hé\r\n");
  assert.throws(() => codec.encode("a\nb"), TypeError);
  const texts = ["", "a", "a\r", "\r"];
  assertDecodes(codec, texts.map((text) => codec.encode(text)).join(""), texts);
});

test("lines() refuses invalid limits", () => {
  for (const bytesMax of [-1, 0.5, Number.NaN, "5" as unknown as number]) {
    assert.throws(() => lines({ bytesMax }), RangeError);
  }
});

test("lines() returns undecoded bytes in rest(), for another codec", () => {
  const decoder = lines().decoder();
  assert.deepEqual(decoder.decode(Buffer.from("HELLO\nbinary\n\x00"), 1), ["HELLO"]);
  assert.equal(Buffer.from(decoder.rest()).toString(), "binary\n\x00");
});

test("lines() returns at most framesMax lines and keeps the others", () => {
  const decoder = lines().decoder();
  const none = new Uint8Array(0);
  assert.deepEqual(decoder.decode(Buffer.from("a\nb\nc\n"), 2), ["a", "b"]);
  assert.deepEqual(decoder.decode(none, 2), ["c"]);
  assert.deepEqual(decoder.decode(none, 2), []);
  assert.deepEqual(decoder.decode(Buffer.from("d\ne\n"), 1), ["d"]);
  assert.deepEqual(decoder.end(), ["e"]);
});

test("lines() takes linear time for a line that arrives byte by byte", () => {
  // The tests of ByteQueue count the work. Here a quadratic decoder would take minutes.
  const decoder = lines({ bytesMax: 200_000 }).decoder();
  for (let i = 0; i < 200_000; i += 1) decoder.decode(Buffer.from("x"));
  assert.equal(decoder.decode(Buffer.from("\n"))[0]?.length, 200_000);
});

test("lines() gives the same result for random bytes at every split, and throws only SocketErrors", () => {
  const noise = fc.array(fc.constantFrom(0x0a, 0x0a, 0x0d, 0x61, 0x62, 0xc3, 0xa9, 0xff), { maxLength: 40 });
  const options = fc.record({
    bytesMax: fc.constantFrom(0, 1, 2, 5, 100),
    tooLong: fc.constantFrom("fail" as const, "skip" as const),
  });
  fc.assert(
    fc.property(options, noise, fc.array(fc.nat(40), { maxLength: 6 }), (settings, noiseBytes, places) => {
      const all = Buffer.from(noiseBytes);
      const whole = decodeAll(lines(settings), [all]);
      assert.deepEqual(decodeAll(lines(settings), cutAt(all, places)), whole);
      assert.deepEqual(decodeAll(lines(settings), cutAt(all, places), 1), whole);
    }),
    { numRuns: 1_000 },
  );
});

test("lines() decodes what it encodes", () => {
  const line = fc.string({ unit: "binary" }).filter((text) => text.isWellFormed() && !/\n|\r$/.test(text));
  fc.assert(
    fc.property(fc.array(line), (texts) => {
      const all = Buffer.from(texts.map((text) => lines().encode(text)).join(""));
      assert.deepEqual(
        decodeAll(lines(), [all]),
        texts.map((frame) => ({ frame })),
      );
    }),
  );
});

test("lines() returns the same lines for chunks shorter and longer than its block", () => {
  const all = Array.from(
    { length: 400 },
    (_, index) => `${index % 7 === 0 ? "é" : ""}${"x".repeat((index * 37) % 300)}`,
  );
  const expected = [...all, "y".repeat(4_095), "y".repeat(4_096), "ü".repeat(5_000), "", "end"];
  for (const ending of ["\n", "\r\n"]) {
    const bytes = Buffer.from(expected.map((line) => line + ending).join(""));
    for (const size of [1, 100, 1_448, 4_096, bytes.length]) {
      const decoder = lines().decoder();
      const found: string[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        found.push(...decoder.decode(bytes.subarray(at, at + size), 3));
        for (let more = decoder.decode(new Uint8Array(0), 3); more.length > 0; ) {
          found.push(...more);
          more = decoder.decode(new Uint8Array(0), 3);
        }
      }
      assert.deepEqual([...found, ...decoder.end()], expected);
    }
  }
});

test("lines() returns the lines before an invalid or long one in the same chunk", () => {
  for (const [bad, code] of [
    [Buffer.from("ff0a", "hex"), "malformed"],
    [Buffer.from("12345\n"), "frame-too-long"],
  ] as const) {
    const decoder = lines({ bytesMax: 4 }).decoder();
    assert.deepEqual(decoder.decode(Buffer.concat([Buffer.from("one\nzwö\n"), bad])), ["one", "zwö"]);
    assert.throws(() => decoder.decode(new Uint8Array(0)), { code });
  }
});
