import assert from "node:assert/strict";
import { test } from "node:test";
import type { Codec } from "./codec.ts";
import { delimited } from "./delimited.ts";
import { lengthPrefixed } from "./length-prefixed.ts";
import { netstrings } from "./netstrings.ts";
import { varintPrefixed } from "./varint-prefixed.ts";

const codecs: Readonly<Record<string, (options?: { copy?: boolean }) => Codec<Uint8Array>>> = {
  lengthPrefixed,
  varintPrefixed,
  netstrings,
  delimited: (options) => delimited("\n", options),
};

for (const [name, make] of Object.entries(codecs)) {
  test(`${name}() frames share the chunk's memory, or with copy have their own`, () => {
    for (const copy of [undefined, false, true]) {
      const codec = make(copy === undefined ? {} : { copy });
      const parts = [codec.encode(Buffer.from("hello")), codec.encode(Buffer.from("bye"))].flat();
      const chunk = Buffer.concat(parts.map((part) => Buffer.from(part)));
      const [frame, next] = codec.decoder().decode(chunk);
      assert.ok(frame !== undefined && next !== undefined);
      assert.deepEqual([frame, next].map(String), ["hello", "bye"]);
      chunk.fill("x");
      assert.deepEqual([frame, next].map(String), copy ? ["hello", "bye"] : ["xxxxx", "xxx"]);
      if (copy) assert.equal(frame.buffer.byteLength, 5);
    }
  });
}

test("delimited({ copy: true }) copies the last frame too, but not rest()", () => {
  const decoder = delimited("\n", { copy: true }).decoder();
  const chunk = Buffer.from("one\ntwo");
  decoder.decode(chunk);
  assert.deepEqual(decoder.end().map(String), ["two"]);
  const other = delimited("\n", { copy: true }).decoder();
  other.decode(Buffer.from("one\nrest"));
  assert.equal(String(other.rest()), "rest");
});
