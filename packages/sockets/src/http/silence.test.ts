import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect as connectTo, createServer, type Server as NodeServer, type Socket } from "node:net";
import { afterEach, describe, mock, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { gzipSync } from "node:zlib";
import { failOnLeaks } from "../../../../test/leaks.ts";
import type { SocketError } from "../errors.ts";
import { get } from "./get.ts";
import type { HttpResponse } from "./http-response.ts";
import { request } from "./request.ts";

failOnLeaks();

const fixture = (name: string): Buffer => readFileSync(new URL(`../../../../test/fixtures/${name}`, import.meta.url));
const cert = fixture("localhost-cert.pem");

/** A plain Node server: the toolkit's server closes connections by itself, and these must stay silent. */
class RawServer implements AsyncDisposable {
  readonly #server: NodeServer;
  readonly #sockets = new Set<Socket>();

  private constructor(server: NodeServer) {
    this.#server = server;
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => this.#sockets.delete(socket));
    });
  }

  static async open(server: NodeServer): Promise<RawServer> {
    const raw = new RawServer(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return raw;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Sends this after the request's head, then stays silent. */
function sayAndBeSilent(answer: string | Uint8Array): Promise<RawServer> {
  return RawServer.open(
    createServer((socket) => {
      let asked = "";
      socket.on("data", (chunk) => {
        const had = asked.includes("\r\n\r\n");
        asked += chunk.toString("latin1");
        if (!had && asked.includes("\r\n\r\n")) socket.write(answer);
      });
    }),
  );
}

const SHORT = { headTimeoutMs: 100, chunkTimeoutMs: Number.POSITIVE_INFINITY };
const SILENT = { headTimeoutMs: Number.POSITIVE_INFINITY, chunkTimeoutMs: 100 };

function isHeadTimeout(host: string): (error: SocketError) => boolean {
  return (error) => {
    assert.equal(error.code, "timeout");
    assert.equal(error.message, `Cannot get from ${host}: no response within 100 ms (option headTimeoutMs)`);
    return true;
  };
}

describe("get() from a server that falls silent", { timeout: 300_000 }, () => {
  test("rejects when the name lookup never ends", async () => {
    const lookup = (): void => undefined;
    await assert.rejects(get("http://example.test/", { ...SHORT, lookup }), isHeadTimeout("example.test"));
  });

  test("rejects when the TLS handshake gets no first byte", async () => {
    await using server = await sayAndBeSilent("");
    await assert.rejects(get(`https://${server.host}/`, SHORT), isHeadTimeout(server.host));
  });

  test("rejects when the TLS handshake stops after any of the server's bytes", async () => {
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      await using tls = await RawServer.open(createTlsServer({ cert, key: fixture("localhost-key.pem"), maxVersion }));
      for (const bytesMax of [1, 5, 50, 500, 1_000, Number.POSITIVE_INFINITY]) {
        await using relay = await RawServer.open(
          createServer((client) => {
            let bytes = 0;
            const upstream = connectTo(tls.port, "127.0.0.1").on("error", () => undefined);
            client.on("data", (chunk) => upstream.write(chunk)).on("close", () => upstream.destroy());
            upstream.on("data", (chunk) => {
              client.write(chunk.subarray(0, Math.max(0, bytesMax - bytes)));
              bytes += chunk.length;
            });
          }),
        );
        // After the whole handshake only the head of the response is missing.
        const options = { ...SHORT, tls: { ca: cert, servername: "localhost" } };
        const response = get(`https://${relay.host}/`, options);
        await assert.rejects(response, isHeadTimeout(relay.host), `${maxVersion}, ${bytesMax} bytes`);
      }
    }
  });

  test("rejects when the head stops at any byte or never ends", async () => {
    const head = "HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    const cuts = Array.from({ length: head.length }, (_, at) => at);
    await Promise.all(
      cuts.map(async (at) => {
        await using server = await sayAndBeSilent(head.slice(0, at));
        await assert.rejects(get(`http://${server.host}/`, SHORT), isHeadTimeout(server.host), `cut at ${at}`);
      }),
    );
    await using trickle = await RawServer.open(
      createServer((socket) => {
        const timer = setInterval(() => socket.write("HTTP/1.1 102 Wait\r\n\r\n"), 5);
        socket.on("close", () => clearInterval(timer));
      }),
    );
    const patient = { ...SHORT, headerBytesMax: Number.MAX_SAFE_INTEGER };
    await assert.rejects(get(`http://${trickle.host}/`, patient), isHeadTimeout(trickle.host));
  });

  test("rejects when redirects never end", async () => {
    await using endless = await sayAndBeSilent("HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n");
    const options = { ...SHORT, redirectsMax: Number.MAX_SAFE_INTEGER };
    await assert.rejects(get(`http://${endless.host}/`, options), isHeadTimeout(endless.host));
  });

  test("rejects when the body stops at any byte", async () => {
    const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const bodies: [head: string, body: string | Buffer][] = [
      ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hell"],
      ["HTTP/1.1 200 OK\r\n\r\n", "all that comes"],
      [chunked, "5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r"],
      ["HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", gzipSync("hello")],
    ];
    const ways: ((response: HttpResponse) => Promise<unknown>)[] = [
      (response) => response.bytes(),
      (response) => new Response(response.body).text(),
    ];
    for (const [head, body] of bodies) {
      const cuts = Array.from({ length: body.length + 1 }, (_, at) => at);
      await Promise.all(
        cuts.flatMap((at) =>
          ways.map(async (read) => {
            await using server = await sayAndBeSilent(
              Buffer.concat([Buffer.from(head), Buffer.from(body).subarray(0, at)]),
            );
            const response = await get(`http://${server.host}/`, SILENT);
            await assert.rejects(read(response), (error: SocketError) => {
              assert.equal(error.code, "timeout");
              const text = `Cannot get from ${server.host}: nothing more arrived within 100 ms (option chunkTimeoutMs)`;
              assert.equal(error.message, text);
              return true;
            });
          }),
        ),
      );
    }
  });

  test("rejects when the server does not read the request's body", async () => {
    await using server = await RawServer.open(createServer((socket) => void socket.pause()));
    async function* endless(): AsyncGenerator<Uint8Array, void, void> {
      for (;;) yield Buffer.alloc(65_536);
    }
    for (const body of [Buffer.alloc(64 * 1024 * 1024), endless(), ReadableStream.from(endless())]) {
      await assert.rejects(request(`http://${server.host}/`, { body, ...SILENT }), (error: SocketError) => {
        assert.equal(error.code, "timeout");
        const text = `Cannot complete POST to ${server.host}: the server accepted no bytes within 100 ms (option chunkTimeoutMs)`;
        assert.equal(error.message, text);
        return true;
      });
    }
  });

  test("rejects with the timeout error of the caller's own stream", async () => {
    await using source = await sayAndBeSilent("HTTP/1.1 200 OK\r\n\r\nhello");
    await using server = await sayAndBeSilent("");
    const { body } = await get(`http://${source.host}/`, SILENT);
    const text = `Cannot get from ${source.host}: nothing more arrived within 100 ms (option chunkTimeoutMs)`;
    await assert.rejects(request(`http://${server.host}/`, { body }), { code: "timeout", message: text });
  });

  test("rejects when the head does not follow after the body was sent", async () => {
    await using server = await sayAndBeSilent("");
    await assert.rejects(request(`http://${server.host}/`, { body: "hello", ...SHORT }), { code: "timeout" });
  });

  test("names timeoutMs when that has passed", async () => {
    await using server = await sayAndBeSilent("HTTP/1.1 200 OK\r\n\r\n");
    const text = `Cannot get from ${server.host}: not done within 100 ms (option timeoutMs)`;
    const response = await get(`http://${server.host}/`, { timeoutMs: 100 });
    await assert.rejects(response.text(), { code: "timeout", message: text });
  });
});

describe("get() with its defaults", { timeout: 300_000 }, () => {
  afterEach(() => mock.timers.reset());

  /** Whether the promise is settled after all pending callbacks have run. */
  async function isPending(promise: Promise<unknown>): Promise<boolean> {
    const pending = Symbol("pending");
    const turn = new Promise((resolve) => setImmediate(resolve, pending));
    return (await Promise.race([promise.catch(() => undefined), turn])) === pending;
  }

  test("waits 30 seconds for the head, the TLS handshake included", async () => {
    for (const scheme of ["http", "https"]) {
      const connected = Promise.withResolvers<void>();
      await using server = await RawServer.open(
        createServer((socket) => void socket.once("data", () => connected.resolve())),
      );
      mock.timers.enable({ apis: ["setTimeout"] });
      const response = get(`${scheme}://${server.host}/`);
      await connected.promise;
      mock.timers.tick(29_999);
      assert.ok(await isPending(response), scheme);
      mock.timers.tick(1);
      const message = `Cannot get from ${server.host}: no response within 30000 ms (option headTimeoutMs)`;
      await assert.rejects(response, { code: "timeout", message });
      mock.timers.reset();
    }
  });

  test("waits 30 seconds for the head over all redirects together", async () => {
    const redirected = Promise.withResolvers<void>();
    await using silent = await RawServer.open(
      createServer((socket) => void socket.once("data", () => redirected.resolve())),
    );
    await using server = await RawServer.open(
      createServer((socket) => {
        socket.once("data", () => {
          mock.timers.tick(20_000);
          socket.write(`HTTP/1.1 302 X\r\nLocation: http://${silent.host}\r\n\r\n`);
        });
      }),
    );
    mock.timers.enable({ apis: ["setTimeout"] });
    const response = get(`http://${server.host}/`);
    await redirected.promise;
    mock.timers.tick(9_999);
    assert.ok(await isPending(response));
    mock.timers.tick(1);
    const message = `Cannot get from ${silent.host}: no response within 30000 ms (option headTimeoutMs)`;
    await assert.rejects(response, { code: "timeout", message });
  });

  test("waits 30 seconds for each piece of the body, and without a limit for all of it", async () => {
    const sockets: Socket[] = [];
    await using server = await RawServer.open(
      createServer((socket) => {
        sockets.push(socket);
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
      }),
    );
    mock.timers.enable({ apis: ["setTimeout"] });
    const response = await get(`http://${server.host}/`);
    // While nobody reads, the time does not count.
    mock.timers.tick(1_000_000);
    const body = response[Symbol.asyncIterator]();
    for (let piece = 0; piece < 5; piece += 1) {
      const next = body.next();
      mock.timers.tick(29_999);
      sockets[0]?.write("piece");
      assert.equal(String((await next).value), "piece");
    }
    const next = body.next();
    mock.timers.tick(29_999);
    assert.ok(await isPending(next));
    mock.timers.tick(1);
    await assert.rejects(next, { code: "timeout" });
  });
});

describe("get() of an invalid body", { timeout: 300_000 }, () => {
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const wrong: [what: string, head: string, body: string, code: string][] = [
    ["chunk size", chunked, "5\r\nhello\r\nx\r\n", "malformed"],
    ["first chunk size", chunked, "x\r\n", "malformed"],
    ["chunk end", chunked, "1\r\nhello", "malformed"],
    ["trailer", chunked, "5\r\nhello\r\n0\r\nA\r\n", "malformed"],
    ["body over the limit, in chunks", chunked, "5\r\nhello\r\nff\r\n", "limit"],
    ["body over the limit, until the end", "HTTP/1.1 200 OK\r\n\r\n", "hello, hello", "limit"],
    ["trailers over the limit", chunked, `0\r\nA: ${"x".repeat(300)}`, "limit"],
    ["gzip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", "not gzip", "malformed"],
  ];
  const NEVER = { headTimeoutMs: Number.POSITIVE_INFINITY, chunkTimeoutMs: Number.POSITIVE_INFINITY };
  const options = { ...NEVER, bodyBytesMax: 10, headerBytesMax: 200 };

  for (const [what, head, body, code] of wrong) {
    test(`rejects a wrong ${what} at once, in one piece with the head or not`, async () => {
      await using whole = await sayAndBeSilent(head + body);
      const response = await get(`http://${whole.host}/`, options);
      assert.equal(response.status, 200, "the head is good");
      await assert.rejects(response.bytes(), { code });
      const streamed = await get(`http://${whole.host}/`, options);
      await assert.rejects(new Response(streamed.body).text(), { code });
      for (let at = 1; at < body.length; at += Math.ceil(body.length / 20)) {
        await using server = await RawServer.open(
          createServer((socket) => {
            socket.setNoDelay(true);
            socket.write(head + body.slice(0, at));
            setImmediate(() => socket.write(body.slice(at)));
          }),
        );
        await assert.rejects((await get(`http://${server.host}/`, options)).bytes(), { code }, `cut at ${at}`);
      }
    });
  }
});
