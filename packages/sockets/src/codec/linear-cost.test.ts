/**
 * Decoding takes linear time at every split. The streams are so long that a decoder that searches or copies its bytes
 * again would take minutes to hours and exceed the time limit of the test.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { turn } from "../../../../test/until.ts";
import type { Codec } from "./codec.ts";
import { delimited } from "./delimited.ts";
import { json } from "./json.ts";
import { lengthPrefixed } from "./length-prefixed.ts";
import { lines } from "./lines.ts";
import { mapped } from "./mapped.ts";
import { netstrings } from "./netstrings.ts";
import { varintPrefixed } from "./varint-prefixed.ts";

/** Sent one byte at a time. With quadratic cost this is 9 TB of copies. */
const FRAME_BYTES = 4 * 1024 * 1024;
/** Taken one at a time from one chunk. With quadratic cost this is 4 TB of copies. */
const FRAMES = 1024 * 1024;

const bytesMax = 2 * FRAME_BYTES;
/** Almost a delimiter. */
const PIECE = "abc-";
const asText = (text: string): unknown => text;
const asBytes = (text: string): unknown => Buffer.from(text);

const CODECS: Readonly<Record<string, readonly [codec: Codec<unknown, never>, frame: (text: string) => unknown]>> = {
  "lengthPrefixed()": [lengthPrefixed({ bytesMax }), asBytes],
  "lengthPrefixed() with another layout": [lengthPrefixed({ bytesMax, lengthBytes: 3, endian: "little" }), asBytes],
  "varintPrefixed()": [varintPrefixed({ bytesMax }), asBytes],
  "netstrings()": [netstrings({ bytesMax }), asBytes],
  "lines()": [lines({ bytesMax }), asText],
  "delimited() with one delimiter": [delimited("\n--\n", { bytesMax }), asBytes],
  "delimited() with several": [delimited(["\n--\n", "\n", "--"], { bytesMax }), asBytes],
  "json()": [json({ bytesMax }), asText],
  "json() by lines": [json({ bytesMax, framing: "lines" }), asText],
  "mapped()": [
    mapped(lines({ bytesMax }), { decode: (line) => line, encode: (line: string) => line }) as Codec<unknown, never>,
    asText,
  ],
};

function encoded(codec: Codec<unknown, never>, frame: unknown): Buffer {
  return Buffer.concat([codec.encode(frame as never)].flat().map((part) => Buffer.from(part as Uint8Array)));
}

const TIMEOUT = { timeout: 120_000 };
/** Calls of a decoder between turns of the event loop, in which the timeout of the test can fire. */
const CALLS_PER_TURN = 1_024;

async function timeOut(t: TestContext): Promise<void> {
  await turn();
  t.signal.throwIfAborted();
}

const lengthOf = (frame: unknown): number => (frame as { readonly length: number }).length;

for (const [name, [codec, frameOf]] of Object.entries(CODECS)) {
  test(`${name} decodes a frame of 4 MiB byte by byte in linear time`, TIMEOUT, async (t) => {
    const bytes = encoded(codec, frameOf(PIECE.repeat(FRAME_BYTES / PIECE.length)));
    const decoder = codec.decoder();
    const frames: unknown[] = [];
    for (let at = 0; at < bytes.length; at += 1) {
      for (const frame of decoder.decode(bytes.subarray(at, at + 1))) frames.push(frame);
      if (at % CALLS_PER_TURN === 0) await timeOut(t);
    }
    assert.deepEqual([...frames, ...decoder.end()].map(lengthOf), [FRAME_BYTES]);
  });

  test(`${name} returns a million frames of one chunk one at a time in linear time`, TIMEOUT, async (t) => {
    const one = encoded(codec, frameOf(PIECE));
    const decoder = codec.decoder();
    let chunk = Buffer.alloc(FRAMES * one.length, one);
    for (let count = 0; count < FRAMES; count += 1) {
      const frames = decoder.decode(chunk, 1);
      assert.ok(frames.length === 1 && lengthOf(frames[0]) === PIECE.length, `frame ${count}`);
      chunk = Buffer.alloc(0);
      if (count % CALLS_PER_TURN === 0) await timeOut(t);
    }
    assert.equal(decoder.end().length, 0);
  });
}
