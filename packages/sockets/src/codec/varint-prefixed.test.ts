import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../../../test/seed.ts";
import { assertDecodes, cutAt, decodeAll } from "../testing/mod.ts";
import { varintPrefixed } from "./varint-prefixed.ts";

const fromHex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

test("varintPrefixed() decodes lengths of one and of several bytes", () => {
  assertDecodes(varintPrefixed(), fromHex("03 616263 00 01 ff"), ["616263", "", "ff"] as never[]);
  // 5 in two bytes: longer than needed, and allowed.
  assertDecodes(varintPrefixed(), fromHex("8500 6162636465"), ["6162636465"] as never[]);
  const long = Buffer.alloc(300, 0x61);
  const decoder = varintPrefixed().decoder();
  const [frame] = decoder.decode(Buffer.concat([fromHex("ac02"), long]));
  assert.deepEqual(frame, long);
});

test("varintPrefixed() refuses a length of more than 53 bits or 8 bytes", () => {
  const malformed = { error: "malformed" };
  assertDecodes(varintPrefixed(), fromHex("ffffffffffffff7f"), [malformed] as never[]);
  assertDecodes(varintPrefixed(), fromHex("01 61 808080808080808001"), ["61", malformed] as never[]);
});

test("varintPrefixed() rejects a frame one byte over the limit, or leaves it out", () => {
  const bytes = fromHex("03 616263 04 61626364 01 78");
  assertDecodes(varintPrefixed({ bytesMax: 3 }), bytes, ["616263", { error: "frame-too-long" }] as never[]);
  assertDecodes(varintPrefixed({ bytesMax: 3, tooLong: "skip" }), bytes, ["616263", "78"] as never[]);
});

test("varintPrefixed() carries what there was when the stream ends inside a frame", () => {
  assertDecodes(varintPrefixed(), fromHex("80"), [{ error: "frame-truncated", partial: "80" }] as never[]);
  assertDecodes(varintPrefixed(), fromHex("0261"), [{ error: "frame-truncated", partial: "0261" }] as never[]);
});

test("varintPrefixed() decodes what it encodes, however it is cut", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), fc.array(fc.nat(2_000)), (frames, places) => {
      const codec = varintPrefixed();
      const bytes = Buffer.concat(frames.flatMap((frame) => codec.encode(frame) as readonly Uint8Array[]));
      const expected = frames.map((frame) => ({ frame: Buffer.from(frame).toString("hex") }));
      assert.deepEqual(decodeAll(codec, cutAt(bytes, places)), expected);
    }),
  );
  assert.throws(() => varintPrefixed({ bytesMax: 1 }).encode(Buffer.from("ab")), { code: "frame-too-long" });
});
