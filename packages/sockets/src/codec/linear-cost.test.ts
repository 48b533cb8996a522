/**
 * That decoding costs in proportion to the bytes, however they are cut. What is counted is work, not time: the bytes that
 * are searched, copied or turned into text, and those looked at one by one. `JsonScanner` counts its own in json.test.ts.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ByteQueue } from "../byte-queue.ts";
import type { Codec } from "./codec.ts";
import { delimited } from "./delimited.ts";
import { json } from "./json.ts";
import { lengthPrefixed } from "./length-prefixed.ts";
import { lines } from "./lines.ts";
import { netstrings } from "./netstrings.ts";
import { varintPrefixed } from "./varint-prefixed.ts";

const SIZE = 16_384;
/** Twice the bytes may cost this many times as much: twice, and what buffers of doubling sizes add. */
const RATIO_MAX = 2.6;
/** Byte by byte the most costs a header that may have 32 bytes: it is looked at again with each. */
const WORK_MAX = 80;

const bytesMax = 4 * SIZE;
const codecs: Readonly<Record<string, Codec<unknown, never>>> = {
  "lengthPrefixed()": lengthPrefixed({ bytesMax }),
  "varintPrefixed()": varintPrefixed({ bytesMax }),
  "netstrings()": netstrings({ bytesMax }),
  "lines()": lines({ bytesMax }),
  "delimited() with one delimiter": delimited("\n--\n", { bytesMax }),
  "delimited() with several": delimited(["\n--\n", "\n", "--"], { bytesMax }),
  "json()": json({ bytesMax }),
};

/** The bytes of so many frames of so many bytes each; of text, and with almost a delimiter inside. */
function encoded(codec: Codec<unknown, never>, frames: number, frameBytes: number): Buffer {
  const text = "abc-".repeat(frameBytes / 4);
  const frame = codec.decoder().constructor.name.match(/Lines|Json/) ? text : Buffer.from(text);
  const parts = [codec.encode(frame as never)].flat();
  const bytes = Buffer.concat(parts.map((part) => Buffer.from(part as Uint8Array)));
  return Buffer.concat(Array.from({ length: frames }, () => bytes));
}

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Cost = (self: Uint8Array, args: readonly unknown[], result: unknown) => number;

const sizeOf = (value: unknown): number => (value as { readonly length?: number }).length ?? 0;

const COSTS: readonly (readonly [owner: object, name: string, cost: Cost])[] = [
  [
    Buffer.prototype,
    "indexOf",
    ({ length }, [, from], at) => (at === -1 ? length : Number(at) + 1) - Number(from ?? 0),
  ],
  [Buffer.prototype, "lastIndexOf", ({ length }, [, from], at) => Math.min(length - 1, Number(from)) - Number(at)],
  [Buffer.prototype, "toString", ({ length }) => length],
  [Buffer.prototype, "copy", (_self, _args, bytes) => Number(bytes)],
  [Object.getPrototypeOf(Uint8Array.prototype), "set", (_, [source]) => sizeOf(source)],
  [Buffer, "concat", (_self, _args, result) => sizeOf(result)],
  [Buffer, "from", (_self, [source], result) => (Array.isArray(source) ? sizeOf(result) : 0)],
  [Buffer, "byteLength", (_, [text]) => sizeOf(text)],
  [ByteQueue.prototype, "at", () => 1],
];

/** How many bytes are worked on while `run` runs. */
function workOf(run: () => void): number {
  let work = 0;
  // Not node:test's mocks: they keep every call.
  const restore = COSTS.map(([owner, name, cost]) => {
    const methods = owner as Record<string, Method>;
    const original = methods[name] as Method;
    methods[name] = function (...args) {
      const result = original.apply(this, args);
      work += cost(this as Uint8Array, args, result);
      return result;
    };
    return () => {
      methods[name] = original;
    };
  });
  try {
    run();
  } finally {
    for (const undo of restore) undo();
  }
  return work;
}

function decode(codec: Codec<unknown, never>, bytes: Buffer, chunkBytes: number, framesMax: number): number {
  const decoder = codec.decoder();
  let count = 0;
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    let { length } = decoder.decode(bytes.subarray(at, at + chunkBytes), framesMax);
    for (count += length; length >= framesMax; count += length)
      ({ length } = decoder.decode(Buffer.alloc(0), framesMax));
  }
  return count + decoder.end().length;
}

describe("decoding costs in proportion to the bytes", () => {
  for (const [name, codec] of Object.entries(codecs)) {
    for (const [shape, frames, frameBytes] of [
      ["one long frame", 1, SIZE],
      ["many short frames", SIZE / 16, 16],
    ] as const) {
      test(`${name}: ${shape}, cut in any way and taken all at once or one by one`, () => {
        for (const chunkBytes of [1, 7, 600, 8 * SIZE]) {
          for (const framesMax of [Number.POSITIVE_INFINITY, 1]) {
            const [once = 0, twice = 0] = [1, 2].map((factor) => {
              const long = frames === 1 ? factor : 1;
              const bytes = encoded(codec, (frames * factor) / long, frameBytes * long);
              let decoded = 0;
              const work = workOf(() => {
                decoded = decode(codec, bytes, chunkBytes, framesMax);
              });
              assert.equal(decoded, (frames * factor) / long);
              return work / SIZE;
            });
            const how = `chunks of ${chunkBytes}, ${framesMax} at a time: ${once}, then ${twice} times the bytes`;
            assert.ok(once <= WORK_MAX, how);
            assert.ok(twice <= RATIO_MAX * once + 1, how);
          }
        }
      });
    }
  }
});
