import assert from "node:assert/strict";
import { test } from "node:test";
import { isOneLine } from "./one-line.ts";

/** Every line ending of Unicode (UAX 14), Python and JavaScript. */
const LINE_ENDS = "\n\v\f\r\x1c\x1d\x1e\u0085\u2028\u2029";

test("isOneLine() refuses every line ending at any position", () => {
  for (const end of LINE_ENDS) {
    for (const text of [end, `a${end}`, `${end}b`, `a${end}b`])
      assert.equal(isOneLine(text), false, JSON.stringify(text));
  }
});

test("isOneLine() refuses exactly control characters, line and paragraph separators and lone surrogates", () => {
  for (let point = 0; point <= 0x10ffff; point += 1) {
    const isControl = point < 0x20 || (point >= 0x7f && point < 0xa0);
    const isSeparator = point === 0x2028 || point === 0x2029;
    const isHalf = point >= 0xd800 && point < 0xe000;
    const expected = !isControl && !isSeparator && !isHalf;
    if (isOneLine(`x${String.fromCodePoint(point)}`) !== expected) assert.fail(`U+${point.toString(16)}`);
  }
});

test("isOneLine() accepts an empty text and a long one", () => {
  assert.equal(isOneLine(""), true);
  assert.equal(isOneLine("plans for \u{1f600} Saturday ".repeat(4_000)), true);
});
