import assert from "node:assert/strict";
import { test } from "node:test";
import { delimited, json, lengthPrefixed, lines, netstrings, varintPrefixed } from "./mod.ts";

test("codecs treat an undefined option as not given", () => {
  const sized = { bytesMax: undefined, tooLong: undefined, copy: undefined };
  const layout = {
    lengthBytes: undefined,
    endian: undefined,
    offset: undefined,
    adjustment: undefined,
    skip: undefined,
  };
  const frame = Buffer.from("x".repeat(1_000));
  for (const [codec, same] of [
    [lengthPrefixed({ ...sized, ...layout }), lengthPrefixed()],
    [varintPrefixed(sized), varintPrefixed()],
    [netstrings(sized), netstrings()],
    [delimited("\n", sized), delimited("\n")],
  ] as const) {
    assert.deepEqual(codec.encode(frame), same.encode(frame));
    const bytes = Buffer.concat([codec.encode(frame)].flat().map((part) => Buffer.from(part)));
    assert.deepEqual(codec.decoder().decode(bytes), [frame]);
  }
  const texts = lines({ bytesMax: undefined, tooLong: undefined, ending: undefined });
  assert.equal(texts.encode("one"), "one\n");
  assert.deepEqual(texts.decoder().decode(frame), []);
  const values = json({ bytesMax: undefined, depthMax: undefined, invalid: undefined, parse: undefined });
  assert.deepEqual(values.decoder().decode(Buffer.from("[[]] ")), [[[]]]);
});
