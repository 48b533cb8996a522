import assert from "node:assert/strict";
import { test } from "node:test";
import type { Codec } from "./codec.ts";
import { encodeBatch } from "./encode-batch.ts";
import { json } from "./json.ts";
import { lengthPrefixed } from "./length-prefixed.ts";
import { lines } from "./lines.ts";
import { netstrings } from "./netstrings.ts";

const bytesOf = (data: Uint8Array | string | readonly (Uint8Array | string)[]): Buffer =>
  Buffer.concat([data].flat().map((part) => Buffer.from(part as string)));

const small = [Buffer.from("one"), Buffer.alloc(0), Buffer.from("three")];
const large = [Buffer.alloc(5_000, "a"), Buffer.alloc(3, "b"), Buffer.alloc(70_000, "c")];
const cases: readonly (readonly [string, Codec<never, never>, readonly unknown[]])[] = [
  ["lengthPrefixed()", lengthPrefixed() as Codec<never, never>, small],
  ["lengthPrefixed() with large frames", lengthPrefixed() as Codec<never, never>, large],
  ["lengthPrefixed(), 3 bytes little-endian", lengthPrefixed({ lengthBytes: 3, endian: "little" }) as never, small],
  ["netstrings()", netstrings() as Codec<never, never>, [...small, ...large]],
  ["lines()", lines() as Codec<never, never>, ["grün", "", "x"]],
  ["json()", json() as Codec<never, never>, [1, "two", { three: [] }]],
];

for (const [name, codec, frames] of cases) {
  test(`encodeBatch() of ${name} gives the same bytes as single frames`, () => {
    const single = Buffer.concat(frames.map((frame) => bytesOf(codec.encode(frame as never))));
    assert.ok(bytesOf(encodeBatch(codec, frames as never[])).equals(single));
    assert.equal(bytesOf(encodeBatch(codec, [])).length, 0);
  });
}

test("encodeBatch() of lengthPrefixed() copies small frames into one part, and does not copy large ones", () => {
  assert.ok(encodeBatch(lengthPrefixed() as never, small as never[]) instanceof Uint8Array);
  assert.ok((encodeBatch(lengthPrefixed() as never, large as never[]) as unknown[]).includes(large[2]));
});

test("encodeBatch() throws the error of a frame and returns none of the others", () => {
  const tooLong = [Buffer.from("ok"), Buffer.alloc(11)];
  for (const make of [lengthPrefixed, netstrings]) {
    assert.throws(() => encodeBatch(make({ bytesMax: 10 }) as never, tooLong as never[]), { code: "frame-too-long" });
  }
});
