import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { serve } from "../tcp/serve.ts";
import type { Server } from "../tcp/server.ts";
import { get } from "./get.ts";
import { type RequestOptions, request } from "./request.ts";

failOnLeaks();

/** Resolves every name to this machine. */
const lookup = (_host: string, _options: object, done: (error: null, address: string, family: number) => void): void =>
  done(null, "127.0.0.1", 4);

/** Answers each request with the next of these heads, then with 200. Records the requests and their bodies. */
async function serveHeads(...heads: string[]): Promise<{ server: Server; port: number; seen: string[] }> {
  const seen: string[] = [];
  const server = await serve({ host: "127.0.0.1" }, async (connection) => {
    const head = Buffer.from(await connection.readUntil("\r\n\r\n")).toString("latin1");
    const length = Number(/\r\ncontent-length: (\d+)/.exec(head)?.[1] ?? 0);
    const body = /\r\ntransfer-encoding: chunked/.test(head)
      ? await connection.readUntil("0\r\n\r\n")
      : await connection.readExactly(length);
    const answer = (heads[seen.length] ?? "HTTP/1.1 200 OK\r\n").replaceAll("PORT", `${server.address.port}`);
    seen.push(head + Buffer.from(body).toString());
    await connection.write(Buffer.from(`${answer}Content-Length: 4\r\n\r\nbody`, "latin1"));
  });
  return { server, port: server.address.port ?? 0, seen };
}

/** A redirect. `PORT` is replaced by the server's port. */
function found(location: string, status = 302): string {
  return `HTTP/1.1 ${status} Found\r\nLocation: ${location}\r\n`;
}

const utf8 = (text: string): string => Buffer.from(text).toString("latin1");

describe("a redirect", { timeout: 300_000 }, () => {
  /** The target of `Location` from `http://first.test:PORT/a/b?c`, or the code of the error. */
  const PLACES: readonly (readonly [name: string, location: string, url: string | { code: string }])[] = [
    ["a path", "/x", "http://first.test/x"],
    ["a relative path", "x", "http://first.test/a/x"],
    ["dots", "../../../x/./y/..", "http://first.test/x/"],
    ["a query", "?x=y", "http://first.test/a/b?x=y"],
    ["a host without a scheme", "//other.test:PORT/x", "http://other.test/x"],
    ["a user", "http://me:secret@other.test:PORT/x", "http://other.test/x"],
    ["a user named like a host", "http://first.test:1@other.test:PORT/", "http://other.test/"],
    ["backslashes", "/\\other.test:PORT\\x", "http://other.test/x"],
    ["spaces", "/x y", "http://first.test/x%20y"],
    ["percent-encoding", "/%C3%BC%20%2F", "http://first.test/%C3%BC%20%2F"],
    ["UTF-8 in the path", utf8("/ü/例"), "http://first.test/%C3%BC/%E4%BE%8B"],
    ["UTF-8 in the query", utf8("?q=ü😀"), "http://first.test/a/b?q=%C3%BC%F0%9F%98%80"],
    ["UTF-8 in a relative path", utf8("ü"), "http://first.test/a/%C3%BC"],
    ["UTF-8 in the host", utf8("http://bücher.test:PORT/"), "http://xn--bcher-kva.test/"],
    ["UTF-8 beside percent-encoding", utf8("/%C3%BC/ü"), "http://first.test/%C3%BC/%C3%BC"],
    ["Latin-1", "/\xfc", "http://first.test/%FC"],
    ["a long path", `/${"x".repeat(10_000)}`, `http://first.test/${"x".repeat(10_000)}`],
    ["capitals", "HTTP://OTHER.test:PORT/", "http://other.test/"],
    ["an address in another spelling", "http://0x7f.1:PORT/", "http://127.0.0.1/"],
    ["Latin-1 in the host", "http://b\xfccher.test:PORT/", { code: "malformed" }],
    ["port 0", "http://other.test:0/", { code: "malformed" }],
    ["port 0 of a host without a scheme", "//other.test:0", { code: "malformed" }],
    ["a port that is too large", "http://other.test:65536/", { code: "malformed" }],
    ["no host", "http://", { code: "malformed" }],
    ["a tab", "ht\ttp://other.test:PORT/", { code: "malformed" }],
    ["an escape", "/\x1b[2J", { code: "malformed" }],
    ["a delete", "/\x7f", { code: "malformed" }],
    ["a NUL", "/\0", { code: "malformed" }],
    ["a carriage return", "/\rx", { code: "malformed" }],
    ...[
      "ftp://other.test/",
      "javascript:alert(1)",
      "data:,x",
      "ws://other.test/",
      "file:///etc/passwd",
      "mailto:a@b",
    ].map((location) => [location, location, { code: "malformed" }] as const),
    ["two places", "/x\r\nLocation: /y", { code: "malformed" }],
    ["one place twice", "/x\r\nLocation: /x", "http://first.test/x"],
  ];

  for (const [name, location, place] of PLACES) {
    test(`to ${name} leads to ${typeof place === "string" ? place.slice(0, 60) : "an error"}`, async () => {
      const { server, port, seen } = await serveHeads(found(location));
      await using _ = server;
      const pending = get(`http://first.test:${port}/a/b?c`, { lookup, headers: { authorization: "secret" } });
      if (typeof place !== "string") {
        await assert.rejects(pending, place);
        assert.equal(seen.length, 1);
        return;
      }
      await using response = await pending;
      const url = new URL(place);
      url.port = `${port}`;
      assert.equal(response.url, url.href);
      assert.ok(seen[1]?.startsWith(`GET ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n`), seen[1]);
      assert.equal(
        /secret/.test(seen[1] ?? ""),
        url.hostname === "first.test",
        "secret headers go to their origin only",
      );
    });
  }

  test("without Location is the response itself", async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      for (const fields of ["", "Location:\r\n", "Location: \t \r\n"]) {
        const { server, port, seen } = await serveHeads(`HTTP/1.1 ${status} X\r\n${fields}`);
        await using _ = server;
        const response = await get(`http://127.0.0.1:${port}/`);
        assert.equal(response.status, status);
        assert.equal(await response.text(), "body");
        assert.equal(seen.length, 1);
      }
    }
  });

  test("keeps the fragment of the URL unless it has its own", async () => {
    for (const [location, hash] of [
      ["/x", "#there"],
      ["/x#here", "#here"],
      ["#here", "#here"],
      ["/x#", ""],
      ["http://other.test:PORT/x", "#there"],
    ] as const) {
      const { server, port, seen } = await serveHeads(found("/step"), found(location));
      await using _ = server;
      await using response = await get(`http://127.0.0.1:${port}/#there`, { lookup });
      assert.equal(new URL(response.url).hash, hash, location);
      assert.doesNotMatch(seen.join(""), /#/);
    }
  });

  test("to another origin has no secret headers, nor do later redirects", async () => {
    const { server, port, seen } = await serveHeads(
      found("/same"),
      found("http://other.test:PORT/"),
      found("http://first.test:PORT/back"),
    );
    await using _ = server;
    const headers = { "X-Api-Key": "secret", authorization: "secret", cookie: "secret", "X-Other": "kept" };
    const secretHeaders = ["x-API-key"];
    await using _response = await get(`http://first.test:${port}/`, { lookup, headers, secretHeaders });
    assert.deepEqual(
      seen.map((head) => [head.match(/secret/g)?.length ?? 0, /x-other: kept/.test(head)]),
      [
        [3, true],
        [3, true],
        [0, true],
        [0, true],
      ],
    );
  });

  test("uses the method and body of its status, and never sends a stream again", async () => {
    async function* stream(): AsyncGenerator<Uint8Array, void, void> {
      yield Buffer.from("hello");
    }
    const bodies: [kind: string, options: () => RequestOptions][] = [
      ["none", () => ({})],
      ["bytes", () => ({ body: "hello" })],
      ["stream", () => ({ body: stream() })],
    ];
    for (const status of [301, 302, 303, 307, 308]) {
      for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]) {
        for (const [kind, options] of bodies) {
          const { server, port, seen } = await serveHeads(found("/x", status));
          await using _ = server;
          await using response = await request(`http://127.0.0.1:${port}/`, { method, ...options() });
          const becomesGet = (status === 303 && method !== "HEAD") || (status < 303 && method === "POST");
          const keepsBody = status !== 303 && !becomesGet;
          const name = `${status} ${method} ${kind}`;
          if (keepsBody && kind === "stream") {
            assert.equal(response.status, status, name);
            assert.equal(seen.length, 1, name);
            continue;
          }
          assert.equal(response.status, 200, name);
          assert.ok(seen[1]?.startsWith(`${becomesGet ? "GET" : method} /x `), name);
          assert.equal(seen[1]?.endsWith("\r\n\r\nhello"), keepsBody && kind === "bytes", name);
        }
      }
    }
  });
});

test("get() refuses a URL with port 0", async () => {
  for (const url of ["http://localhost:0/", "https://localhost:00", new URL("http://[::1]:0/")]) {
    await assert.rejects(get(url), { name: "TypeError", message: "url must not have port 0" });
  }
});
