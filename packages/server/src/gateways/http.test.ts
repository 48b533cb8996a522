import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { Duplex } from "node:stream";
import { describe, test } from "node:test";
import { type SocketError, serve } from "@landline/sockets";
import { portOf } from "../../../../test/chat-server.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { RawClient } from "../../../../test/raw-client.ts";
import { idle, until } from "../../../../test/until.ts";
import type { Asset } from "./assets.ts";
import { Door } from "./door.ts";
import { HttpGateway } from "./http.ts";

failOnLeaks();

const LIMIT = { timeout: 300_000 };
const HEAD = "Host: 127.0.0.1\r\n";

const ASSETS: ReadonlyMap<string, Asset> = new Map([
  [
    "/",
    { bytes: Buffer.from("<!doctype html>"), type: "text/html; charset=utf-8", etag: '"page"', isImmutable: false },
  ],
  [
    "/assets/a.js",
    {
      bytes: Buffer.from("0"),
      type: "text/javascript",
      etag: '"a"',
      isImmutable: true,
      gzip: { bytes: Buffer.from("Z"), etag: '"a-gzip"' },
    },
  ],
]);

/** The HTTP gateway behind a door, as in the server. It records the upgrades. */
class Site implements AsyncDisposable {
  readonly port: number;
  readonly upgraded: string[] = [];
  readonly reported: unknown[] = [];
  /** Counts answers to `/healthz`. */
  readonly healthy: { count: number };
  readonly #door: Door;
  readonly #gateway: HttpGateway;

  private constructor(
    door: Door,
    gateway: HttpGateway,
    upgraded: string[],
    reported: unknown[],
    healthy: { count: number },
  ) {
    this.port = portOf(door.address);
    this.#door = door;
    this.#gateway = gateway;
    this.upgraded = upgraded;
    this.reported = reported;
    this.healthy = healthy;
  }

  static async open(headersTimeoutMs = 10_000, health: unknown = { status: "ok" }): Promise<Site> {
    const upgraded: string[] = [];
    const reported: unknown[] = [];
    const healthy = { count: 0 };
    const gateway = new HttpGateway({
      assets: ASSETS,
      hosts: ["chat.example"],
      headersTimeoutMs,
      health: () => {
        healthy.count += 1;
        return health;
      },
      isReady: () => true,
      upgrade: (request: http.IncomingMessage, socket: Duplex) => {
        if (request.url === "/ws?fail") throw new Error("no upgrade");
        upgraded.push(request.url ?? "");
        socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n", () => socket.destroy());
      },
    });
    const nobody = () => assert.fail("taken for chat");
    const door = await Door.open(
      {
        host: "127.0.0.1",
        port: 0,
        connectionsMax: 100,
        silentMs: 1e6,
        sniffMs: 1e6,
        sendTimeoutMs: 500,
        report: (e) => reported.push(e),
      },
      {
        json: nobody,
        jsonPrefixed: nobody,
        silent: nobody,
        http: (connection, firstBytes) => gateway.accept(connection, firstBytes),
      },
    );
    return new Site(door, gateway, upgraded, reported, healthy);
  }

  get connections(): number {
    return this.#door.connections;
  }

  async request(
    path: string,
    options: http.RequestOptions = {},
  ): Promise<{ response: http.IncomingMessage; body: string }> {
    const request = http.request({ host: "127.0.0.1", port: this.port, path, agent: false, ...options });
    request.end(options.method === "POST" ? "body" : undefined);
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    let body = "";
    for await (const chunk of response) body += chunk;
    return { response, body };
  }

  async raw(...parts: readonly string[]): Promise<RawClient> {
    const client = await RawClient.open(this.port);
    return client.sendApart(parts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway.close(100);
    await this.#door.close(100);
    assert.equal(this.connections, 0);
    assert.deepEqual(this.reported, []);
  }
}

describe("HttpGateway", LIMIT, () => {
  test("serves the page with a strict policy", async () => {
    await using site = await Site.open();
    const { response, body } = await site.request("/?room=lobby");
    assert.equal(response.statusCode, 200);
    assert.equal(body, "<!doctype html>");
    assert.equal(response.headers["content-type"], "text/html; charset=utf-8");
    assert.equal(response.headers["cache-control"], "no-cache");
    assert.match(response.headers["content-security-policy"] as string, /^default-src 'none'; script-src 'self';/);
    assert.doesNotMatch(response.headers["content-security-policy"] as string, /unsafe/);
    assert.equal(response.headers["x-content-type-options"], "nosniff");
    assert.equal(response.headers["referrer-policy"], "no-referrer");
    assert.equal(response.headers["cross-origin-resource-policy"], "same-origin");
  });

  test("serves immutable files, and answers 304 to a matching etag", async () => {
    await using site = await Site.open();
    const { response } = await site.request("/assets/a.js");
    assert.match(response.headers["cache-control"] as string, /immutable/);
    const again = await site.request("/assets/a.js", { headers: { "if-none-match": '"a"' } });
    assert.deepEqual([again.response.statusCode, again.body], [304, ""]);
    const other = await site.request("/", { headers: { "if-none-match": '"a"' } });
    assert.equal(other.response.statusCode, 200);
  });

  test("sends the compressed file to clients that accept it, under its own etag", async () => {
    await using site = await Site.open();
    for (const [headers, body, encoding, etag] of [
      [{}, "0", undefined, '"a"'],
      [{ "accept-encoding": "gzip, br" }, "Z", "gzip", '"a-gzip"'],
      [{ "accept-encoding": "gzip;q=0, br" }, "0", undefined, '"a"'],
    ] as const) {
      const answer = await site.request("/assets/a.js", { headers });
      assert.equal(answer.body, body);
      assert.equal(answer.response.headers["content-encoding"], encoding);
      assert.equal(answer.response.headers.etag, etag);
      assert.equal(answer.response.headers.vary, "accept-encoding");
    }
    const again = await site.request("/assets/a.js", {
      headers: { "accept-encoding": "gzip", "if-none-match": '"a-gzip"' },
    });
    assert.deepEqual([again.response.statusCode, again.body], [304, ""]);
    const page = await site.request("/", { headers: { "accept-encoding": "gzip" } });
    assert.equal(page.response.headers["content-encoding"], undefined);
  });

  test("answers /healthz, and 404 to an unknown path", async () => {
    await using site = await Site.open();
    const { response, body } = await site.request("/healthz");
    assert.deepEqual([response.statusCode, body], [200, '{"status":"ok"}\n']);
    assert.equal(response.headers["cache-control"], "no-store");
    for (const path of ["/nothing", "/index.html", "/../package.json", "/assets/../", "/%2e%2e/", "//", "/__proto__"]) {
      assert.equal((await site.request(path)).response.statusCode, 404, path);
    }
  });

  test("answers one request of a connection at a time, and resets a client that reads no answer", async () => {
    const unread = "x".repeat(16_777_216);
    await using site = await Site.open(10_000, unread);
    const client = await site.raw();
    client.socket.pause();
    client.send(`GET /healthz HTTP/1.1\r\n${HEAD}\r\n`.repeat(100));
    await until(() => site.healthy.count > 0, "the first request is answered");
    await idle();
    assert.equal(site.healthy.count, 1);
    await until(() => {
      // The client notices the reset when it writes.
      client.send("x");
      return client.socket.destroyed;
    }, "the connection is reset");
  });

  test("answers at most 16 requests of all connections in a turn of the event loop", async () => {
    await using site = await Site.open();
    const get = `GET /healthz HTTP/1.1\r\n${HEAD}\r\n`;
    // The server accepts one connection in a turn.
    const clients = await Promise.all(Array.from({ length: 80 }, () => site.raw(get)));
    await until(() => site.healthy.count === 80, "all connections are accepted");
    const perTurn: number[] = [];
    let before = site.healthy.count;
    const count = (): void => {
      perTurn.push(site.healthy.count - before);
      before = site.healthy.count;
      if (before < 880) setImmediate(count);
    };
    setImmediate(count);
    for (const client of clients) client.send(get.repeat(10));
    await until(() => before === 880, "all requests are answered");
    for (const client of clients) await client.reset();
    assert.equal(Math.max(...perTurn), 16);
  });

  test("answers HEAD without a body", async () => {
    await using site = await Site.open();
    const client = await site.raw(`HEAD / HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`);
    const text = await client.restText();
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(text, /content-length: 15\r\n/i);
    assert.ok(text.endsWith("\r\n\r\n"));
    await client.close();
  });

  test("refuses other methods and keeps the connection, unless a body may follow", async () => {
    await using site = await Site.open();
    const client = await site.raw(
      `DELETE /healthz HTTP/1.1\r\n${HEAD}Content-Length: 0\r\n\r\n`,
      `GET /healthz HTTP/1.1\r\n${HEAD}\r\n`,
    );
    assert.match(await client.textUntil("Only GET and HEAD\n"), /^HTTP\/1\.1 405 [\s\S]*allow: GET, HEAD\r\n/);
    assert.match(await client.textUntil('"}\n'), /^HTTP\/1\.1 200 /);
    await client.close();
    const bodies = ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"];
    for (const body of bodies) {
      const sender = await site.raw(`POST / HTTP/1.1\r\n${HEAD}${body}GET /healthz HTTP/1.1\r\n${HEAD}\r\n`);
      const text = await sender.restText();
      assert.match(text, /^HTTP\/1\.1 405 [\s\S]*connection: close\r\n/i);
      assert.equal(text.match(/HTTP\/1\.1/g)?.length, 1, "the bytes after a body are not a request");
      await sender.close();
    }
  });

  test("answers 421 to foreign host names", async () => {
    await using site = await Site.open();
    const statusOf = async (host: string) =>
      (await site.request("/healthz", { headers: { host } })).response.statusCode;
    for (const host of ["localhost", "127.0.0.1:1", "[::1]", "chat.example", "CHAT.EXAMPLE:443"]) {
      assert.equal(await statusOf(host), 200, host);
    }
    for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io"]) {
      assert.equal(await statusOf(host), 421, host);
    }
    const strange = await site.raw("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert.match(await strange.restText(), /^HTTP\/1\.1 421 [\s\S]*--hosts/);
    await strange.close();
  });

  test("answers 400 to a request or handshake that does not name exactly one host", async () => {
    await using site = await Site.open();
    const requests = [
      "GET / HTTP/1.0\r\n",
      "GET / HTTP/1.1\r\n",
      "GET / HTTP/1.1\r\nHost:\r\n",
      `GET / HTTP/1.1\r\n${HEAD}${HEAD}`,
      `GET / HTTP/1.1\r\n${HEAD}Host: evil.example\r\n`,
      "GET / HTTP/1.1\r\nHost: 127.0.0.1, evil.example\r\n",
      "GET / HTTP/1.1\r\nHost: user@127.0.0.1\r\n",
      `GET http://evil.example/ HTTP/1.1\r\n${HEAD}`,
      `GET http://127.0.0.1:1/ HTTP/1.1\r\n${HEAD}`,
    ];
    const handshake = "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    for (const text of requests) {
      for (const rest of ["Connection: close\r\n\r\n", handshake]) {
        const client = await site.raw(`${text}${rest}`);
        assert.match(
          await client.restText(),
          /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*A request must name exactly one host\n$/,
          text,
        );
        await client.close();
      }
    }
    assert.deepEqual(site.upgraded, []);
    const absolute = await site.raw(`GET http://127.0.0.1/healthz HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`);
    assert.match(await absolute.restText(), /^HTTP\/1\.1 200 OK\r\n/);
    await absolute.close();
  });

  test("answers 431 to more than 100 header fields, so that none of them is overlooked", async () => {
    await using site = await Site.open();
    const request = `GET / HTTP/1.1\r\n${HEAD}Connection: close\r\n`;
    const handshake = `GET / HTTP/1.1\r\n${HEAD}Connection: Upgrade\r\nUpgrade: websocket\r\n`;
    const named = (count: number) =>
      Array.from({ length: count }, (_, index) => `x${index.toString(36)}:\r\n`).join("");
    const same = (count: number) => "a:\r\n".repeat(count);
    const statusOf = async (start: string, fill: (count: number) => string, count: number, last: string) => {
      const before = start.split("\r\n").length - 2;
      const client = await site.raw(`${start}${fill(count - before - 1)}${last}\r\n\r\n`);
      const text = await client.restText();
      await client.close();
      assert.match(text, /\r\nconnection: close\r\n|^HTTP\/1\.1 101 /i);
      return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
    };
    for (const fill of [named, same]) {
      for (const [last, requestStatus, handshakeStatus] of [
        ["b:", 200, 101],
        ["Host: evil.example", 400, 400],
        ["Origin: http://evil.example", 200, 403],
        ["Content-Length: 1", 200, 400],
      ] as const) {
        for (const [start, status] of [
          [request, requestStatus],
          [handshake, handshakeStatus],
        ] as const) {
          assert.equal(await statusOf(start, fill, 100, last), status, `100 fields, the last is ${last}`);
          for (const count of [101, 102, 128, 129, 400, 2_000]) {
            assert.equal(await statusOf(start, fill, count, last), 431, `${count} fields, the last is ${last}`);
          }
        }
      }
    }
    // Also on a connection that was in use, and in single bytes.
    const client = await site.raw(`GET /healthz HTTP/1.1\r\n${HEAD}\r\n`);
    await client.textUntil('"}\n');
    await client.sendApart([...`GET /healthz HTTP/1.1\r\n${HEAD}${named(100)}\r\n`]);
    assert.match(await client.restText(), /^HTTP\/1\.1 431 [\s\S]*at most 100 header fields\n$/);
    await client.close();
  });

  test("sends the same security headers with every answer", async () => {
    await using site = await Site.open();
    const close = "Connection: close\r\n";
    const handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    const answers: readonly (readonly [status: number, text: string])[] = [
      [200, `GET / HTTP/1.1\r\n${HEAD}${close}\r\n`],
      [200, `GET / HTTP/1.1\r\n${HEAD}${close}Expect: 100-continue\r\n\r\n`],
      [200, `GET / HTTP/1.1\r\n${HEAD}${close}Expect: wonders\r\n\r\n`],
      [304, `GET /assets/a.js HTTP/1.1\r\n${HEAD}${close}If-None-Match: "a"\r\n\r\n`],
      [400, `GET / HTTP/1.1\r\n${close}\r\n`],
      [400, "GET / HTTP/9.9\r\n\r\n"],
      [400, `GET / HTTP/1.1\r\n${HEAD}Content-Length: x\r\n\r\n`],
      [400, `GET / HTTP/1.1\r\n${HEAD}${HEAD}${handshake}\r\n`],
      [403, `GET / HTTP/1.1\r\n${HEAD}${handshake}Origin: http://evil.example\r\n\r\n`],
      [404, `GET /nothing HTTP/1.1\r\n${HEAD}${close}\r\n`],
      [404, `GET /nothing HTTP/1.1\r\n${HEAD}${handshake}\r\n`],
      [405, `POST / HTTP/1.1\r\n${HEAD}${close}Content-Length: 0\r\n\r\n`],
      [421, `GET / HTTP/1.1\r\nHost: evil.example\r\n${close}\r\n`],
      [421, `GET / HTTP/1.1\r\nHost: evil.example\r\n${handshake}\r\n`],
      [431, `GET / HTTP/1.1\r\n${HEAD}a: ${"b".repeat(20_000)}\r\n\r\n`],
      [431, `GET / HTTP/1.1\r\n${HEAD}${"a:\r\n".repeat(100)}\r\n`],
    ];
    const seen = new Set<string>();
    for (const [status, text] of answers) {
      const client = await site.raw(text);
      const [head = ""] = (await client.restText()).split("\r\n\r\n");
      await client.close();
      assert.match(head, new RegExp(`^HTTP/1\\.1 ${status} `), text.slice(0, 80));
      const names = /^(content-security-policy|cross-origin-.*|referrer-policy|x-content-type-options): .*$/gim;
      seen.add(
        [...head.matchAll(names)]
          .map(([line]) => line.toLowerCase())
          .sort()
          .join("\n"),
      );
    }
    assert.equal(seen.size, 1);
    assert.match(
      [...seen][0] as string,
      /^content-security-policy: default-src 'none'[\s\S]*x-content-type-options: nosniff$/,
    );
  });

  test("answers 400 or 431 to invalid HTTP, and closes the connection", async () => {
    await using site = await Site.open();
    const cases: Readonly<Record<string, string>> = {
      "GET / HTTP/9.9\r\n\r\n": "400",
      "GET /\0 HTTP/1.1\r\n\r\n": "400",
      [`GET / HTTP/1.1\r\n${HEAD}Content-Length: x\r\n\r\n`]: "400",
      [`GET / HTTP/1.1\r\n${HEAD}a: ${"b".repeat(20_000)}\r\n\r\n`]: "431",
    };
    for (const [text, status] of Object.entries(cases)) {
      const client = await site.raw(text);
      assert.match(await client.restText(), new RegExp(`^HTTP/1\\.1 ${status} `), text.slice(0, 40));
      await client.close();
    }
  });

  test("accepts WebSocket handshakes on / and /ws, from its own pages and from programs", async () => {
    await using site = await Site.open();
    const upgrade = "Connection: Upgrade\r\nUpgrade: WebSocket\r\n";
    const statusOf = async (path: string, headers: string) => {
      const client = await site.raw(`GET ${path} HTTP/1.1\r\n${upgrade}${headers}\r\n`);
      const [, status] = /^HTTP\/1\.1 (\d+)/.exec(await client.restText()) ?? [];
      await client.close();
      return Number(status);
    };
    assert.equal(await statusOf("/", HEAD), 101);
    assert.equal(await statusOf("/ws?x", `Host: 127.0.0.1:1\r\nOrigin: http://127.0.0.1:1\r\n`), 101);
    assert.equal(await statusOf("/ws", `${HEAD}Origin: https://chat.example\r\n`), 101);
    assert.equal(await statusOf("/other", HEAD), 404);
    assert.equal(await statusOf("/", `${HEAD}Origin: http://evil.example\r\n`), 403);
    assert.equal(await statusOf("/", `${HEAD}Origin: http://203.0.113.6\r\n`), 403);
    assert.equal(await statusOf("/", `${HEAD}Origin: http://127.0.0.1:1\r\n`), 403, "a page on another port");
    assert.equal(await statusOf("/", "Host: chat.example\r\nOrigin: http://localhost:3000\r\n"), 403);
    assert.equal(await statusOf("/", `${HEAD}Origin: null\r\n`), 403);
    assert.equal(await statusOf("/", "Host: evil.example\r\nOrigin: http://evil.example\r\n"), 421);
    assert.deepEqual(site.upgraded, ["/", "/ws?x", "/ws"]);
  });

  test("answers 400 to a handshake that is no GET over HTTP/1.1, or that has a body", async () => {
    await using site = await Site.open();
    const upgrade = `${HEAD}Connection: Upgrade\r\nUpgrade: websocket\r\n`;
    const statusOf = async (text: string) => {
      const client = await site.raw(text);
      const answer = await client.restText();
      await client.close();
      assert.equal(answer.match(/HTTP\/1\.1 /g)?.length, 1, `one answer to ${text}`);
      return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
    };
    const body = `GET /healthz HTTP/1.1\r\n${HEAD}\r\n`;
    for (const line of [
      "GET /ws HTTP/1.0",
      "GET /ws HTTP/0.9",
      "GET /ws HTTP/2.0",
      "POST /ws HTTP/1.1",
      "HEAD /ws HTTP/1.1",
    ]) {
      assert.equal(await statusOf(`${line}\r\n${upgrade}\r\n`), 400, line);
    }
    for (const field of [
      `Content-Length: ${body.length}`,
      "Content-Length: 1",
      "Content-Length: 1000000000",
      "Transfer-Encoding: chunked",
      "Transfer-Encoding: gzip, chunked",
      "transfer-encoding: Chunked",
    ]) {
      assert.equal(await statusOf(`GET /ws HTTP/1.1\r\n${upgrade}${field}\r\n\r\n${body}`), 400, field);
      assert.equal(await statusOf(`GET /ws HTTP/1.1\r\n${field}\r\n${upgrade}\r\n`), 400, `${field}, no body yet`);
    }
    assert.deepEqual(site.upgraded, []);
    assert.equal(await statusOf(`GET /ws HTTP/1.1\r\n${upgrade}Content-Length: 0\r\n\r\n`), 101, "an empty body");
    assert.deepEqual(site.upgraded, ["/ws"]);
  });

  test("tells a refused handshake the reason and the setting that would allow it", async () => {
    await using site = await Site.open();
    const cases = {
      [`403 Forbidden: ${HEAD}Origin: http://evil.example\r\n`]: "Pages from that address may not connect",
      "421 Misdirected Request: Host: evil.example\r\n": "This server does not serve that host name",
    };
    for (const [asked, text] of Object.entries(cases)) {
      const [, status = "", headers = ""] = /^(.*?): (.*)$/s.exec(asked) ?? [];
      const client = await site.raw(`GET /ws HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${headers}\r\n`);
      const [head = "", body = ""] = (await client.restText()).split("\r\n\r\n");
      assert.match(head, new RegExp(`^HTTP/1\\.1 ${status}\r\n[\\s\\S]*content-length: ${body.length}$`));
      assert.match(body, new RegExp(`^${text}.*--hosts.*\n$`));
      await client.close();
    }
  });

  test("ignores an offer to upgrade to another protocol", async () => {
    await using site = await Site.open();
    const client = await site.raw(
      `GET /healthz HTTP/1.1\r\n${HEAD}Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n`,
    );
    assert.match(await client.restText(), /^HTTP\/1\.1 200 OK\r\n/);
    await client.close();
  });

  test("closes the connection of a refused handshake, also after a reset", async (context) => {
    await using site = await Site.open();
    const refused = `GET / HTTP/1.1\r\n${HEAD}Origin: http://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    const polite = await site.raw(refused);
    await polite.ended();
    await polite.close();
    const rude = await site.raw(refused);
    await rude.reset();
    await until(() => site.connections === 0, "the connection has ended");

    context.mock.timers.enable({ apis: ["setTimeout"] });
    const stubborn = await site.raw(refused);
    await stubborn.ended();
    stubborn.send("and goes on sending");
    await idle();
    assert.equal(site.connections, 1);
    context.mock.timers.tick(2_000);
    context.mock.timers.reset();
    await until(() => site.connections === 0, "the connection has ended");
    await stubborn.close();
  });

  test("answers 408 to a client that does not finish a request head, also on a reused connection", async () => {
    await using site = await Site.open(40);
    const slow = await site.raw("GET / HTTP/1.1\r\n");
    const second = await site.raw(`GET /healthz HTTP/1.1\r\n${HEAD}\r\n`);
    await second.textUntil('"}\n');
    second.send("GET / HT");
    assert.match(await slow.restText(), /^HTTP\/1\.1 408 /);
    assert.match(await second.restText(), /^HTTP\/1\.1 408 /);
    await Promise.all([slow.close(), second.close()]);
  });

  test("answers 500 when a handler throws, reports it, and goes on", async () => {
    const health = {
      toJSON() {
        throw new Error("no health");
      },
    };
    await using site = await Site.open(10_000, health);
    const other = await site.raw(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    await other.textUntil("<!doctype html>");
    const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    const requests = {
      "no health": [
        `GET /healthz HTTP/1.1\r\n${HEAD}\r\n`,
        `HEAD /healthz HTTP/1.1\r\n${HEAD}\r\n`,
        `GET /healthz HTTP/1.1\r\n${HEAD}Expect: 100-continue\r\n\r\n`,
        `GET /healthz HTTP/1.1\r\n${HEAD}Expect: wonders\r\n\r\n`,
        // The requests behind the failed one are not answered.
        `GET /healthz HTTP/1.1\r\n${HEAD}\r\n`.repeat(3),
      ],
      "no upgrade": [`GET /ws?fail HTTP/1.1\r\n${HEAD}${upgrade}\r\n`],
    };
    for (const [why, texts] of Object.entries(requests)) {
      for (const text of texts) {
        const client = await site.raw(text);
        const answer = await client.restText();
        assert.match(
          answer,
          /^HTTP\/1\.1 500 [\s\S]*\r\nx-content-type-options: nosniff\r\nconnection: close\r\n/,
          text,
        );
        assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1, text);
        assert.doesNotMatch(answer, new RegExp(why));
        await client.close();
        await until(() => site.reported.length > 0, `the failure of ${text} is reported`);
        const [error, ...more] = site.reported.splice(0) as [SocketError];
        assert.equal((error.cause as Error).message, why);
        assert.deepEqual(more, []);
      }
    }
    other.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    await other.textUntil("<!doctype html>");
    await other.close();
  });

  test("keeps an idle connection past the check interval, and closes it with the gateway", async () => {
    await using site = await Site.open();
    const client = await site.raw(`GET /healthz HTTP/1.1\r\n${HEAD}\r\n`);
    await client.textUntil('"}\n');
    client.finish();
    await client.closed;
  });
});

test("HttpGateway closes the connection when a handler throws after the head of its answer", LIMIT, async () => {
  const invalid = { bytes: { length: 3 } as Buffer, type: "text/plain", etag: '"x"', isImmutable: false };
  const gateway = new HttpGateway({
    assets: new Map([["/", invalid]]),
    hosts: [],
    headersTimeoutMs: 10_000,
    health: () => ({}),
    isReady: () => true,
    upgrade: () => undefined,
  });
  const reported: Error[] = [];
  await using server = await serve(
    { host: "127.0.0.1", port: 0, onError: (error) => reported.push(error) },
    { open: (connection) => gateway.accept(connection, new Uint8Array(0)) },
  );
  const client = await RawClient.open(portOf(server.address));
  client.send(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
  assert.equal(await client.restText(), "");
  await client.close();
  await until(() => reported.length > 0, "the failure is reported");
  assert.deepEqual(
    reported.map(({ cause }) => (cause as NodeJS.ErrnoException).code),
    ["ERR_INVALID_ARG_TYPE"],
  );
  await gateway.close(100);
});

test("HttpGateway serves connections of any server, with first bytes put back", LIMIT, async () => {
  const gateway = new HttpGateway({
    assets: new Map(),
    hosts: [],
    headersTimeoutMs: 10_000,
    health: () => ({}),
    isReady: () => true,
    upgrade: () => undefined,
  });
  await using server = await serve(
    { host: "127.0.0.1", port: 0 },
    { open: (connection) => gateway.accept(connection, Buffer.from("GET / HT")) },
  );
  const client = await RawClient.open(portOf(server.address));
  client.send(`TP/1.1\r\n${HEAD}Connection: close\r\n\r\n`);
  assert.match(await client.restText(), /^HTTP\/1\.1 404 [\s\S]*npm run build:web/);
  await client.close();
  await gateway.close(100);
});
