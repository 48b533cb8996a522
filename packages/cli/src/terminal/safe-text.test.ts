import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SafeTextDecoder, safeLine, safeText } from "./safe-text.ts";

/** Controls, invisible characters, halves, separators; not line feed and tab, joiners, variation selectors. */
const OBEYED = /(?!\n|\t|\u200c|\u200d|\ufe0e|\ufe0f)[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

describe("safeText()", () => {
  const CASES: readonly (readonly [name: string, text: string, safe: string])[] = [
    ["plain text as it is", "Grüße, 日本 👩‍👩‍👧\t!\n", "Grüße, 日本 👩‍👩‍👧\t!\n"],
    ["an escape sequence", "\x1b[2J\x1b]0;title\x07", "␛[2J␛]0;title␇"],
    ["NUL, backspace and DEL", "a\0b\bc\x7f", "a␀b␈c␡"],
    ["a CR alone", "good\revil", "good␍evil"],
    ["CR LF as LF", "a\r\nb\r\n", "a\nb\n"],
    ["a C1 control", "\x9b2J\x85", "\\x9b2J\\x85"],
    ["a turned direction", "a\u202eb\u2066c\u200fd\u061ce", "a\\u202eb\\u2066c\\u200fd\\u061ce"],
    ["a line separator", "a\u2028b\u2029c", "a\\u2028b\\u2029c"],
    ["what cannot be seen", "a\u200bb\u{e0041}\u3164", "a\\u200bb\\u{e0041}\\u3164"],
    ["half a character", "a\ud800b", "a\\ud800b"],
    ["joiners and variation selectors as they are", "❤️ می‌خواهم", "❤️ می‌خواهم"],
  ];
  for (const [name, text, safe] of CASES) {
    test(`shows ${name}`, () => assert.equal(safeText(text), safe));
  }

  test("leaves no character that a terminal obeys", () => {
    for (let code = 0; code <= 0x10ffff; code += 1) {
      const safe = safeText(String.fromCodePoint(code));
      if (OBEYED.test(safe)) assert.fail(`U+${code.toString(16)} is shown as ${JSON.stringify(safe)}`);
    }
  });

  test("leaves safe text as it is", () => {
    for (const [, , safe] of CASES) assert.equal(safeText(safe), safe);
  });
});

test("safeLine() stays in its line", () => {
  assert.equal(safeLine("a\nb\r\n"), "a␊b␊");
});

describe("SafeTextDecoder", () => {
  test("gives the same text however the bytes are cut", () => {
    const bytes = Buffer.from("é\r\n日\r本\x1b[1m👋\r\n");
    const whole = "é\n日␍本␛[1m👋\n";
    for (let at = 0; at <= bytes.length; at += 1) {
      const decoder = new SafeTextDecoder();
      const text = decoder.decode(bytes.subarray(0, at)) + decoder.decode(bytes.subarray(at)) + decoder.end();
      assert.equal(text, whole, `cut at ${at}`);
    }
    const decoder = new SafeTextDecoder();
    const pieces = Array.from(bytes, (byte) => decoder.decode(Uint8Array.of(byte)));
    assert.equal(pieces.join("") + decoder.end(), whole);
  });

  test("shows what is not UTF-8, and a character that never ends", () => {
    const decoder = new SafeTextDecoder();
    assert.equal(decoder.decode(Uint8Array.of(0x61, 0xff, 0xe2, 0x82)) + decoder.end(), "a\ufffd\ufffd");
    assert.equal(decoder.decode(Buffer.from("b\r")) + decoder.end(), "b␍");
  });
});
