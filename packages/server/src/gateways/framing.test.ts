import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fc } from "../../../../test/seed.ts";
import type { Framing } from "../hub/mod.ts";
import { lineFraming, prefixFraming, websocketFraming } from "./framing.ts";

/** Decodes one frame at `at`. Returns its text and its end. */
type ReadFrame = (bytes: Buffer, at: number) => { readonly text: string; readonly end: number };

const FRAMINGS: Readonly<Record<string, readonly [Framing, ReadFrame]>> = {
  lineFraming: [
    lineFraming,
    (bytes, at) => {
      const end = bytes.indexOf("\n", at);
      return { text: bytes.toString("utf8", at, end), end: end + 1 };
    },
  ],
  prefixFraming: [
    prefixFraming,
    (bytes, at) => {
      const end = at + 4 + bytes.readUInt32BE(at);
      return { text: bytes.toString("utf8", at + 4, end), end };
    },
  ],
  websocketFraming: [websocketFraming, readWebSocketFrame],
};

for (const [name, [framing, readFrame]] of Object.entries(FRAMINGS)) {
  describe(name, () => {
    const readAll = (bytes: Uint8Array) => {
      const buffer = Buffer.from(bytes);
      const texts: string[] = [];
      const ends: number[] = [];
      for (let at = 0; at < buffer.length; ) {
        const { text, end } = readFrame(buffer, at);
        texts.push(text);
        ends.push(end);
        at = end;
      }
      return { texts, ends };
    };

    test("frame() and batch() give the same bytes, and ends[i] is the end of frame i", () => {
      const one = fc
        .string({ unit: "binary", maxLength: 300 })
        .map((text) => text.toWellFormed().replaceAll("\n", "é"));
      fc.assert(
        fc.property(fc.array(one, { minLength: 1, maxLength: 20 }), (texts) => {
          const batch = framing.batch(texts);
          assert.deepEqual(Buffer.concat(texts.map((text) => framing.frame(text))), Buffer.from(batch.bytes));
          assert.deepEqual(readAll(batch.bytes), { texts, ends: batch.ends });
        }),
      );
    });

    test("encodes multi-byte text at any place of a batch", () => {
      const texts = ["a", "é", "語", "😀", "b", "", "\ud800".toWellFormed()];
      const batch = framing.batch(texts);
      assert.deepEqual(readAll(batch.bytes), { texts, ends: batch.ends });
    });

    test("encodes every length at which the header grows", () => {
      for (const length of [0, 1, 125, 126, 127, 255, 256, 65_535, 65_536, 70_000]) {
        const text = "x".repeat(length);
        assert.deepEqual(readAll(framing.batch([text, "y"]).bytes).texts, [text, "y"]);
        assert.deepEqual(readAll(framing.frame(text)).texts, [text]);
      }
    });
  });
}

test("websocketFraming writes the shortest header: 2, 4 or 10 bytes (RFC 6455, section 5.2)", () => {
  const headers = { 125: "817d", 126: "817e007e", 65535: "817effff", 65536: "817f0000000000010000" };
  for (const [length, header] of Object.entries(headers)) {
    const bytes = Buffer.from(websocketFraming.frame("x".repeat(Number(length))));
    assert.equal(bytes.toString("hex", 0, header.length / 2), header);
    assert.equal(bytes.length, header.length / 2 + Number(length));
  }
  // The length counts bytes, not characters.
  assert.equal(Buffer.from(websocketFraming.frame("é".repeat(63))).toString("hex", 0, 4), "817e007e");
});

function readWebSocketFrame(bytes: Buffer, at: number): { readonly text: string; readonly end: number } {
  assert.equal(bytes[at], 0x81, "a final text frame");
  const short = bytes[at + 1] as number;
  assert.ok(short < 0x80, "a server does not mask");
  const header = short < 126 ? 2 : short === 126 ? 4 : 10;
  const length =
    short < 126 ? short : header === 4 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
  const end = at + header + length;
  return { text: bytes.toString("utf8", at + header, end), end };
}
