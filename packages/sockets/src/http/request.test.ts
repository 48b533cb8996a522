import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import type { Connection } from "../tcp/connection.ts";
import { serve } from "../tcp/serve.ts";
import type { Server } from "../tcp/server.ts";
import { request } from "./request.ts";
import type { RequestBody } from "./request-body.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A server with a custom response after the request's head. */
function serveRaw(answer: (connection: Connection, head: string) => Promise<void> | void): Promise<Server> {
  return serve({}, async (connection) => {
    await answer(connection, Buffer.from(await connection.readUntil("\r\n\r\n")).toString("latin1"));
  });
}

function urlOf(server: Server, pathname = "/"): string {
  return `http://localhost:${server.address.port}${pathname}`;
}

/** Records head and body until the given ending, and responds. */
async function serveKeeping(ending: string, answer = OK): Promise<{ server: Server; seen: string[] }> {
  const seen: string[] = [];
  const server = await serve({}, async (connection) => {
    let text = "";
    while (!text.endsWith(ending)) text += Buffer.from((await connection.read()) ?? "").toString("latin1");
    seen.push(text);
    await connection.write(answer);
    for await (const _ of connection);
  });
  return { server, seen };
}

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array, void, void> {
  for (const text of texts) yield Buffer.from(text);
}

function streamOf(...texts: string[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(chunks(...texts)) as ReadableStream<Uint8Array>;
}

/** Yields chunks until it is cancelled, and reports that. */
function endless(): { body: AsyncGenerator<Uint8Array, void, void>; left: Promise<void> } {
  const { promise: left, resolve } = Promise.withResolvers<void>();
  async function* give(): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) yield Buffer.alloc(16_384);
    } finally {
      resolve();
    }
  }
  return { body: give(), left };
}

describe("request()", { timeout: 300_000 }, () => {
  test("sends bytes and text with content-length", async () => {
    for (const body of ["hé!", Buffer.from("hé!")]) {
      const { server, seen } = await serveKeeping("!");
      await using _ = server;
      assert.equal(await (await request(urlOf(server), { body })).text(), "ok");
      assert.match(seen[0] ?? "", /^POST \/ HTTP\/1\.1\r\n/);
      assert.match(seen[0] ?? "", /\r\ncontent-length: 4\r\n\r\nh\xc3\xa9!$/);
      assert.doesNotMatch(seen[0] ?? "", /content-type|transfer-encoding|expect/);
    }
  });

  test("sends JSON with its content-type", async () => {
    const { server, seen } = await serveKeeping("}");
    await using _ = server;
    await (await request(urlOf(server), { method: "PUT", json: { a: [null] } })).close();
    await (await request(urlOf(server), { json: {}, headers: { "Content-Type": "application/ld+json" } })).close();
    assert.match(seen[0] ?? "", /^PUT /);
    assert.match(seen[0] ?? "", /\r\ncontent-type: application\/json\r\ncontent-length: 12\r\n\r\n\{"a":\[null\]\}$/);
    assert.match(seen[1] ?? "", /\r\ncontent-type: application\/ld\+json\r\n/);
  });

  test("sends a stream in chunks and skips empty ones", async () => {
    const bodies: RequestBody[] = [
      chunks("hello", "", "0123456789abcdefg"),
      streamOf("hello", "", "0123456789abcdefg"),
    ];
    for (const body of bodies) {
      const { server, seen } = await serveKeeping("0\r\n\r\n");
      await using _ = server;
      assert.equal(await (await request(urlOf(server), { body })).text(), "ok");
      const [head, ...lines] = (seen[0] ?? "").split("\r\n\r\n5\r\n");
      assert.match(head ?? "", /\r\ntransfer-encoding: chunked$/);
      assert.doesNotMatch(head ?? "", /content-length/);
      assert.deepEqual(lines, ["hello\r\n11\r\n0123456789abcdefg\r\n0\r\n\r\n"]);
    }
  });

  test("sends content-length 0 only for methods that expect a body", async () => {
    const { server, seen } = await serveKeeping("\r\n\r\n");
    await using _ = server;
    for (const method of ["POST", "DELETE"]) await (await request(urlOf(server), { method })).close();
    await (await request(urlOf(server), { method: "DELETE", body: "" })).close();
    assert.deepEqual(
      seen.map((head) => /content-length: \d+/.exec(head)?.[0]),
      ["content-length: 0", undefined, "content-length: 0"],
    );
  });

  test("rejects an invalid method or body before it connects", async () => {
    const locked = streamOf("a");
    locked.getReader();
    const wrong: object[] = [
      { body: "a", json: 1 },
      { json: () => 1 },
      { body: 5 },
      { body: null },
      { body: {} },
      { body: locked },
      { method: "TRACE", body: "a" },
      { body: "a", headers: { Expect: "100-continue" } },
      { body: "a", headers: { "Transfer-Encoding": "gzip" } },
    ];
    for (const options of wrong) await assert.rejects(request("http://localhost:1/", options), TypeError);
  });

  test("reads an early response and stops sending", { timeout: 300_000 }, async () => {
    await using server = await serveRaw(async (connection) => {
      await connection.write("HTTP/1.1 413 Too much\r\nContent-Length: 2\r\n\r\nno");
      for await (const _ of connection);
    });
    const { body, left } = endless();
    const response = await request(urlOf(server), { body });
    await left;
    assert.equal(response.status, 413);
    assert.equal(await response.text(), "no");

    const cancelled = Promise.withResolvers<void>();
    // It never yields, so its own iterator could not be left.
    const stuck = new ReadableStream<Uint8Array>({ cancel: () => cancelled.resolve() });
    assert.equal((await request(urlOf(server), { body: stuck })).status, 413);
    await cancelled.promise;

    const bytes = await request(urlOf(server), { body: Buffer.alloc(32 * 1024 * 1024) });
    assert.equal(await bytes.text(), "no");
  });

  test("reads an early response of a server that stops reading", { timeout: 300_000 }, async () => {
    await using server = await serveRaw(async (connection) => {
      await connection.write("HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\nno");
      await connection.closed;
    });
    const { body, left } = endless();
    const response = await request(urlOf(server), { body });
    await left;
    assert.equal(await response.text(), "no");
  });

  test("keeps sending after the head of a 2xx response", async () => {
    await using server = await serveRaw(async (connection) => {
      await connection.write("HTTP/1.1 200 OK\r\n\r\n");
      await connection.readUntil("0\r\n\r\n");
      await connection.write("all");
    });
    const gate = Promise.withResolvers<void>();
    async function* body(): AsyncGenerator<Uint8Array, void, void> {
      yield Buffer.from("a");
      await gate.promise;
      yield Buffer.from("b");
    }
    const response = await request(urlOf(server), { body: body() });
    gate.resolve();
    assert.equal(await response.text(), "all");
  });

  test("rejects with the stream's own error, and breaks the connection", async () => {
    const { promise: ended, resolve } = Promise.withResolvers<string>();
    const asked = Promise.withResolvers<void>();
    await using server = await serveRaw(async (connection) => {
      asked.resolve();
      let text = "";
      try {
        for await (const chunk of connection) text += Buffer.from(chunk).toString();
      } catch {
        resolve(text);
      }
    });
    const failure = new Error("disk");
    async function* body(): AsyncGenerator<Uint8Array, void, void> {
      yield Buffer.from("a");
      await asked.promise;
      throw failure;
    }
    await assert.rejects(request(urlOf(server), { body: body() }), failure);
    assert.doesNotMatch(await ended, /0\r\n\r\n$/, "a body cut off must not look whole");
    const strings = ReadableStream.from(["text"]) as unknown as ReadableStream<Uint8Array>;
    await assert.rejects(request(urlOf(server), { body: strings }), TypeError);
  });

  test("cancels the stream when aborted or timed out while sending", { timeout: 300_000 }, async () => {
    await using server = await serveRaw(async (connection) => void (await connection.closed));
    const controller = new AbortController();
    const reason = new Error("enough");
    const first = endless();
    const pending = request(urlOf(server), { body: first.body, signal: controller.signal });
    setImmediate(() => controller.abort(reason));
    await assert.rejects(pending, reason);
    const second = endless();
    await assert.rejects(request(urlOf(server), { body: second.body, timeoutMs: 100 }), { code: "timeout" });
    await second.left;
    const third = endless();
    await assert.rejects(request(urlOf(server), { body: third.body, chunkTimeoutMs: 100 }), { code: "timeout" });
    await third.left;
  });

  test("does not count a slow stream of its own as silence of the server", async (t) => {
    const { server } = await serveKeeping("0\r\n\r\n");
    await using _ = server;
    const received = Promise.withResolvers<void>();
    await using silent = await serveRaw(async (connection) => {
      await connection.readUntil("0\r\n\r\n");
      received.resolve();
      await connection.closed;
    });
    t.mock.timers.enable({ apis: ["setTimeout"] });
    async function* slow(): AsyncGenerator<Uint8Array, void, void> {
      t.mock.timers.tick(250);
      yield Buffer.from("a");
    }
    const limits = { headTimeoutMs: 100, chunkTimeoutMs: 100 };
    assert.equal(await (await request(urlOf(server), { body: slow(), ...limits })).text(), "ok");
    const unanswered = assert.rejects(request(urlOf(silent), { body: slow(), ...limits }), { code: "timeout" });
    await received.promise;
    t.mock.timers.tick(100);
    await unanswered;
    t.mock.timers.reset();
  });

  test("rejects when the server ends without a response", async () => {
    await using server = await serveRaw(() => undefined);
    await assert.rejects(request(urlOf(server), { body: "a" }), { code: "end-of-stream" });
    const { body, left } = endless();
    await assert.rejects(request(urlOf(server), { body }), (error: { code: string }) => {
      assert.ok(["end-of-stream", "reset"].includes(error.code), error.code);
      return true;
    });
    await left;
  });

  /** Redirects once and returns the recorded requests. */
  async function redirectOnce(status: number, options: Parameters<typeof request>[1]) {
    const seen: string[] = [];
    await using server = await serveRaw(async (connection, head) => {
      const length = Number(/content-length: (\d+)/.exec(head)?.[1] ?? 0);
      seen.push(head + Buffer.from(await connection.readExactly(length)).toString());
      const isFirst = seen.length === 1;
      await connection.write(isFirst ? `HTTP/1.1 ${status} X\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n` : OK);
      for await (const _ of connection);
    });
    const response = await request(urlOf(server), options);
    await response.close();
    return { status: response.status, location: response.headers.get("location"), second: seen[1] ?? "" };
  }

  test("sends bytes again after 307 and 308, and after 301 to PUT", async () => {
    const cases = [
      [307, "POST"],
      [308, "PATCH"],
      [301, "PUT"],
    ] as const;
    for (const [status, method] of cases) {
      const { second, ...answer } = await redirectOnce(status, { method, json: { a: 1 } });
      assert.equal(answer.status, 200);
      assert.ok(second.startsWith(`${method} /b HTTP/1.1\r\n`), second);
      assert.match(second, /content-type: application\/json\r\ncontent-length: 7\r\n\r\n\{"a":1\}$/);
    }
  });

  test("drops the body after 303, and after 301 and 302 to POST", async () => {
    const headers = { "Content-Language": "en", "X-A": "b" };
    for (const [status, method] of [
      [303, "PUT"],
      [301, "POST"],
      [302, "POST"],
      [303, "GET"],
    ] as const) {
      for (const body of ["hello", chunks("hello")]) {
        const { second, ...answer } = await redirectOnce(status, { method, body, headers });
        assert.equal(answer.status, 200);
        assert.match(second, /^GET \/b /);
        assert.match(second, /x-a: b/);
        assert.doesNotMatch(second, /content-|transfer-encoding|hello/);
      }
    }
  });

  test("returns the redirect itself when a stream would have to be sent again", async () => {
    for (const body of [chunks("hello"), streamOf("hello")]) {
      const { second, ...answer } = await redirectOnce(307, { body });
      assert.deepEqual(answer, { status: 307, location: "/b" });
      assert.equal(second, "");
    }
  });
});

describe("request() to node:http", { timeout: 300_000 }, () => {
  let server: http.Server;
  let base = "";

  before(async () => {
    server = http.createServer((incoming, outgoing) => {
      outgoing.setHeader(
        "x-framing",
        incoming.headers["transfer-encoding"] ?? incoming.headers["content-length"] ?? "",
      );
      if (incoming.url === "/no") outgoing.writeHead(403).end("no");
      else incoming.pipe(outgoing);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  after(async () => {
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  });

  test("receives an echo of every form of body", async () => {
    const bytes = Buffer.alloc(3_000_000, "0123456789");
    const whole = await request(base, { body: bytes });
    assert.equal(whole.headers.get("x-framing"), "3000000");
    assert.deepEqual(Buffer.from(await whole.bytes()), bytes);
    async function* parts(): AsyncGenerator<Uint8Array, void, void> {
      for (let at = 0; at < bytes.length; at += 12_345) yield bytes.subarray(at, at + 12_345);
    }
    for (const body of [parts(), ReadableStream.from(parts()) as ReadableStream<Uint8Array>]) {
      const response = await request(base, { method: "PUT", body });
      assert.equal(response.headers.get("x-framing"), "chunked");
      assert.deepEqual(Buffer.from(await response.bytes()), bytes);
    }
    assert.deepEqual(await (await request(base, { json: ["é"] })).json(), ["é"]);
  });

  test("sends the body of one response as the body of the next request", async () => {
    const first = await request(base, { body: "hello" });
    assert.equal(await (await request(base, { body: first.body })).text(), "hello");
  });

  test("reads a refusal while it is sending", async () => {
    const { body, left } = endless();
    const response = await request(`${base}/no`, { body });
    assert.equal(response.status, 403);
    await response.close();
    await left;
  });
});

const hasPython = spawnSync("python3", ["--version"]).status === 0;
const skip = hasPython || process.env.CI ? false : "python3 is not installed";
const ECHO = `
import gzip, zlib
from http.server import BaseHTTPRequestHandler, HTTPServer
class Echo(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        body = gzip.compress(body) if self.path == "/gzip" else zlib.compress(body)
        self.send_response(200)
        self.send_header("content-encoding", self.path[1:])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = HTTPServer(("127.0.0.1", 0), Echo)
print(server.server_port, flush=True)
server.serve_forever()
`;

describe("request() to python3's http.server", { skip, timeout: 300_000 }, () => {
  let python: ChildProcess;
  let base = "";

  before(async () => {
    assert.ok(hasPython, "python3 is needed");
    python = spawn("python3", ["-c", ECHO], { stdio: ["ignore", "pipe", "ignore"] });
    assert.ok(python.stdout !== null);
    for await (const line of createInterface({ input: python.stdout })) {
      base = `http://127.0.0.1:${line}`;
      break;
    }
  });

  after(async () => {
    python.kill();
    await once(python, "exit");
  });

  test("receives an echo that another library compressed", async () => {
    const body = Buffer.alloc(500_000, "0123456789");
    for (const coding of ["gzip", "deflate"]) {
      const response = await request(`${base}/${coding}`, { body });
      assert.equal(response.headers.get("content-encoding"), coding);
      assert.deepEqual(Buffer.from(await response.bytes()), body);
    }
  });

  test("returns the server's error for an unsupported method", async () => {
    const response = await request(base, { method: "PUT", body: "a" });
    assert.equal(response.status, 501);
    await response.close();
  });
});
