import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../../../test/seed.ts";
import { assertDecodes, cutAt, decodeAll } from "../testing/mod.ts";
import { varintPrefixed } from "./varint-prefixed.ts";

const fromHex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

test("varintPrefixed() decodes lengths of one and of several bytes", () => {
  assertDecodes(varintPrefixed(), fromHex("03 616263 00 01 ff"), ["616263", "", "ff"] as never[]);
  const long = Buffer.alloc(300, 0x61);
  const decoder = varintPrefixed().decoder();
  const [frame] = decoder.decode(Buffer.concat([fromHex("ac02"), long]));
  assert.deepEqual(frame, long);
});

test('varintPrefixed() rejects an overlong length unless overlong is "accept"', () => {
  for (const overlong of ["8000", "8500", "858000", "ffff8000", "80808080808000"]) {
    const bytes = fromHex(`01 61 ${overlong}`);
    assertDecodes(varintPrefixed(), bytes, ["61", { error: "malformed" }] as never[]);
    assertDecodes(varintPrefixed({ offset: 1 }), fromHex(`7f 01 61 7f ${overlong}`), [
      "61",
      { error: "malformed" },
    ] as never[]);
  }
  const accepting = varintPrefixed({ overlong: "accept" });
  assertDecodes(accepting, fromHex("8500 6162636465 8000 81808000 61"), ["6162636465", "", "61"] as never[]);
  // A single zero byte is a valid length.
  assertDecodes(varintPrefixed(), fromHex("00 00"), ["", ""] as never[]);
  assert.throws(() => varintPrefixed().decoder().decode(fromHex("8000")), {
    message: "Cannot read frame: its length has more bytes than it needs (option overlong)",
  });
});

/** Packets of MQTT 5.0: a byte of type and flags, the length of the rest, the rest. */
const MQTT = {
  connect: `10 10 0004 4d515454 05 02 003c 00 0003 ${Buffer.from("abc").toString("hex")}`,
  publish: `31 8b01 0003 612f62 00 ${"78".repeat(133)}`,
  pingreq: "c0 00",
  disconnect: "e0 00",
};

test("varintPrefixed({ offset: 1 }) decodes MQTT packets", () => {
  const packets = Object.values(MQTT).map(fromHex);
  assertDecodes(varintPrefixed({ offset: 1, skip: 0 }), Buffer.concat(packets), packets as never[]);
  // Without the header, as lengthPrefixed() returns frames.
  assertDecodes(varintPrefixed({ offset: 1 }), Buffer.concat(packets), [
    packets[0]?.subarray(2),
    packets[1]?.subarray(3),
    "",
    "",
  ] as never[]);
  // The largest packet of MQTT, with a length of four bytes. One byte more is rejected at its length.
  const largest = varintPrefixed({ offset: 1, bytesMax: 268_435_455 }).decoder();
  assert.deepEqual(largest.decode(fromHex("30 ffffff7f")), []);
  const over = varintPrefixed({ offset: 1, bytesMax: 268_435_455 }).decoder();
  assert.throws(() => over.decode(fromHex("30 8080808001")), { code: "frame-too-long" });
});

test("varintPrefixed() rejects a frame shorter than skip, and does not encode with an offset", () => {
  assertDecodes(varintPrefixed({ offset: 1, skip: 4 }), fromHex("30 03 616263 30 01 61"), [
    "63",
    { error: "malformed" },
  ] as never[]);
  assert.throws(() => varintPrefixed({ offset: 1 }).encode(Buffer.from("a")), {
    name: "TypeError",
    message: /with an offset/,
  });
});

test("varintPrefixed() rejects a length of more than 53 bits or 8 bytes", () => {
  const malformed = { error: "malformed" };
  assertDecodes(varintPrefixed(), fromHex("ffffffffffffff7f"), [malformed] as never[]);
  assertDecodes(varintPrefixed(), fromHex("01 61 808080808080808001"), ["61", malformed] as never[]);
});

test("varintPrefixed() rejects or skips a frame one byte over the limit", () => {
  const bytes = fromHex("03 616263 04 61626364 01 78");
  assertDecodes(varintPrefixed({ bytesMax: 3 }), bytes, ["616263", { error: "frame-too-long" }] as never[]);
  assertDecodes(varintPrefixed({ bytesMax: 3, tooLong: "skip" }), bytes, ["616263", "78"] as never[]);
});

test("varintPrefixed() throws frame-truncated with partial when the stream ends inside a frame", () => {
  assertDecodes(varintPrefixed(), fromHex("80"), [{ error: "frame-truncated", partial: "80" }] as never[]);
  assertDecodes(varintPrefixed(), fromHex("0261"), [{ error: "frame-truncated", partial: "0261" }] as never[]);
});

test("varintPrefixed() decodes what it encodes, at every split", () => {
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
