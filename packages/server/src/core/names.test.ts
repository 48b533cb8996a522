import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nameKey } from "@landline/protocol";
import { fc } from "../../../../test/seed.ts";
import { type Name, roomName, userName, utf8Length } from "./names.ts";
import type { Refusal } from "./refusal.ts";

describe("userName()", () => {
  test("accepts 1 to 32 characters", () => {
    assertTaken(userName("a"));
    assertTaken(userName("a".repeat(32)));
    assertRefused(userName(""), "name-invalid");
    assertRefused(userName("a".repeat(33)), "name-invalid");
  });

  test("counts characters, not UTF-16 units, and accepts at most 64 bytes", () => {
    assertTaken(userName("😀".repeat(16)));
    assertRefused(userName("😀".repeat(17)), "name-invalid");
    assertTaken(userName("é".repeat(32)));
    assertRefused(userName("é".repeat(33)), "name-invalid");
    assertTaken(userName(`${"語".repeat(21)}a`));
    assertRefused(userName(`${"語".repeat(21)}aa`), "name-invalid");
  });

  test("refuses , ! @ : * ? anywhere and # & $ % + ~ at the start", () => {
    for (const mark of ",!@:*?") {
      for (const text of [mark, `${mark}a`, `a${mark}`, `a${mark}b`]) assertRefused(userName(text), "name-invalid");
    }
    for (const mark of "#&$%+~") {
      assertRefused(userName(`${mark}a`), "name-invalid");
      assertTaken(userName(`a${mark}`));
    }
  });

  test("accepts every visible letter, mark, digit, punctuation and symbol, and nothing else", () => {
    const blanks = new Set("\u2800\u2d7f\ufffc\ufffd\u{1107f}\u{13440}\u{13441}\u{13442}\u{16fe4}\u{1bc9d}\u{1d159}");
    for (let point = 0; point <= 0x10ffff; point += 1) {
      const character = String.fromCodePoint(point);
      const isVisible =
        /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(character) &&
        !/\p{Default_Ignorable_Code_Point}/u.test(character) &&
        !blanks.has(character);
      if (",!@:*?".includes(character)) continue;
      const isTaken = !("type" in userName(`a${character}b`));
      if (isTaken !== isVisible) assert.fail(`U+${point.toString(16)} is ${isTaken ? "taken" : "refused"}`);
    }
  });
});

describe("roomName()", () => {
  test("accepts 1 to 64 characters and at most 128 bytes", () => {
    assertTaken(roomName("a".repeat(64)));
    assertRefused(roomName(""), "room-invalid");
    assertRefused(roomName("a".repeat(65)), "room-invalid");
    assertTaken(roomName("é".repeat(64)));
    assertTaken(roomName("😀".repeat(32)));
    assertRefused(roomName("😀".repeat(33)), "room-invalid");
    assertRefused(roomName(`${"é".repeat(63)}語`), "room-invalid");
  });

  test("refuses a comma anywhere and # at the start", () => {
    assertRefused(roomName("a,b"), "room-invalid");
    assertRefused(roomName("#lobby"), "room-invalid");
    assertTaken(roomName("lobby#1"));
    assertTaken(roomName("a!b@c:d*e?"));
  });
});

for (const [check, code] of [
  [userName, "name-invalid"],
  [roomName, "room-invalid"],
] as const) {
  describe(`${check.name}() as any name`, () => {
    const forbidden: Readonly<Record<string, readonly number[]>> = {
      control: [0x00, 0x07, 0x09, 0x0a, 0x0d, 0x1b, 0x7f, 0x85, 0x9b],
      "white space": [0x20, 0xa0, 0x1680, 0x2003, 0x2028, 0x2029, 0x202f, 0x3000],
      bidi: [0x061c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2069],
      "zero-width": [0x00ad, 0x200b, 0x200c, 0x200d, 0x2060, 0xfeff, 0xfe0f, 0xe0001, 0xe0067, 0x16fe4, 0x1107f],
      format: [0x0600, 0x06dd, 0xfff9, 0xfffa, 0xfffb, 0x13430, 0x1343f, 0x1d173],
      blank: [0x115f, 0x1160, 0x2800, 0x3164, 0xffa0, 0xfffc, 0x13440, 0x13441, 0x13442, 0x1bc9d, 0x1d159],
      "private-use": [0xe000, 0xf8ff, 0xf0000, 0x10fffd],
      unassigned: [0x0378, 0x2fe0, 0xe0080, 0x50000],
      noncharacter: [0xfdd0, 0xfdef, 0xfffe, 0xffff, 0x1fffe, 0x10ffff],
      "half a surrogate": [0xd800, 0xdbff, 0xdc00, 0xdfff],
      replacement: [0xfffd],
    };
    for (const [kind, points] of Object.entries(forbidden)) {
      test(`refuses ${kind} characters at the start, inside and at the end`, () => {
        for (const point of points) {
          const mark = String.fromCodePoint(point);
          for (const text of [mark, `${mark}a`, `a${mark}b`, `a${mark}`]) assertRefused(check(text), code);
        }
      });
    }

    test("refuses a combining mark alone and at the start", () => {
      for (const mark of ["\u0301", "\u20e3", "\u0903", "\u0e31", "\u{1d165}"]) {
        assertRefused(check(mark), code);
        assertRefused(check(`${mark}a`), code);
        assertTaken(check(`a${mark}`));
      }
    });

    test("accepts every emoji, alone and between letters, unless it contains a forbidden character", () => {
      for (const emoji of everyEmoji()) {
        if (/^[#*]/.test(emoji)) continue;
        assert.deepEqual(check(emoji), { text: emoji, key: nameKey(emoji) });
        assertTaken(check(`a${emoji}b`));
        if (utf8Length(emoji) <= 32) assertTaken(check(`${emoji}${emoji}`));
      }
    });

    test("refuses joiners and selectors outside complete emoji", () => {
      for (const text of [
        "\u{1f469}\u200d",
        "\u200d\u{1f469}",
        "\u{1f469}\u200da",
        "\u{1f469}\u200d\u{1f469}",
        "\u{1f469}\u200d\u200d\u{1f467}",
        "\u{1f469}\u200c\u200d\u{1f467}",
        "\u2764\ufe0f\ufe0f",
        "\u2764\ufe0e",
        "a\ufe0f",
        "1\ufe0f",
        "\u{1f3f4}\u{e0067}",
        "\u{1f3f4}\u{e0075}\u{e0073}\u{e0074}\u{e0078}\u{e007f}",
      ]) {
        assertRefused(check(text), code);
      }
    });

    test("accepts joiners where IDNA does (RFC 5892, appendices A.1 and A.2)", () => {
      const taken = [
        ["Persian", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"],
        ["Persian, over marks", "\u0645\u06cc\u064e\u200c\u0651\u062e\u0648"],
        ["Sinhala", "\u0dc1\u0dca\u200d\u0dbb\u0dd3"],
        ["Devanagari, both", "\u0915\u094d\u200d\u0937\u0915\u094d\u200c\u0937"],
        ["Malayalam", "\u0d28\u0d4d\u200d"],
        ["Mongolian", "\u182a\u200c\u182a"],
        ["Adlam, over its own mark", "\u{1e922}\u{1e94b}\u200c\u{1e922}"],
      ];
      for (const [language, text = ""] of taken) {
        const name = check(text);
        assert.ok(!("type" in name), language);
        assert.equal(name.text, text);
        assert.equal(name.key, nameKey(text.replace(/\u200c|\u200d/g, "")));
      }
      const refused = [
        ["between Latin letters", "a\u200cb"],
        ["ZWJ between Arabic letters", "\u0645\u06cc\u200d\u062e"],
        ["after a letter that joins nothing after it", "\u0627\u200c\u0628"],
        ["before one that joins nothing before it", "\u0628\u200c\u0621"],
        ["at the end", "\u0628\u200c"],
        ["in front", "\u200c\u0628"],
        ["twice", "\u0628\u200c\u200c\u0628"],
        ["after a vowel sign", "\u0915\u0940\u200d\u0937"],
        ["before another writing", "\u0628\u200cb"],
      ];
      for (const [where, text = ""] of refused) assert.ok("type" in check(text), where);
    });

    test("composes the name and compares it in lower case", () => {
      assert.deepEqual(check("E\u0301mile"), { text: "Émile", key: "émile" });
      assert.deepEqual(check("Émile"), check("E\u0301mile"));
      assert.deepEqual(check("\u212a"), { text: "K", key: "k" });
      assert.deepEqual(check("ÀÉ"), { text: "ÀÉ", key: "àé" });
      // The name is composed before its characters are counted.
      assertTaken(check("e\u0301".repeat(32)));
    });

    test("accepts __proto__ and the like", () => {
      for (const text of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
        assert.deepEqual(check(text), { text, key: text.toLowerCase() });
      }
    });

    test("judges long and ambiguous input at once", () => {
      assertRefused(check("\u0301".repeat(16_000) + "\u0327".repeat(16_000)), code);
      assertRefused(check("a".repeat(65_536)), code);
      // Flags pair up from either side, and joiners look back over all marks: both invite backtracking.
      assertRefused(check(`${"\u{1f1e6}\u{1f1e8}".repeat(7)}\u200d`), code);
      assertRefused(check(`\u0628${"\u064e".repeat(28)}\u200c`), code);
    });

    test("accepts or refuses any text, and gives the key of the accepted text", () => {
      fc.assert(
        fc.property(fc.string({ unit: "binary", maxLength: 70 }), (text) => {
          const name = check(text);
          if ("type" in name) return assert.equal(name.code, code);
          assert.equal(nameKey(name.text), name.key);
          assert.equal(name.text, text.normalize("NFC"));
          assert.doesNotMatch(name.text, /[\p{Cc}\p{Zs}\p{Bidi_Control}]/u);
        }),
      );
    });
  });
}

test("utf8Length() equals Buffer.byteLength()", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => utf8Length(text) === Buffer.byteLength(text)));
  for (const text of ["", "\ud800", "\udc00", "a\ud800", "\ud800\ud800\udc00", "\udc00\ud800", "é", "語", "😀"]) {
    assert.equal(utf8Length(text), Buffer.byteLength(text), JSON.stringify(text));
  }
});

/** Every emoji of Node's Unicode version: single ones, keycaps, skin tones, flags. */
function* everyEmoji(): Generator<string> {
  const all = /^\p{RGI_Emoji}$/v;
  const single: string[] = [];
  for (let point = 0; point <= 0x10ffff; point += 1) {
    const character = String.fromCodePoint(point);
    if (/^\p{Emoji}$/u.test(character)) single.push(character);
  }
  for (const one of single) {
    for (const text of [one, `${one}\ufe0f`, `${one}\ufe0f\u20e3`, `${one}\u{1f3fd}`]) if (all.test(text)) yield text;
  }
  const regional = single.filter((character) => /\p{Regional_Indicator}/u.test(character));
  for (const first of regional) for (const second of regional) if (all.test(first + second)) yield first + second;
  // Of sequences with joiners, one of each kind.
  yield* ["👨‍👩‍👧‍👦", "👩🏻‍❤️‍💋‍👩🏻", "🧑🏽‍🚀", "🤽🏿‍♀️", "👩‍🦰", "❤️‍🔥", "🏳️‍🌈", "🏴‍☠️", "🐻‍❄️", "👁️‍🗨️", "⛓️‍💥"];
  for (const tags of ["gbeng", "gbsct", "gbwls"]) {
    yield `\u{1f3f4}${Array.from(tags, (tag) => String.fromCodePoint(0xe0000 + tag.charCodeAt(0))).join("")}\u{e007f}`;
  }
}

function assertTaken(name: Name | Refusal): void {
  assert.ok(!("type" in name), JSON.stringify(name));
}

function assertRefused(name: Name | Refusal, code: string): void {
  assert.ok("type" in name, JSON.stringify(name));
  assert.equal(name.code, code);
}
