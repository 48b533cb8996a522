import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { brotliCompressSync, createGzip, deflateRawSync, deflateSync, gzipSync, constants as zlib } from "node:zlib";
import { fc } from "../../../../test/seed.ts";
import { SocketError } from "../errors.ts";
import { serve } from "../tcp/serve.ts";
import type { Server } from "../tcp/server.ts";
import type { BodyReader } from "./body-reader.ts";
import { type ContentCoding, contentCodings, DecompressedBody } from "./decompressed-body.ts";
import { get } from "./get.ts";

/** A body that arrives in these chunks. */
class Chunks implements BodyReader {
  readonly #chunks: Uint8Array[];
  reads = 0;
  isClosed = false;

  constructor(chunks: readonly Uint8Array[]) {
    this.#chunks = [...chunks];
  }

  async read(): Promise<Uint8Array | null> {
    this.reads += 1;
    return this.#chunks.shift() ?? null;
  }

  close(): void {
    this.isClosed = true;
    this.#chunks.length = 0;
  }
}

interface Outcome {
  readonly text?: string;
  readonly code?: string;
}

async function readAll(body: BodyReader): Promise<Outcome> {
  const chunks: Uint8Array[] = [];
  try {
    for (let chunk = await body.read(); chunk !== null; chunk = await body.read()) chunks.push(chunk);
  } catch (error) {
    assert.ok(error instanceof SocketError, String(error));
    return { code: error.code };
  }
  return { text: Buffer.concat(chunks).toString("latin1") };
}

function undo(coding: ContentCoding | readonly ContentCoding[], chunks: readonly Uint8Array[], max = 1_000_000) {
  const codings = typeof coding === "string" ? [coding] : coding;
  return readAll(new DecompressedBody(new Chunks(chunks), codings, max));
}

const TEXT = "hello, hello, hello, hello";
const SAMPLES: readonly (readonly [name: string, coding: ContentCoding, bytes: Buffer])[] = [
  ["gzip", "gzip", gzipSync(TEXT)],
  ["deflate in zlib's format", "deflate", deflateSync(TEXT)],
  ["deflate without a header", "deflate", deflateRawSync(TEXT)],
  ["deflate without a header, stored", "deflate", deflateRawSync(TEXT, { level: 0 })],
  ["br", "br", brotliCompressSync(TEXT)],
];

async function serveBody(fields: string, body: Uint8Array): Promise<{ server: Server; url: string; heads: string[] }> {
  const heads: string[] = [];
  const server = await serve({}, async (connection) => {
    heads.push(Buffer.from(await connection.readUntil("\r\n\r\n")).toString());
    const length = /content-length/i.test(fields) ? "" : `Content-Length: ${body.length}\r\n`;
    await connection.write([`HTTP/1.1 200 OK\r\n${length}${fields}\r\n\r\n`, body]);
  });
  return { server, url: `http://localhost:${server.address.port}/`, heads };
}

describe("DecompressedBody", { timeout: 300_000 }, () => {
  for (const [name, coding, bytes] of SAMPLES) {
    test(`decompresses ${name} at every split`, async () => {
      assert.deepEqual(await undo(coding, [bytes]), { text: TEXT });
      const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
      assert.deepEqual(await undo(coding, single), { text: TEXT });
      for (let at = 0; at <= bytes.length; at += 1) {
        assert.deepEqual(await undo(coding, [bytes.subarray(0, at), bytes.subarray(at)]), { text: TEXT }, `${at}`);
      }
    });

    test(`rejects ${name} with end-of-stream when cut off at any byte`, async () => {
      for (let at = 1; at < bytes.length; at += 1) {
        assert.deepEqual(await undo(coding, [bytes.subarray(0, at)]), { code: "end-of-stream" }, `cut at ${at}`);
      }
    });
  }

  test("rejects data that is damaged or of another coding", async () => {
    const damaged = gzipSync(TEXT);
    damaged[damaged.length - 6] = (damaged.at(-6) ?? 0) ^ 1;
    assert.deepEqual(await undo("gzip", [damaged]), { code: "malformed" });
    for (const coding of ["gzip", "deflate", "br"] as const) {
      assert.deepEqual(await undo(coding, [Buffer.from("\xff not compressed at all", "latin1")]), {
        code: "malformed",
      });
    }
  });

  test("treats zero bytes as an empty body", async () => {
    for (const coding of ["gzip", "deflate", "br"] as const) assert.deepEqual(await undo(coding, []), { text: "" });
  });

  test("decompresses several codings, last one first, and several gzip members", async () => {
    assert.deepEqual(await undo(["gzip", "br"], [brotliCompressSync(gzipSync(TEXT))]), { text: TEXT });
    assert.deepEqual(await undo("gzip", [gzipSync("a"), gzipSync("b")]), { text: "ab" });
  });

  test("reads the bytes after the data to the end", async () => {
    for (const [name, coding, bytes] of SAMPLES) {
      const body = new Chunks([bytes, new Uint8Array(3), ...Array.from({ length: 20 }, () => new Uint8Array(100_000))]);
      assert.deepEqual(await readAll(new DecompressedBody(body, [coding], 1_000)), { text: TEXT }, name);
      assert.equal(body.reads, 23, name);
    }
  });

  test("rejects a bomb of every coding with limit, also in nested codings, and stops reading", async () => {
    const zeros = Buffer.alloc(20_000_000);
    const bombs: [readonly ContentCoding[], Buffer][] = [
      [["gzip"], gzipSync(zeros)],
      [["deflate"], deflateSync(zeros)],
      [["br"], brotliCompressSync(zeros, { params: { [zlib.BROTLI_PARAM_QUALITY]: 1 } })],
      [["gzip", "gzip"], gzipSync(gzipSync(zeros))],
    ];
    for (const [codings, bytes] of bombs) {
      const body = new Chunks([bytes, ...Array.from({ length: 1_000 }, () => bytes)]);
      assert.deepEqual(await readAll(new DecompressedBody(body, codings, 1_000_000)), { code: "limit" });
      assert.ok(body.isClosed);
      assert.ok(body.reads < 1_000, `${body.reads} reads`);
    }
  });

  test("accepts a body of bytesMax and rejects one byte more", async () => {
    for (const [, coding, bytes] of SAMPLES) {
      assert.deepEqual(await undo(coding, [bytes], TEXT.length), { text: TEXT });
      assert.deepEqual(await undo(coding, [bytes], TEXT.length - 1), { code: "limit" });
    }
  });

  test("rejects with the error of the compressed body", async () => {
    const reason = { not: "an Error" };
    const chunks = [gzipSync(TEXT).subarray(0, 20)];
    const body: BodyReader = { read: async () => chunks.shift() ?? Promise.reject(reason), close: () => undefined };
    await assert.rejects(
      async () => {
        for (const reader = new DecompressedBody(body, ["gzip"], 1_000); (await reader.read()) !== null; );
      },
      (error) => error === reason,
    );
  });

  test("gives the same result for random bytes at every split, and throws only SocketErrors", async () => {
    const piece = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(...SAMPLES.map(([, , bytes]) => bytes)));
    const coding = fc.constantFrom<ContentCoding>("gzip", "deflate", "br");
    await fc.assert(
      fc.asyncProperty(coding, fc.array(piece, { maxLength: 4 }), fc.nat(), async (name, pieces, cut) => {
        const bytes = Buffer.concat(pieces);
        const at = cut % (bytes.length + 1);
        const whole = await undo(name, [bytes]);
        assert.deepEqual(await undo(name, [bytes.subarray(0, at), bytes.subarray(at)]), whole);
      }),
      { numRuns: 300 },
    );
  });
});

test("contentCodings() ignores case, and returns nothing for unknown codings", () => {
  const codings = (value: string) => contentCodings(new Headers({ "content-encoding": value }));
  assert.deepEqual(codings("GZip, , identity, x-gzip,br"), ["gzip", "gzip", "br"]);
  assert.deepEqual(codings("gzip, zstd"), []);
  assert.deepEqual(contentCodings(new Headers()), []);
  assert.throws(() => codings("gzip, gzip, gzip, gzip, gzip"), { code: "limit" });
});

describe("get() of a compressed body", { timeout: 300_000 }, () => {
  test("asks for compression, decompresses, and keeps the headers", async () => {
    for (const [, coding, bytes] of SAMPLES) {
      const { server, url, heads } = await serveBody(`Content-Encoding: ${coding}`, bytes);
      await using _ = server;
      const response = await get(url);
      assert.equal(response.headers.get("content-encoding"), coding);
      assert.equal(response.headers.get("content-length"), `${bytes.length}`);
      assert.equal(await response.text(), TEXT);
      assert.match(heads[0] ?? "", /\r\naccept-encoding: gzip, deflate, br\r\n/);
      assert.equal(await new Response((await get(url)).body).text(), TEXT);
    }
  });

  test("returns it as it is with decompress false, and asks for identity with a range", async () => {
    const bytes = gzipSync(TEXT);
    const { server, url, heads } = await serveBody("Content-Encoding: gzip", bytes);
    await using _ = server;
    assert.deepEqual(Buffer.from(await (await get(url, { decompress: false })).bytes()), bytes);
    await (await get(url, { headers: { Range: "bytes=0-1" } })).close();
    for (const head of heads) assert.match(head, /\r\naccept-encoding: identity\r\n/);
  });

  test("rejects a body that is too large, damaged, cut off, or has too many codings", async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000));
    const cases = [
      ["Content-Encoding: gzip", bomb, "limit"],
      ["Content-Encoding: br", Buffer.from("nonsense"), "malformed"],
      ["Content-Encoding: gzip", bomb.subarray(0, 500), "end-of-stream"],
      [`Content-Encoding: gzip\r\nContent-Length: ${bomb.length}`, bomb.subarray(0, 500), "end-of-stream"],
      ["Content-Encoding: gzip, br, gzip, br, gzip", bomb, "limit"],
    ] as const;
    for (const [fields, bytes, code] of cases) {
      const { server, url } = await serveBody(fields, bytes);
      await using _ = server;
      await assert.rejects(async () => (await get(url, { bodyBytesMax: 1_000_000 })).bytes(), { code });
    }
  });

  test("yields flushed data before the rest arrives, and can be closed early", async () => {
    const gzip = createGzip();
    gzip.write("first");
    await new Promise<void>((resolve) => gzip.flush(() => resolve()));
    const flushed = gzip.read() as Buffer;
    gzip.destroy();
    await using server = await serve({}, async (connection) => {
      await connection.readUntil("\r\n\r\n");
      await connection.write(["HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", flushed]);
      for await (const _ of connection);
    });
    const url = `http://localhost:${server.address.port}/`;
    for await (const chunk of await get(url)) {
      assert.equal(Buffer.from(chunk).toString(), "first");
      break;
    }
    const response = await get(url);
    const reader = response.body.getReader();
    assert.equal(Buffer.from((await reader.read()).value ?? []).toString(), "first");
    const pending = reader.read();
    await reader.cancel();
    assert.equal((await pending).done, true);
    const reason = new Error("enough");
    const controller = new AbortController();
    const aborted = (await get(url, { signal: controller.signal }))[Symbol.asyncIterator]();
    await aborted.next();
    const next = aborted.next();
    controller.abort(reason);
    await assert.rejects(next, reason);
  });
});
