/** A stream passed to `request` is read to its end or cancelled, exactly once. */
import assert from "node:assert/strict";
import { createReadStream, readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { turn, until } from "../../../../test/until.ts";
import type { ConnectOptions } from "../tcp/connect.ts";
import type { Connection } from "../tcp/connection.ts";
import { listen } from "../tcp/listen.ts";
import { serve } from "../tcp/serve.ts";
import { type RequestOptions, request } from "./request.ts";
import type { RequestBody } from "./request-body.ts";

failOnLeaks();

const fixture = (name: string): URL => new URL(`../../../../test/fixtures/${name}`, import.meta.url);
const cert = readFileSync(fixture("localhost-cert.pem"));
const key = readFileSync(fixture("localhost-key.pem"));
const other = readFileSync(fixture("other-cert.pem"));

type Stream = Exclude<RequestBody, string | Uint8Array>;

/** An endless stream, and how often it was cancelled. */
interface Watched {
  readonly body: Stream;
  cancelled(): number;
}

const CHUNK = Buffer.alloc(16_384);

const KINDS: Record<string, () => Watched> = {
  "an async iterable": () => {
    let cancelled = 0;
    const iterator = {
      next: async () => ({ done: false, value: CHUNK }) as const,
      return: async () => {
        cancelled += 1;
        return { done: true, value: undefined } as const;
      },
    };
    return { body: { [Symbol.asyncIterator]: () => iterator }, cancelled: () => cancelled };
  },
  "an async iterable that gives nothing": () => {
    let cancelled = 0;
    const iterator = {
      next: () => new Promise<never>(() => undefined),
      return: async () => {
        cancelled += 1;
        throw new Error("return() failed");
      },
    };
    return { body: { [Symbol.asyncIterator]: () => iterator }, cancelled: () => cancelled };
  },
  "a Web stream": () => {
    let cancelled = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(CHUNK),
      cancel: () => {
        cancelled += 1;
      },
    });
    return { body, cancelled: () => cancelled };
  },
  "a Web stream that gives nothing": () => {
    let cancelled = 0;
    const body = new ReadableStream<Uint8Array>({
      cancel: () => {
        cancelled += 1;
        throw new Error("cancel() failed");
      },
    });
    return { body, cancelled: () => cancelled };
  },
  "a Node stream": () => {
    let cancelled = 0;
    const body = new Readable({
      read: () => void body.push(CHUNK),
      destroy: (error, done) => {
        cancelled += 1;
        done(error);
      },
    });
    return { body, cancelled: () => cancelled };
  },
  "a Node stream that gives nothing": () => {
    let cancelled = 0;
    const destroy = (_: Error | null, done: (error: Error) => void): void => {
      cancelled += 1;
      done(new Error("destroy() failed"));
    };
    return { body: new Readable({ read: () => undefined, destroy }), cancelled: () => cancelled };
  },
  "a file": () => {
    let closed = 0;
    const body = createReadStream("/dev/zero");
    body.on("close", () => {
      closed += 1;
    });
    return { body, cancelled: () => closed };
  },
};

/** Serves over HTTP or HTTPS. `answer` owns the connections; all are closed at the end. */
async function serving(
  scheme: Scheme,
  answer: (connection: Connection) => Promise<void> | void,
): Promise<{ url: string; options: RequestOptions } & AsyncDisposable> {
  const connections: Connection[] = [];
  const server = await serve(
    { host: "127.0.0.1", onError: () => undefined, ...(scheme === "https" ? { tls: { cert, key } } : {}) },
    async (connection) => {
      connections.push(connection);
      await answer(connection);
      await connection.closed;
    },
  );
  return {
    url: `${scheme}://localhost:${server.address.port}/`,
    options: { tls: { ca: cert }, lookup: loopback },
    async [Symbol.asyncDispose]() {
      for (const connection of connections) connection.reset();
      await server.close();
    },
  };
}

const SCHEMES = ["http", "https"] as const;
type Scheme = (typeof SCHEMES)[number];

const loopback: ConnectOptions["lookup"] = (_, __, done) => done(null, [{ address: "127.0.0.1", family: 4 }]);

/** The outcome of the request. Its response is closed. */
async function outcome(url: string, options: RequestOptions): Promise<unknown> {
  try {
    const response = await request(url, options);
    await response.close();
    return response.status;
  } catch (error) {
    return error;
  }
}

/** Ways in which a request ends before its body. */
const ENDINGS: Record<string, (body: Stream, scheme: Scheme) => Promise<unknown>> = {
  "the URL is wrong": (body) => outcome("ftp://localhost/", { body }),
  "the URL is not a URL": (body) => outcome("http://", { body }),
  "the method is wrong": (body) => outcome("http://localhost:1/", { body, method: "A B" }),
  "the method has no body": (body) => outcome("http://localhost:1/", { body, method: "TRACE" }),
  "a header is wrong": (body) => outcome("http://localhost:1/", { body, headers: { "a b": "c" } }),
  "json is given too": (body) => outcome("http://localhost:1/", { body, json: 1 }),
  "a limit is wrong": (body) => outcome("http://localhost:1/", { body, redirectsMax: -1 }),
  "a time is wrong": (body) => outcome("http://localhost:1/", { body, timeoutMs: -1 }),
  "a limit of the response is wrong": (body) => outcome("http://localhost:1/", { body, bodyBytesMax: -1 }),
  "the TLS options are wrong": (body) =>
    outcome("https://localhost:1/", { body, tls: { ca: "no certificate", ciphers: "none" } }),
  "its signal is already aborted": (body) => outcome("http://localhost:1/", { body, signal: AbortSignal.abort() }),
  "the host name does not exist": (body) =>
    outcome("http://name.test/", {
      body,
      lookup: (_, __, done) => done(Object.assign(new Error("none"), { code: "ENOTFOUND" }), ""),
    }),
  "it is aborted during the lookup": async (body) => {
    const controller = new AbortController();
    const asked = outcome("http://name.test/", { body, signal: controller.signal, lookup: () => controller.abort() });
    return await asked;
  },
  "the head takes too long in the lookup": (body) =>
    outcome("http://name.test/", { body, headTimeoutMs: 1, lookup: () => undefined }),
  "nothing listens": async (body, scheme) => {
    await using listener = await listen({ host: "127.0.0.1" });
    const { port } = listener.address;
    await listener.close();
    return await outcome(`${scheme}://127.0.0.1:${port}/`, { body });
  },
  "it is aborted during the handshake": async (body) => {
    await using server = await serving("http", (connection) => connection.read().then(() => controller.abort()));
    const controller = new AbortController();
    return await outcome(server.url.replace("http:", "https:"), {
      ...server.options,
      body,
      signal: controller.signal,
    });
  },
  "the certificate is for another host": async (body) => {
    await using server = await serving("https", () => undefined);
    return await outcome(server.url, { ...server.options, body, tls: { ca: other } });
  },
  "the server closes at once": async (body, scheme) => {
    await using server = await serving(scheme, (connection) => connection.close());
    return await outcome(server.url, { ...server.options, body });
  },
  "the server resets at once": async (body, scheme) => {
    await using server = await serving(scheme, (connection) => connection.reset());
    return await outcome(server.url, { ...server.options, body });
  },
  "the server resets after the head": async (body, scheme) => {
    await using server = await serving(scheme, async (connection) => {
      await connection.readUntil("\r\n\r\n");
      connection.reset();
    });
    return await outcome(server.url, { ...server.options, body });
  },
  "the response is malformed": async (body, scheme) => {
    await using server = await serving(scheme, async (connection) => {
      await connection.readUntil("\r\n\r\n");
      await connection.write("no HTTP\r\n\r\n");
    });
    return await outcome(server.url, { ...server.options, body });
  },
  "the response is a refusal": async (body, scheme) => {
    await using server = await serving(scheme, async (connection) => {
      await connection.readUntil("\r\n\r\n");
      await connection.write("HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n");
    });
    return await outcome(server.url, { ...server.options, body });
  },
  "the response is complete": async (body, scheme) => {
    await using server = await serving(scheme, async (connection) => {
      await connection.readUntil("\r\n\r\n");
      await connection.write("HTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nok");
    });
    const response = await request(server.url, { ...server.options, body });
    return await response.text();
  },
  "the response's body is malformed": async (body, scheme) => {
    await using server = await serving(scheme, async (connection) => {
      await connection.readUntil("\r\n\r\n");
      await connection.write("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n");
    });
    const response = await request(server.url, { ...server.options, body });
    return await response.text().catch((error: unknown) => error);
  },
  "the response is closed": async (body, scheme) => {
    await using server = await serving(scheme, async (connection) => {
      await connection.readUntil("\r\n\r\n");
      await connection.write("HTTP/1.1 200 X\r\n\r\n");
    });
    return await outcome(server.url, { ...server.options, body });
  },
  "a redirect does not need it": async (body, scheme) => {
    let asked = 0;
    await using server = await serving(scheme, async (connection) => {
      await connection.readUntil("\r\n\r\n");
      asked += 1;
      await connection.write(`HTTP/1.1 ${asked === 1 ? 303 : 204} X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n`);
    });
    assert.equal(await outcome(server.url, { ...server.options, body }), 204);
  },
  "a redirect needs it again": async (body, scheme) => {
    await using server = await serving(scheme, async (connection) => {
      await connection.readUntil("\r\n\r\n");
      await connection.write("HTTP/1.1 307 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n");
    });
    assert.equal(await outcome(server.url, { ...server.options, body }), 307);
  },
  "it is aborted while it is sent": async (body, scheme) => {
    const controller = new AbortController();
    await using server = await serving(scheme, async (connection) => {
      await connection.readUntil("\r\n\r\n");
      controller.abort();
    });
    return await outcome(server.url, { ...server.options, body, signal: controller.signal });
  },
  "it takes too long": async (body, scheme) => {
    await using server = await serving(scheme, () => undefined);
    return await outcome(server.url, { ...server.options, body, timeoutMs: 100 });
  },
};

const failure = new Error("the body failed");

async function* failing(...chunks: unknown[]): AsyncGenerator<Uint8Array, void, void> {
  yield* chunks as Uint8Array[];
  throw failure;
}

/** Bodies that fail. `early`: before they are read. */
const FAILURES: Record<string, { make: (controller: AbortController) => Stream; early?: true; error?: object }> = {
  "throws at once": { make: () => failing() },
  "throws after a small chunk": { make: () => failing(Buffer.from("a")) },
  "throws after many chunks": { make: () => failing(...Array.from({ length: 100 }, () => CHUNK)) },
  "yields text": { make: () => failing("text"), error: { name: "TypeError" } },
  "has no iterator": {
    make: () => ({
      [Symbol.asyncIterator]: () => {
        throw failure;
      },
    }),
  },
  "throws in next()": {
    make: () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => {
          throw failure;
        },
      }),
    }),
  },
  "is an errored Web stream": {
    make: () => new ReadableStream({ start: (controller) => controller.error(failure) }),
    early: true,
  },
  "is a Web stream of text": {
    make: () => ReadableStream.from(["text"]) as unknown as ReadableStream<Uint8Array>,
    error: { name: "TypeError" },
  },
  "is a Node stream that fails": {
    make: () => new Readable({ read: () => undefined }).destroy(failure),
    early: true,
  },
  "is a Node stream of text": { make: () => Readable.from(["text"]), error: { name: "TypeError" } },
  "is a Node stream that was destroyed": {
    make: () => new Readable({ read: () => undefined }).destroy(),
    error: { code: "ERR_STREAM_PREMATURE_CLOSE" },
  },
  "is a file that does not exist": {
    make: () => createReadStream("/nowhere/at/all"),
    early: true,
    error: { code: "ENOENT" },
  },
  "aborts its request": {
    make: (controller) => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          controller.abort(failure);
          return { done: false, value: Buffer.from("a") };
        },
      }),
    }),
  },
};

describe("request()", () => {
  for (const [ending, end] of Object.entries(ENDINGS)) {
    for (const scheme of end.length === 2 ? SCHEMES : (["http"] as const)) {
      test(`cancels its body once when ${ending}${end.length === 2 ? `, over ${scheme}` : ""}`, async () => {
        for (const [kind, make] of Object.entries(KINDS)) {
          const { body, cancelled } = make();
          await end(body, scheme);
          await until(() => cancelled() > 0, `${kind} is cancelled when ${ending}`);
          await turn();
          assert.equal(cancelled(), 1, `${kind} when ${ending}`);
        }
      });
    }
  }

  for (const [what, { make, early, error = { message: failure.message } }] of Object.entries(FAILURES)) {
    for (const scheme of SCHEMES) {
      test(`rejects with the error of a body that ${what}, over ${scheme}`, async () => {
        await using server = await serving(scheme, async (connection) => {
          for await (const _ of connection);
        });
        const controller = new AbortController();
        const options = { ...server.options, body: make(controller), signal: controller.signal };
        await assert.rejects(request(server.url, options), error);
      });
    }

    test(`leaves no uncaught error of a body that ${what} when it cannot connect`, async () => {
      const controller = new AbortController();
      const lookup: ConnectOptions["lookup"] = early
        ? () => undefined
        : (_, __, done) => setImmediate(done, Object.assign(new Error("none"), { code: "ENOTFOUND" }), "");
      const options = { body: make(controller), signal: controller.signal, lookup };
      await assert.rejects(request("http://name.test/", options), early ? error : { code: "name-not-found" });
      await turn();
    });
  }
});
