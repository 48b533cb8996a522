import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../../test/seed.ts";
import { splitLinks } from "./text-links.ts";

const link = (text: string) => ({ href: text, text });

test("splitLinks() takes brackets that belong to the address, and leaves those around it", () => {
  const cases: readonly (readonly [text: string, address: string])[] = [
    ["(https://x/y_(z))", "https://x/y_(z)"],
    [
      "https://en.wikipedia.org/wiki/Rust_(programming_language)",
      "https://en.wikipedia.org/wiki/Rust_(programming_language)",
    ],
    ["see (https://x.example/a).", "https://x.example/a"],
    ["[https://x.example/a[1]]", "https://x.example/a[1]"],
    ["<https://x.example/?a=b&c=d>", "https://x.example/?a=b&c=d"],
    ["«https://x.example/é»", "https://x.example/é"],
    ["is it https://x.example/a?", "https://x.example/a"],
    ["http://localhost:8083/#lobby, then", "http://localhost:8083/#lobby"],
    ["HTTPS://X.EXAMPLE/a", "HTTPS://X.EXAMPLE/a"],
  ];
  for (const [text, address] of cases) {
    assert.deepEqual(
      splitLinks(text)
        .filter((part) => typeof part !== "string")
        .map((part) => part.text),
      [address],
      text,
    );
  }
});

test("splitLinks() links nothing but http and https", () => {
  for (const text of [
    "javascript:alert(1)",
    "data:text/html,<b>x</b>",
    "mailto:ada@example.com",
    "ada@example.com",
    "//example.com/x",
    "ftp://example.com/x",
    "main.rs",
    "example.com",
    "vbscript:x",
  ]) {
    assert.deepEqual(splitLinks(text), [text]);
  }
  assert.deepEqual(splitLinks(""), []);
});

test("splitLinks() loses no character, and every link begins with http", () => {
  const text = fc.array(
    fc.constantFrom(
      "https://",
      "http://",
      "x.example",
      "/",
      "(",
      ")",
      "a",
      " ",
      "é",
      "javascript:",
      "\u202e",
      "%",
      "?",
      "#",
    ),
  );
  fc.assert(
    fc.property(text, (parts) => {
      const whole = parts.join("");
      const split = splitLinks(whole);
      assert.equal(split.map((part) => (typeof part === "string" ? part : part.text)).join(""), whole);
      for (const part of split) if (typeof part !== "string") assert.match(part.href, /^https?:\/\//);
    }),
  );
});

test("splitLinks() takes a text of 64 KiB of any shape", () => {
  for (const unit of ["https://", "(", "http://a.", "a.b", "https://x/(("]) {
    assert.equal(splitLinks(unit.repeat(65_536 / unit.length)).length > 0, true);
  }
  assert.deepEqual(splitLinks(`a ${link("https://x.example/").text} b`), ["a ", link("https://x.example/"), " b"]);
});
