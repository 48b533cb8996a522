import assert from "node:assert/strict";
import { test } from "node:test";
import { HeadEnd } from "./head-end.ts";

/** Returns the ends of all heads in bytes that arrive in these parts. */
function endsIn(parts: readonly string[]): number[] {
  const headEnd = new HeadEnd();
  const ends: number[] = [];
  let before = 0;
  for (const part of parts) {
    let bytes = Buffer.from(part);
    for (let end = headEnd.find(bytes); end !== -1; end = headEnd.find(bytes)) {
      bytes = bytes.subarray(end);
      ends.push(before + Buffer.byteLength(part) - bytes.length);
    }
    before += Buffer.byteLength(part);
  }
  return ends;
}

test("HeadEnd finds the end of every head, split at any byte", () => {
  const cases: Readonly<Record<string, readonly number[]>> = {
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n": [27],
    "\r\n\r\nGET / HTTP/1.1\r\n\r\nGET": [22],
    "a\n\nb\r\n\nc\n\r\nd": [3, 7, 11],
    "\n\n\r\n": [],
    "a\r\n b\r\n\r\n\r\na\n\n": [9, 14],
  };
  for (const [text, ends] of Object.entries(cases)) {
    for (let cut = 0; cut <= text.length; cut += 1) {
      assert.deepEqual(endsIn([text.slice(0, cut), text.slice(cut)]), ends, JSON.stringify([text, cut]));
    }
    assert.deepEqual(endsIn([...text]), ends, `${JSON.stringify(text)} byte by byte`);
  }
});
