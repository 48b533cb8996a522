import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fc } from "../../../../test/seed.ts";
import { SNIFF_BYTES_MAX, type Speech, sniff } from "./sniff.ts";

const SAMPLES: readonly (readonly [string, Speech])[] = [
  ['{"type":"join","room":"lobby","username":"ada"}', "json"],
  [' {"type":"ping"}', "json"],
  ['\t\n{"type":"ping"}', "json"],
  ['[{"type":"ping"}]', "json"],
  ['"text"', "json"],
  ["\0\0\0\u000f{}", "json-prefixed"],
  ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http"],
  ["\r\nGET / HTTP/1.1\r\n", "http"],
  ["\r\n\r\n\nPOST /api HTTP/1.1\r\n", "http"],
  ["\r\rPOST / HTTP/1.1\r\n", "http"],
  ["OPTIONS * HTTP/1.1\r\n", "http"],
  ["CONNECT example.com:443 HTTP/1.1\r\n", "json"],
  ["GET http://127.0.0.1:8083/ HTTP/1.1\r\n", "http"],
  ["GET HTTPS://x HTTP/1.1\r\n", "http"],
  ["GET ftp://x HTTP/1.1\r\n", "json"],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http"],
  ["X-ODD!#$%&'*+.^_`|~9 / HTTP/1.1\r\n", "http"],
  ["true, false", "json"],
  ["NICK ada\r\n", "json"],
  ["GET  / HTTP/1.1\r\n", "json"],
  ["hello there, how are you", "json"],
  ["\x16\x03\x01\x02\0", "json"],
  ["é", "json"],
];

describe("sniff()", () => {
  for (const [text, speech] of SAMPLES) {
    test(`detects ${JSON.stringify(text)} as ${speech}, and no prefix of it as anything else`, () => {
      const bytes = Buffer.from(text, "latin1");
      assert.equal(sniff(bytes), speech);
      let decided: Speech | undefined;
      for (let end = 0; end <= bytes.length; end += 1) {
        const judged = sniff(bytes.subarray(0, end));
        if (decided !== undefined) assert.equal(judged, decided, `the result changed at ${end}`);
        decided = judged;
      }
    });
  }

  test("returns undefined without bytes", () => {
    assert.equal(sniff(new Uint8Array(0)), undefined);
  });

  test("detects HTTP at the first byte of its target, and JSON at its first byte", () => {
    assert.equal(sniff(Buffer.from("GET ")), undefined);
    assert.equal(sniff(Buffer.from("GET /")), "http");
    assert.equal(sniff(Buffer.from("GET ht")), undefined);
    assert.equal(sniff(Buffer.from("GET http://")), "http");
    assert.equal(sniff(Buffer.from("{")), "json");
  });

  test("decides after 1,024 bytes, and reads no more", () => {
    for (const text of ["a", "\r\n"]) {
      const long = Buffer.alloc(SNIFF_BYTES_MAX, text);
      assert.equal(sniff(long.subarray(0, SNIFF_BYTES_MAX - 1)), undefined, text);
      assert.equal(sniff(long), "json", text);
    }
    const late = Buffer.concat([Buffer.alloc(SNIFF_BYTES_MAX, "a"), Buffer.from(" / HTTP/1.1\r\n")]);
    assert.equal(sniff(late), "json");
  });

  test("reads a view into a larger buffer", () => {
    const shared = Buffer.from("{{{{GET / HTTP/1.1");
    assert.equal(sniff(shared.subarray(4)), "http");
  });

  test("never changes its result as more bytes arrive", () => {
    const byte = fc.oneof(fc.constantFrom(...Buffer.from("GET /h:.\r\n {\0")), fc.nat(255));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 40 }), (values) => {
        const bytes = Uint8Array.from(values);
        let decided: Speech | undefined;
        for (let end = 0; end <= bytes.length; end += 1) {
          const judged = sniff(bytes.subarray(0, end));
          if (decided !== undefined) assert.equal(judged, decided);
          decided = judged;
        }
      }),
    );
  });
});
