import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import diagnostics from "node:diagnostics_channel";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { after, afterEach, before, describe, test } from "node:test";
import { STATE_CHANNELS, type StateChange } from "../state.ts";
import type { Connection } from "../tcp/connection.ts";
import { serve } from "../tcp/serve.ts";
import type { Server } from "../tcp/server.ts";
import { get } from "./get.ts";
import { request } from "./request.ts";

/** All open connections of this process, of both ends. */
const open = new Set<number>();
let noneOpen: (() => void) | undefined;

function watch(message: unknown): void {
  const { id, to } = message as StateChange;
  if (to === "closed") open.delete(id);
  else open.add(id);
  if (open.size === 0) noneOpen?.();
}

/** Serves one request, given its head. */
type Answer = (connection: Connection, head: string) => Promise<void> | void;

/** A server with a custom response. Requests end at their empty line. */
function serveRaw(answer: Answer): Promise<Server> {
  return serve({}, async (connection) => {
    const head = await connection.readUntil("\r\n\r\n");
    await answer(connection, Buffer.from(head).toString("latin1"));
  });
}

function urlOf(server: Server, pathname = "/"): string {
  return `http://localhost:${server.address.port}${pathname}`;
}

/** Responds and waits for the client's end, so that the test sees how the client closes. */
async function stayOpen(connection: Connection, answer: string): Promise<void> {
  await connection.write(answer);
  for await (const _ of connection);
}

describe("get()", { timeout: 300_000 }, () => {
  before(() => diagnostics.subscribe(STATE_CHANNELS[0], watch));
  after(() => diagnostics.unsubscribe(STATE_CHANNELS[0], watch));
  afterEach(async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    noneOpen = resolve;
    if (open.size > 0) await promise;
  });

  test("sends path and host, and closes the connection", async () => {
    let asked = "";
    await using server = await serveRaw((connection, head) => {
      asked = head;
      return stayOpen(connection, "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello");
    });
    const response = await get(urlOf(server, "/a%20b?c=d#e"), { headers: { "X-B": "c" } });
    assert.equal(response.status, 200);
    assert.equal(response.ok, true);
    assert.equal(response.reason, "Fine");
    assert.equal(response.headers.get("x-a"), "b");
    assert.equal(await response.text(), "hello");
    assert.match(asked, /^GET \/a%20b\?c=d HTTP\/1\.1\r\nhost: localhost:\d+\r\nconnection: close\r\n/);
    assert.match(asked, /\r\nx-b: c\r\n/);
  });

  test("returns the body in every form", async () => {
    await using server = await serveRaw((connection) =>
      stayOpen(
        connection,
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n3\r\n"\xe9\r\n4\r\n"}  \r\n0\r\nX-T: 1\r\n\r\n',
      ),
    );
    const bytes = await (await get(urlOf(server))).bytes();
    assert.equal(Buffer.from(bytes).toString(), '{"a":"é"}  ');
    assert.deepEqual(await (await get(urlOf(server))).json(), { a: "é" });
    assert.equal(await new Response((await get(urlOf(server))).body).text(), '{"a":"é"}  ');
    const response = await get(urlOf(server));
    let length = 0;
    for await (const chunk of response) length += chunk.length;
    assert.equal(length, 12);
    assert.equal(response.trailers.get("x-t"), "1");
  });

  test("rejects a second reading of the body", async () => {
    await using server = await serveRaw((connection) =>
      stayOpen(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    );
    const response = await get(urlOf(server));
    const { body } = response;
    assert.equal(response.body, body);
    assert.equal(response.bodyUsed, false, "accessing the stream does not use the body");
    assert.equal(await response.text(), "ok");
    await assert.rejects(response.text(), TypeError);
    await assert.rejects(body.getReader().read(), TypeError);
  });

  test("does not quote a body that is not JSON", async () => {
    await using server = await serveRaw((connection) =>
      stayOpen(connection, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"),
    );
    await assert.rejects((await get(urlOf(server))).json(), (error: Error & { code: string }) => {
      assert.equal(error.code, "malformed");
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  });

  test("closes at once when there is no body", async () => {
    await using server = await serveRaw((connection) => stayOpen(connection, "HTTP/1.1 204 No Content\r\n\r\n"));
    const response = await get(urlOf(server));
    assert.equal(response.status, 204);
    assert.equal(await response.text(), "");
  });

  test("reads a body without a length until the connection ends", async () => {
    await using server = await serveRaw((connection) => connection.write("HTTP/1.0 200 OK\r\n\r\nall of it"));
    assert.equal(await (await get(urlOf(server))).text(), "all of it");
  });

  test("skips 1xx responses and bytes after the response", async () => {
    await using server = await serveRaw((connection) =>
      stayOpen(
        connection,
        "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 400 No\r\n\r\n",
      ),
    );
    assert.equal(await (await get(urlOf(server))).text(), "ok");
  });

  test("rejects a body that is cut off", async () => {
    await using server = await serveRaw((connection) =>
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhell"),
    );
    const response = await get(urlOf(server));
    await assert.rejects(response.bytes(), { code: "end-of-stream", expected: 10 });
    const streamed = await get(urlOf(server));
    await assert.rejects(new Response(streamed.body).text(), { code: "end-of-stream" });
  });

  test("rejects a response that is not HTTP, and a server that does not respond", async () => {
    await using other = await serveRaw((connection) => stayOpen(connection, "220 mail.example ESMTP\r\n"));
    await assert.rejects(get(urlOf(other)), { code: "malformed", offset: 0 });
    await using silent = await serveRaw(() => undefined);
    await assert.rejects(get(urlOf(silent)), { code: "end-of-stream" });
  });

  test("rejects when the connection is refused", async () => {
    const server = await serveRaw(() => undefined);
    await server.close();
    await assert.rejects(get(urlOf(server)), { code: "refused" });
  });

  test("rejects a head or body above its limit", async () => {
    await using server = await serveRaw((connection) =>
      stayOpen(connection, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    );
    await assert.rejects(get(urlOf(server), { headerBytesMax: 10 }), { code: "limit" });
    await assert.rejects(get(urlOf(server), { bodyBytesMax: 4 }), { code: "limit" });
  });

  test("applies backpressure while the response is not read", async () => {
    const sent = Promise.withResolvers<number>();
    const total = 64 * 1024 * 1024;
    await using server = await serveRaw(async (connection) => {
      await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
      const piece = Buffer.alloc(1024 * 1024);
      let bytes = 0;
      try {
        // A write that waits this long is waiting for a reader.
        for (; bytes < total; bytes += piece.length) await connection.write(piece, { timeoutMs: 300 });
      } catch {
        sent.resolve(bytes);
        return connection.reset();
      }
      sent.resolve(bytes);
    });
    await using _response = await get(urlOf(server));
    assert.ok((await sent.promise) < total, "most of the body stays with the server");
  });

  test("closes when the loop over the body is left or its stream is cancelled", async () => {
    await using server = await serveRaw((connection) =>
      stayOpen(connection, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
    );
    for await (const chunk of await get(urlOf(server))) {
      assert.equal(chunk.length, 5);
      break;
    }
    await (await get(urlOf(server))).body.cancel();
    const response = await get(urlOf(server));
    await response.close();
    await response.close();
    await assert.rejects(response.text(), TypeError);
  });

  test("can be aborted while it connects, waits for the head, and reads the body", async () => {
    const reason = new Error("enough");
    await assert.rejects(get("http://localhost:1/", { signal: AbortSignal.abort(reason) }), reason);
    const asked = Promise.withResolvers<void>();
    await using silent = await serveRaw(async (connection) => {
      asked.resolve();
      await connection.read().catch(() => undefined);
    });
    const first = new AbortController();
    const response = get(urlOf(silent), { signal: first.signal });
    await asked.promise;
    first.abort(reason);
    await assert.rejects(response, reason);

    await using slow = await serveRaw((connection) =>
      stayOpen(connection, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
    );
    const second = new AbortController();
    const body = (await get(urlOf(slow), { signal: second.signal }))[Symbol.asyncIterator]();
    assert.equal((await body.next()).value?.length, 5);
    const next = body.next();
    second.abort(reason);
    await assert.rejects(next, reason);
  });

  test("can be aborted while the body is not being read", async () => {
    await using server = await serveRaw((connection) =>
      stayOpen(connection, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    );
    const controller = new AbortController();
    const response = await get(urlOf(server), { signal: controller.signal });
    controller.abort(new Error("enough"));
    await assert.rejects(response.text(), /enough/);
  });

  test("applies timeoutMs to head and body together, and chunkTimeoutMs to each silence", async () => {
    await using server = await serveRaw((connection) =>
      stayOpen(connection, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
    );
    const response = await get(urlOf(server), { timeoutMs: 100 });
    await assert.rejects(response.text(), { code: "timeout" });
    const unread = await get(urlOf(server), { timeoutMs: 50 });
    assert.equal(unread.status, 200);
    await assert.rejects((await get(urlOf(server), { chunkTimeoutMs: 50 })).text(), { code: "timeout" });
  });

  test("leaves no listener on the signal", async () => {
    await using server = await serveRaw((connection) =>
      stayOpen(connection, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    );
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners += 1;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...args);
    };
    await (await get(urlOf(server), { signal })).text();
    assert.equal(listeners, 0);
  });

  test("rejects invalid URLs and headers", async () => {
    await assert.rejects(get("ftp://localhost/"), TypeError);
    await assert.rejects(get("http://me:secret@localhost/"), TypeError);
    await assert.rejects(get("nonsense"), TypeError);
    for (const value of ["a\r\nb", "a\r", "\na", "a\0"]) {
      await assert.rejects(get("http://localhost/", { headers: { a: value } }), TypeError);
    }
    await assert.rejects(get("http://localhost/", { headers: { "a b": "c" } }), TypeError);
    await assert.rejects(get("http://localhost/", { headers: { "a\r\nb": "c" } }), TypeError);
    await assert.rejects(get("http://localhost/", { headers: [["Content-Length", "1"]] }), TypeError);
    await assert.rejects(request("http://localhost/", { method: "GET / HTTP/1.1\r\n" }), TypeError);
    await assert.rejects(get("http://localhost/", { timeoutMs: -1 }), RangeError);
  });

  test("follows redirects up to redirectsMax", async () => {
    await using server = await serveRaw((connection, head) => {
      const step = Number(/^GET \/(\d+)/.exec(head)?.[1]);
      return stayOpen(connection, `HTTP/1.1 302 Found\r\nLocation: /${step + 1}\r\nContent-Length: 4\r\n\r\nmove`);
    });
    await assert.rejects(get(urlOf(server, "/0"), { redirectsMax: 2 }), { code: "limit" });
    const response = await get(urlOf(server, "/0"), { redirectsMax: 0 });
    assert.equal(response.status, 302);
    assert.equal(await response.text(), "move");
  });

  test("sends secret headers only to their origin", async () => {
    const heads: string[] = [];
    await using other = await serveRaw((connection, head) => {
      heads.push(head);
      return stayOpen(connection, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother");
    });
    await using server = await serveRaw((connection, head) => {
      heads.push(head);
      const location = head.startsWith("GET /here") ? "there" : urlOf(other, "/other").replace("//", "//a:b@");
      return stayOpen(connection, `HTTP/1.1 307 X\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`);
    });
    const response = await get(urlOf(server, "/here"), { headers: { Authorization: "Bearer 1", Cookie: "c", A: "b" } });
    assert.equal(await response.text(), "other");
    assert.equal(response.url, urlOf(other, "/other"));
    assert.deepEqual(
      heads.map((head) => /authorization/.test(head)),
      [true, true, false],
    );
    assert.match(heads[1] ?? "", /^GET \/there /);
    assert.match(heads[2] ?? "", /\r\na: b\r\n/);
    assert.doesNotMatch(heads[2] ?? "", /cookie/);
  });

  test("does not follow a redirect away from HTTP", async () => {
    for (const location of ["ftp://localhost/", "http://", "javascript:alert(1)"]) {
      await using server = await serveRaw((connection) =>
        stayOpen(connection, `HTTP/1.1 301 X\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`),
      );
      await assert.rejects(get(urlOf(server)), { code: "malformed" });
    }
  });

  test("expects no body after HEAD", async () => {
    await using server = await serveRaw((connection, head) => {
      assert.match(head, /^HEAD /);
      return stayOpen(connection, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    });
    const response = await request(urlOf(server), { method: "HEAD" });
    assert.equal(response.headers.get("content-length"), "5");
    assert.equal(await response.text(), "");
  });
});

const hasPython = spawnSync("python3", ["--version"]).status === 0;
const skip = hasPython || process.env.CI ? false : "python3 is not installed";

describe("get() from python3 -m http.server", { skip, timeout: 300_000 }, () => {
  let folder = "";
  let python: ChildProcess;
  let base = "";

  before(async () => {
    assert.ok(hasPython, "python3 is needed");
    folder = await mkdtemp(path.join(tmpdir(), "landline-http-"));
    await writeFile(path.join(folder, "bytes.bin"), Buffer.alloc(300_000, "0123456789"));
    python = spawn("python3", ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", folder], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    assert.ok(python.stdout !== null);
    for await (const line of createInterface({ input: python.stdout })) {
      base = /http:\/\/[^/]+\//.exec(line)?.[0] ?? "";
      break;
    }
  });

  after(async () => {
    python.kill();
    await once(python, "exit");
    await rm(folder, { recursive: true });
  });

  test("reads a file", async () => {
    const response = await get(`${base}bytes.bin`);
    assert.equal(response.headers.get("content-length"), "300000");
    assert.deepEqual(Buffer.from(await response.bytes()), Buffer.alloc(300_000, "0123456789"));
  });

  test("reads a directory listing and a 404", async () => {
    assert.match(await (await get(base)).text(), /bytes\.bin/);
    const missing = await get(`${base}missing`);
    assert.equal(missing.status, 404);
    assert.match(await missing.text(), /404/);
  });
});
