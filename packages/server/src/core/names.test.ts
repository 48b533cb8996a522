import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nameKey } from "@landline/protocol";
import { fc } from "../../../../test/seed.ts";
import { type Name, personName, roomName, utf8Length } from "./names.ts";
import type { Refusal } from "./refusal.ts";

describe("personName()", () => {
  test("takes 1 to 32 characters", () => {
    assertTaken(personName("a"));
    assertTaken(personName("a".repeat(32)));
    assertRefused(personName(""), "name-invalid");
    assertRefused(personName("a".repeat(33)), "name-invalid");
  });

  test("counts characters, not UTF-16 units, and at most 64 bytes", () => {
    assertTaken(personName("😀".repeat(16)));
    assertRefused(personName("😀".repeat(17)), "name-invalid");
    assertTaken(personName("é".repeat(32)));
    assertRefused(personName("é".repeat(33)), "name-invalid");
    assertTaken(personName(`${"語".repeat(21)}a`));
    assertRefused(personName(`${"語".repeat(21)}aa`), "name-invalid");
  });

  test("refuses , ! @ : * ? anywhere and # & $ % + ~ in front", () => {
    for (const mark of ",!@:*?") {
      for (const text of [mark, `${mark}a`, `a${mark}`, `a${mark}b`]) assertRefused(personName(text), "name-invalid");
    }
    for (const mark of "#&$%+~") {
      assertRefused(personName(`${mark}a`), "name-invalid");
      assertTaken(personName(`a${mark}`));
    }
  });
});

describe("roomName()", () => {
  test("takes 1 to 64 characters and at most 128 bytes", () => {
    assertTaken(roomName("a".repeat(64)));
    assertRefused(roomName(""), "room-invalid");
    assertRefused(roomName("a".repeat(65)), "room-invalid");
    assertTaken(roomName("é".repeat(64)));
    assertTaken(roomName("😀".repeat(32)));
    assertRefused(roomName("😀".repeat(33)), "room-invalid");
    assertRefused(roomName(`${"é".repeat(63)}語`), "room-invalid");
  });

  test("refuses a comma, and # in front", () => {
    assertRefused(roomName("a,b"), "room-invalid");
    assertRefused(roomName("#lobby"), "room-invalid");
    assertTaken(roomName("lobby#1"));
    assertTaken(roomName("a!b@c:d*e?"));
  });
});

for (const [check, code] of [
  [personName, "name-invalid"],
  [roomName, "room-invalid"],
] as const) {
  describe(`${check.name}() as any name`, () => {
    const forbidden: Readonly<Record<string, readonly number[]>> = {
      control: [0x00, 0x07, 0x09, 0x0a, 0x0d, 0x1b, 0x7f, 0x85, 0x9b],
      "white space": [0x20, 0xa0, 0x1680, 0x2003, 0x2028, 0x2029, 0x202f, 0x3000],
      bidi: [0x061c, 0x200e, 0x200f, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2069],
      "zero-width": [0x00ad, 0x200b, 0x200c, 0x200d, 0x2060, 0xfeff, 0xfe0f, 0x3164, 0xffa0, 0xe0001],
      "half a surrogate": [0xd800, 0xdbff, 0xdc00, 0xdfff],
    };
    for (const [kind, points] of Object.entries(forbidden)) {
      test(`refuses ${kind} characters, in front, inside and at the end`, () => {
        for (const point of points) {
          const mark = String.fromCodePoint(point);
          for (const text of [mark, `${mark}a`, `a${mark}b`, `a${mark}`]) assertRefused(check(text), code);
        }
      });
    }

    test("is composed, and compared in lower case", () => {
      assert.deepEqual(check("E\u0301mile"), { text: "Émile", key: "émile" });
      assert.deepEqual(check("Émile"), check("E\u0301mile"));
      assert.deepEqual(check("\u212a"), { text: "K", key: "k" });
      assert.deepEqual(check("ÀÉ"), { text: "ÀÉ", key: "àé" });
      // Composing comes before counting.
      assertTaken(check("e\u0301".repeat(32)));
    });

    test("can be __proto__ and its like", () => {
      for (const text of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
        assert.deepEqual(check(text), { text, key: text.toLowerCase() });
      }
    });

    test("is not composed when it is much too long: that takes quadratic time", (context) => {
      const composed = context.mock.method(String.prototype, "normalize");
      assertRefused(check("\u0301".repeat(16_000) + "\u0327".repeat(16_000)), code);
      assertRefused(check("a".repeat(65_536)), code);
      assert.equal(composed.mock.callCount(), 0);
    });

    test("is taken or refused, never anything else, and its key is its text's", () => {
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

test("utf8Length() counts as Buffer.byteLength() does", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => utf8Length(text) === Buffer.byteLength(text)));
  for (const text of ["", "\ud800", "\udc00", "a\ud800", "\ud800\ud800\udc00", "\udc00\ud800", "é", "語", "😀"]) {
    assert.equal(utf8Length(text), Buffer.byteLength(text), JSON.stringify(text));
  }
});

function assertTaken(name: Name | Refusal): void {
  assert.ok(!("type" in name), JSON.stringify(name));
}

function assertRefused(name: Name | Refusal, code: string): void {
  assert.ok("type" in name, JSON.stringify(name));
  assert.equal(name.code, code);
}
