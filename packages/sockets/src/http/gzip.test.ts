import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { brotliCompressSync, crc32, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { SocketError } from "../errors.ts";
import { serve } from "../tcp/serve.ts";
import { type ContentCoding, DecompressedBody } from "./decompressed-body.ts";
import { get } from "./get.ts";

const TEXT = "hello, hello, hello, hello";

/** The decompressed text, or the code of the error. */
async function undo(coding: ContentCoding, chunks: readonly Uint8Array[]): Promise<string> {
  const rest = [...chunks];
  const compressed = { read: async () => rest.shift() ?? null, close: () => undefined };
  const body = new DecompressedBody(compressed, [coding], 1_000_000);
  const parts: Uint8Array[] = [];
  try {
    for (let chunk = await body.read(); chunk !== null; chunk = await body.read()) parts.push(chunk);
  } catch (error) {
    assert.ok(error instanceof SocketError, String(error));
    return error.code;
  }
  return Buffer.concat(parts).toString();
}

/** Decompresses the bytes whole, byte by byte, and split in two at every place; all must agree. */
async function undoHoweverCut(coding: ContentCoding, bytes: Buffer): Promise<string> {
  const whole = await undo(coding, [bytes]);
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assert.equal(await undo(coding, single), whole, "byte by byte");
  for (let at = 1; at < bytes.length; at += 1) {
    assert.equal(await undo(coding, [bytes.subarray(0, at), bytes.subarray(at)]), whole, `cut at ${at}`);
  }
  return whole;
}

/** A gzip member with this header: RFC 1952. */
function member(text: string, flags = 0, fields = Buffer.alloc(0)): Buffer {
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(text), 0);
  trailer.writeUInt32LE(text.length, 4);
  const header = Buffer.from([0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 255]);
  return Buffer.concat([header, fields, deflateRawSync(text), trailer]);
}

const CODINGS: readonly (readonly [name: string, coding: ContentCoding, bytes: Buffer])[] = [
  ["gzip", "gzip", gzipSync(TEXT)],
  ["deflate", "deflate", deflateSync(TEXT)],
  ["deflate without a header", "deflate", deflateRawSync(TEXT)],
  ["br", "br", brotliCompressSync(TEXT)],
];

const BEHIND: readonly (readonly [name: string, bytes: Buffer])[] = [
  ["a zero", Buffer.alloc(1)],
  ["zeros", Buffer.alloc(512)],
  ["a line feed", Buffer.from("\n")],
  ["text", Buffer.from("<!-- served by -->")],
  ["zeros and text", Buffer.from("\0\0text")],
  ["the first byte of gzip", Buffer.from([0x1f])],
  ["the first two bytes of gzip", Buffer.from([0x1f, 0x8b])],
  ["gzip of another method", Buffer.from([0x1f, 0x8b, 7, 0, 0, 0, 0, 0, 0, 0])],
  ["much", Buffer.alloc(200_000, "x")],
];

describe("bytes after compressed data", { timeout: 300_000 }, () => {
  for (const [coding, name, bytes] of CODINGS) {
    for (const [what, behind] of BEHIND) {
      test(`do not affect ${coding} data followed by ${what}`, async () => {
        const all = Buffer.concat([bytes, behind]);
        if (behind.length < 1_000) assert.equal(await undoHoweverCut(name, all), TEXT);
        assert.equal(await undo(name, [all]), TEXT);
        assert.equal(await undo(name, [bytes, behind]), TEXT);
      });
    }
  }

  test("do not affect get()", async () => {
    const bytes = Buffer.concat([gzipSync(TEXT), Buffer.from("\r\n")]);
    await using server = await serve({ host: "127.0.0.1" }, async (connection) => {
      await connection.readUntil("\r\n\r\n");
      await connection.write([
        `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${bytes.length}\r\n\r\n`,
        bytes,
      ]);
    });
    const response = await get(`http://127.0.0.1:${server.address.port}/`);
    assert.equal(await response.text(), TEXT);
  });
});

describe("gzip", { timeout: 300_000 }, () => {
  test("may have several members, empty ones included, and bytes after them", async () => {
    const members = Buffer.concat([member("a"), member(""), member("b"), gzipSync("c")]);
    assert.equal(await undoHoweverCut("gzip", members), "abc");
    assert.equal(await undoHoweverCut("gzip", Buffer.concat([members, Buffer.from("\0junk")])), "abc");
  });

  test("may have a name, comment and other fields in its header", async () => {
    const extra = Buffer.from([5, 0, 1, 2, 0, 0, 5]);
    const name = Buffer.from("name.txt\0");
    const comment = Buffer.from("a comment\0");
    const checksum = Buffer.from([1, 2]);
    const headers: [number, Buffer[]][] = [
      [1, []],
      [2, [checksum]],
      [4, [extra]],
      [8, [name]],
      [16, [comment]],
      [4 + 8 + 16 + 2, [extra, name, comment, checksum]],
    ];
    for (const [flags, fields] of headers) {
      const bytes = member(TEXT, flags, Buffer.concat(fields));
      assert.equal(await undoHoweverCut("gzip", bytes), TEXT, `flags ${flags}`);
      for (let at = 1; at < bytes.length; at += 1) {
        assert.equal(await undo("gzip", [bytes.subarray(0, at)]), "end-of-stream", `flags ${flags}, cut off at ${at}`);
      }
    }
    assert.equal(await undo("gzip", [member(TEXT, 8, Buffer.from(`${"x".repeat(500_000)}\0`))]), TEXT);
  });

  test("is rejected or unchanged when any bit of data or checksum flips, in each member", async () => {
    const [first, second] = [member(TEXT), member("more")];
    for (const [before, bytes, behind] of [
      [Buffer.alloc(0), first, second],
      [first, second, Buffer.alloc(0)],
    ] as const) {
      for (let bit = 10 * 8; bit < bytes.length * 8; bit += 1) {
        const damaged = Buffer.from(bytes);
        damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const outcome = await undo("gzip", [before, damaged, behind]);
        // Different compressed bytes can encode the same text.
        assert.ok(["malformed", "end-of-stream", `${TEXT}more`].includes(outcome), `bit ${bit}: ${outcome}`);
      }
    }
  });

  test("is rejected without its first bytes, and with reserved flags", async () => {
    for (const [at, byte] of [
      [0, 0x1e],
      [1, 0x8c],
      [2, 9],
      [3, 0x20],
      [3, 0x80],
    ] as const) {
      const bytes = member(TEXT);
      bytes[at] = byte;
      assert.equal(await undoHoweverCut("gzip", bytes), "malformed", `byte ${at}`);
    }
  });

  test("is rejected above 4,096 members", async () => {
    const most = Buffer.concat(Array.from({ length: 4_096 }, () => member("")));
    assert.equal(await undo("gzip", [most]), "");
    assert.equal(await undo("gzip", [most, Buffer.from("behind")]), "");
    assert.equal(await undo("gzip", [most, member("")]), "limit");
  });
});
