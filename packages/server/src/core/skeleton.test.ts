import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fc } from "../../../../test/seed.ts";
import { userName } from "./names.ts";
import { skeletonOf } from "./skeleton.ts";
import { UNICODE_VERSION } from "./unicode-tables.ts";

/** Pairs of an ASCII letter or digit and one of its look-alikes in Unicode. */
const LOOK_ALIKES = readFileSync(new URL("../../../../test/fixtures/look-alikes.txt", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .filter((line) => !line.startsWith("#"))
  .flatMap((line) => {
    const [target = "", sources = ""] = line.split(":");
    const character = (point: string) => String.fromCodePoint(Number.parseInt(point, 16));
    return sources.split(",").map((source) => [character(target), character(source)] as const);
  });

test("the tables have the same Unicode version as Node", (context) => {
  // Characters newer than the tables have no look-alikes in them.
  if (!process.versions.node.startsWith("24.")) return context.skip("the tables are made for Node 24");
  assert.equal(process.versions.unicode, UNICODE_VERSION, "regenerate the tables: see CONTRIBUTING.md");
});

describe("skeletonOf()", () => {
  test("is the same for every look-alike of an ASCII letter or digit, in any case", () => {
    assert.ok(LOOK_ALIKES.length > 1_400, String(LOOK_ALIKES.length));
    let names = 0;
    for (const [character, other] of LOOK_ALIKES) {
      if (!("type" in userName(`x${other}`))) names += 1;
      for (const same of [character, character.toLowerCase(), character.toUpperCase()]) {
        assert.equal(skeletonOf(`x${other}y`), skeletonOf(`x${same}y`), `${other} ${same}`);
      }
    }
    assert.ok(names > 1_400, String(names));
  });

  test("is the same for compatibility forms of ASCII: full-width, circled, raised, mathematical, ligatures", () => {
    for (const [one, other] of [
      ["\uff41\uff44\uff41", "ada"],
      ["\uff2d\uff41\uff58", "max"],
      ["\u24d0\u24d3\u24d0", "ADA"],
      ["ad\u1d43", "ada"],
      ["ada1\uff10", "ada10"],
      ["h\u2082o\u2080", "h2o0"],
      ["\ua7aeris", "iris"],
      ["\u{1e04c}ris", "iris"],
      ["\u{1d400}da", "ada"],
      ["o\ufb00ice", "office"],
      ["n\u00ba1", "no1"],
      ["\u212bsa", "\u00e5sa"],
    ] as const) {
      assert.equal(skeletonOf(one), skeletonOf(other), `${one} ${other}`);
    }
  });

  test("ignores case and invisible characters", () => {
    for (const [one, other] of [
      ["IRIS", "iris"],
      ["\u0456ris", "Iris"],
      ["\u04c0ris", "iris"],
      ["\u041d\u041e\u041c\u0415", "home"],
      ["a\u034fda", "ada"],
      ["\u2764\ufe0f", "\u2764"],
    ] as const) {
      assert.equal(skeletonOf(one), skeletonOf(other), `${one} ${other}`);
    }
    for (let code = 0; code < 0x80; code += 1) {
      const character = String.fromCharCode(code);
      assert.equal(skeletonOf(character), skeletonOf(character.toUpperCase()), character);
    }
  });

  test("differs for names that can be told apart", () => {
    for (const [one, other] of [
      ["ada", "adb"],
      ["ada", "\u00e1da"],
      ["\u00e9van", "\u00e9nan"],
      ["\u0440\u043e\u0441\u0442", "poct"],
      ["\u0412\u0438\u043a\u0430", "Bika"],
      ["\u041e\u043b\u044f", "ola"],
      ["\u5c71", "\u5ddd"],
      ["\u{1f600}", "\u{1f601}"],
    ] as const) {
      assert.notEqual(skeletonOf(one), skeletonOf(other), `${one} ${other}`);
    }
  });

  test("is its own skeleton, for every character and any name", () => {
    const isOwn = (text: string): boolean => skeletonOf(skeletonOf(text)) === skeletonOf(text);
    for (let point = 0; point <= 0x10ffff; point += 1) {
      if (point >= 0xd800 && point <= 0xdfff) continue;
      const character = String.fromCodePoint(point);
      if (!isOwn(character)) assert.fail(`U+${point.toString(16)}: ${skeletonOf(character)}`);
    }
    const part = fc.oneof(
      fc.string({ unit: "binary", maxLength: 4 }),
      fc.stringMatching(/^[\p{L}\p{N}]\p{Mn}{0,3}$/u),
      fc.constantFrom("\u0307", "\u0328", "\u0237", "\u03a3", "\uff10"),
    );
    fc.assert(fc.property(fc.array(part, { maxLength: 12 }), (parts) => isOwn(parts.join(""))));
  });

  test("ignores a dot above letters that have a dot already, or had it taken away", () => {
    for (const [one, other] of [
      ["i\u0307ris", "iris"],
      ["I\u0307ris", "Iris"],
      ["\u0131\u0307ris", "iris"],
      ["\u0456\u0307ris", "iris"],
      ["l\u0307ris", "iris"],
      ["j\u0307an", "jan"],
      ["\u0237\u0307an", "jan"],
      ["\u0237an", "jan"],
      ["\u012f\u0307a", "\u012fa"],
      ["i\u0323\u0307a", "\u1ecba"],
    ] as const) {
      assert.equal(skeletonOf(one), skeletonOf(other), `${one} ${other}`);
      assert.equal(skeletonOf(one.normalize("NFC")), skeletonOf(other), `${one} ${other}`);
    }
    assert.notEqual(skeletonOf("a\u0307"), skeletonOf("a"));
    assert.notEqual(skeletonOf("z\u0307"), skeletonOf("z"));
  });

  test("maps every character to at most 36 units", () => {
    for (let point = 0; point <= 0x10ffff; point += 1) {
      const skeleton = skeletonOf(String.fromCodePoint(point));
      if (skeleton.length > 36) assert.fail(`U+${point.toString(16)} has a skeleton of ${skeleton.length} units`);
    }
  });
});
