import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WholeCharacters } from "./whole-characters.ts";

describe("WholeCharacters", () => {
  test("never cuts a character, wherever the chunks are cut", () => {
    const bytes = Buffer.from("aé日👋z");
    for (let at = 0; at <= bytes.length; at += 1) {
      const characters = new WholeCharacters();
      const pieces = [characters.take(bytes.subarray(0, at)), characters.take(bytes.subarray(at))];
      assert.deepEqual(Buffer.concat(pieces), bytes);
      assert.equal(characters.rest().length, 0);
      for (const piece of pieces) new TextDecoder("utf-8", { fatal: true }).decode(piece);
    }
  });

  test("goes on byte by byte", () => {
    const characters = new WholeCharacters();
    const lengths = Array.from(Buffer.from("é👋"), (byte) => characters.take(Uint8Array.of(byte)).length);
    assert.deepEqual(lengths, [0, 2, 0, 0, 0, 4]);
  });

  test("passes bytes that are no UTF-8", () => {
    for (const bytes of [[0xff, 0xfe], [0x80, 0x80, 0x80, 0x80], [0xf5], [0x61, 0x80]]) {
      const characters = new WholeCharacters();
      assert.deepEqual([...characters.take(Uint8Array.from(bytes)), ...characters.rest()], bytes);
      assert.equal(characters.rest().length, 0, String(bytes));
    }
  });

  test("holds three bytes at most", () => {
    const characters = new WholeCharacters();
    assert.equal(characters.take(Uint8Array.of(0xf0, 0x9f, 0x91)).length, 0);
    assert.deepEqual([...characters.rest()], [0xf0, 0x9f, 0x91]);
    assert.equal(characters.take(Uint8Array.of(0x61)).length, 4);
  });
});
