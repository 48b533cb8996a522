import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../../../test/seed.ts";
import { assertDecodes, cutAt, decodeAll } from "../testing/mod.ts";
import { delimited } from "./delimited.ts";

const hex = (...texts: string[]): Uint8Array[] => texts.map((text) => Buffer.from(text).toString("hex") as never);

test("delimited() splits at one delimiter, and returns a last frame without it", () => {
  assertDecodes(delimited("\0"), "one\0two\0\0three", hex("one", "two", "", "three"));
  assertDecodes(delimited("--"), "a-b--c---d", hex("a-b", "c", "-d"));
  assertDecodes(delimited(Buffer.from([1, 2])), Buffer.from([9, 1, 2, 1, 9]), ["09", "0109"] as never[]);
});

test("delimited() splits at the earliest of several delimiters, and at the longest at one place", () => {
  assertDecodes(delimited(["\r", "\r\n", "\n"]), "a\r\nb\rc\n\r\r\nd\r", hex("a", "b", "c", "", "", "d"));
  assertDecodes(delimited(["bc", "abcd"]), "xabcdyabcezbc", hex("x", "ya", "ez"));
  assertDecodes(delimited(["ab", "abc", "b"]), "abxabcxb", hex("", "x", "x"));
});

test("delimited() rejects a frame one byte over the limit, and accepts one at the limit", () => {
  assertDecodes(delimited(";;", { bytesMax: 3 }), "abc;;def", hex("abc", "def"));
  assertDecodes(delimited(";;", { bytesMax: 3 }), "ab;;abcd;;x", [...hex("ab"), { error: "frame-too-long" }]);
  assertDecodes(delimited(";;", { bytesMax: 3 }), "ab;;abc;", [...hex("ab"), { error: "frame-too-long" }]);
});

test('delimited({ tooLong: "skip" }) skips exactly the long frame', () => {
  const codec = delimited([";;", ";"], { bytesMax: 3, tooLong: "skip" });
  assertDecodes(codec, "abcd;;ab;abcdefgh;c;toolong", hex("ab", "c"));
});

test("delimited() finds the same frames as a search of the whole text, at every split", () => {
  const byte = fc.constantFrom(0x61, 0x62, 0x63);
  fc.assert(
    fc.property(
      fc.array(
        fc.uint8Array({ minLength: 1, maxLength: 3 }).map((bytes) => bytes.map((value) => 0x61 + (value % 3))),
        {
          minLength: 1,
          maxLength: 3,
        },
      ),
      fc.array(byte, { maxLength: 30 }).map((bytes) => Uint8Array.from(bytes)),
      fc.array(fc.nat(40), { maxLength: 5 }),
      (delimiters, bytes, places) => {
        const found = decodeAll(delimited(delimiters), cutAt(bytes, places));
        assert.deepEqual(
          found.map((outcome) => ("frame" in outcome ? outcome.frame : outcome.error)),
          expectedFrames(Buffer.from(bytes), delimiters.map(Buffer.from)),
        );
      },
    ),
  );
});

test("delimited() refuses invalid delimiters and limits", () => {
  assert.throws(() => delimited([]), TypeError);
  assert.throws(() => delimited(["a", ""]), TypeError);
  assert.throws(() => delimited("a", { bytesMax: Number.NaN }), RangeError);
});

test("delimited() writes the first delimiter", () => {
  const parts = delimited(["\r\n", "\n"]).encode(Buffer.from("x")) as readonly Uint8Array[];
  assert.equal(Buffer.concat(parts).toString(), "x\r\n");
});

/** A reference implementation of the definition: at each place the longest delimiter that begins there. */
function expectedFrames(bytes: Buffer, delimiters: readonly Buffer[]): string[] {
  const frames: string[] = [];
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const lengths = delimiters
      .filter((each) => bytes.subarray(at, at + each.length).equals(each))
      .map((each) => each.length);
    const length = Math.max(0, ...lengths);
    if (length > 0) frames.push(bytes.subarray(from, at).toString("hex"));
    at += Math.max(1, length);
    if (length > 0) from = at;
  }
  if (from < bytes.length) frames.push(bytes.subarray(from).toString("hex"));
  return frames;
}
