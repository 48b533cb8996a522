import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fc } from "../../../test/seed.ts";
import { nameKey } from "./names.ts";

/** Every code point except surrogates: UTF-8, and so JSON on the wire, cannot carry them. */
function* characters(): Generator<string> {
  for (let point = 0; point <= 0x10ffff; point += 1) {
    if (point < 0xd800 || point > 0xdfff) yield String.fromCodePoint(point);
  }
}

const JOINERS = ["\u200c", "\u200d", "\ufe0f"];

describe("nameKey()", () => {
  test("ignores case, composition and joiners", () => {
    for (const [one, other] of [
      ["LOBBY", "lobby"],
      ["CAFE\u0301", "caf\u00e9"],
      ["\u212a", "k"],
      ["J\u030can", "\u01f0an"],
      ["H\u0331OME", "\u1e96ome"],
      ["\u0646\u0627\u0645\u0647\u200c\u0627\u06cc", "\u0646\u0627\u0645\u0647\u0627\u06cc"],
      ["\u2764\ufe0f", "\u2764"],
    ] as const) {
      assert.equal(nameKey(one), nameKey(other), `${one} ${other}`);
    }
    assert.notEqual(nameKey("a"), nameKey("b"));
    assert.notEqual(nameKey("m"), nameKey("rn"));
  });

  test("is idempotent and gives all forms of a name the same key, for every character", () => {
    for (const character of characters()) {
      const key = nameKey(character);
      const point = `U+${character.codePointAt(0)?.toString(16)}`;
      if (key !== nameKey(key)) assert.fail(`${point}: its key has another key`);
      if (key !== nameKey(character.normalize("NFD")) || key !== key.normalize("NFC"))
        assert.fail(`${point}: forms differ`);
      if (key !== nameKey(character.toLowerCase())) assert.fail(`${point}: cases differ`);
    }
  });

  test("gives one key to every letter with every mark it composes with, in every case", () => {
    const marks = new Set<string>();
    for (const character of characters()) {
      const [, ...parts] = character.normalize("NFD");
      for (const part of parts) marks.add(part);
    }
    assert.ok(marks.size > 50, String(marks.size));
    for (const letter of characters()) {
      if (letter.toLowerCase() === letter) continue;
      for (const mark of marks) {
        const name = `x${letter}${mark}y`;
        const key = nameKey(name);
        const forms = [key, name.normalize("NFC"), name.normalize("NFD"), name.toLowerCase()];
        for (const form of forms) if (nameKey(form) !== key) assert.fail(`${name}: ${form} has another key`);
      }
    }
  });

  test("is idempotent for random text", () => {
    const part = fc.oneof(
      fc.string({ unit: "binary", maxLength: 4 }),
      fc.stringMatching(/^[\p{Lu}\p{Lt}]\p{M}{0,3}$/u),
      fc.constantFrom(...JOINERS, "\u03a3", "\u0130", "\u1100", "\u1161", "\u11a8"),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 200 }), (parts) => {
        const key = nameKey(parts.join(""));
        assert.equal(nameKey(key), key);
      }),
    );
  });

  test("gives the same key with and without joiners", () => {
    const unit = fc.oneof(fc.string({ unit: "grapheme", maxLength: 3 }), fc.constantFrom(...JOINERS));
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 20 }), (parts) => {
        const plain = parts.join("").replace(/\u200c|\u200d|\ufe0f/g, "");
        assert.equal(nameKey(parts.join("")), nameKey(plain));
      }),
    );
  });

  test("returns a text longer than any name unchanged", () => {
    for (const part of ["A", "e\u0301", "\u0301\u0327", "\u200d"]) {
      const text = part.repeat(32_768);
      assert.equal(nameKey(text), text);
    }
  });
});
