import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../../../test/seed.ts";
import { assertDecodes, cutAt, decodeAll } from "../testing/mod.ts";
import { netstrings } from "./netstrings.ts";

const hex = (...texts: string[]): Uint8Array[] => texts.map((text) => Buffer.from(text).toString("hex") as never);

test("netstrings() decodes consecutive strings, empty ones included", () => {
  assertDecodes(netstrings(), "5:hello,0:,12:hello, world,", hex("hello", "", "hello, world"));
});

test("netstrings() rejects an invalid length, a leading zero and a missing comma", () => {
  const malformed = { error: "malformed" };
  assertDecodes(netstrings(), "1:a,x:", [...hex("a"), malformed]);
  assertDecodes(netstrings(), ":a,", [malformed]);
  assertDecodes(netstrings(), "01:a,", [malformed]);
  assertDecodes(netstrings(), "1:ab,", [malformed]);
  assertDecodes(netstrings(), "99999999999999999999:", [malformed]);
});

test("netstrings() rejects or skips a frame one byte over the limit", () => {
  assertDecodes(netstrings({ bytesMax: 3 }), "3:abc,4:abcd,", [...hex("abc"), { error: "frame-too-long" }]);
  assertDecodes(netstrings({ bytesMax: 3, tooLong: "skip" }), "4:abcd,3:abc,", hex("abc"));
});

test("netstrings() distinguishes an end in the length from an end in the bytes", () => {
  assertDecodes(netstrings(), "12", [{ error: "frame-truncated", partial: "3132" }]);
  assertDecodes(netstrings(), "2:ab", [{ error: "frame-truncated", partial: "323a6162" }]);
  assert.throws(() => decodeFully("2"), /header/);
  assert.throws(() => decodeFully("2:a"), /payload/);
});

test("netstrings() decodes what it encodes, at every split", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), fc.array(fc.nat(200)), (frames, places) => {
      const codec = netstrings();
      const bytes = Buffer.concat(frames.flatMap((frame) => codec.encode(frame) as readonly Uint8Array[]));
      const expected = frames.map((frame) => ({ frame: Buffer.from(frame).toString("hex") }));
      assert.deepEqual(decodeAll(codec, cutAt(bytes, places)), expected);
    }),
  );
  assert.throws(() => netstrings({ bytesMax: 1 }).encode(Buffer.from("ab")), { code: "frame-too-long" });
});

function decodeFully(text: string): void {
  const decoder = netstrings().decoder();
  decoder.decode(Buffer.from(text));
  decoder.end();
}
