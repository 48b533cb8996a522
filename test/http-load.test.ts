/**
 * HTTP clients that send too many requests, or do not read the responses.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TestServer } from "./chat-server.ts";
import { failOnLeaks } from "./leaks.ts";
import type { RawClient } from "./raw-client.ts";
import { turn, until } from "./until.ts";

failOnLeaks();

const LIMIT = { timeout: 300_000 };
const REQUESTS_PER_CONNECTION_MAX = 1_000;
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;

/** Counts responses without storing them. */
function countAnswers(client: RawClient): { count: number } {
  const seen = { count: 0 };
  client.socket.on("data", (chunk: Buffer) => {
    seen.count += chunk.toString("latin1").split("HTTP/1.1 ").length - 1;
  });
  return seen;
}

async function statusOf(client: RawClient): Promise<string> {
  return /^HTTP\/1\.1 (\d+)/.exec(await client.restText())?.[1] ?? "";
}

describe("pipelined requests", LIMIT, () => {
  test("are answered in order for any split", async () => {
    await using server = await TestServer.start();
    const paths = ["/healthz", "/nothing", "/readyz", "/healthz?a", "/nothing"];
    const text = paths.map(get).join("\r\n");
    for (const size of [1, 7, 40, text.length]) {
      const client = await server.connect();
      const parts = Array.from({ length: Math.ceil(text.length / size) }, (_, i) =>
        text.slice(i * size, (i + 1) * size),
      );
      await client.sendApart(parts);
      client.send(`${get("/healthz").slice(0, -2)}Connection: close\r\n\r\n`);
      const statuses = [...(await client.restText()).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
      assert.deepEqual(statuses, ["200", "404", "200", "200", "404", "200"], `in parts of ${size}`);
    }
  });

  test("do not starve chat clients", async () => {
    await using server = await TestServer.start();
    const member = await server.member("Ada", "lobby");
    const requests = REQUESTS_PER_CONNECTION_MAX - 1;
    const floods = await Promise.all(Array.from({ length: 10 }, () => server.connect()));
    const seen = floods.map(countAnswers);
    const answers = () => seen.reduce((sum, { count }) => sum + count, 0);
    for (const flood of floods) flood.send(get("/healthz").repeat(requests));
    await until(() => answers() > 0, "the first answer");
    for (let pings = 0; pings < 5; pings += 1) {
      member.send({ type: "ping", id: `${pings}` });
      assert.equal((await member.next()).id, `${pings}`);
    }
    const answered = answers();
    assert.ok(
      answered < (10 * requests) / 2,
      `${answered} of ${10 * requests} requests were answered before the chat's`,
    );
    await until(() => answers() === 10 * requests, "every request is answered");
  });

  test("are limited on one connection", async () => {
    await using server = await TestServer.start();
    const client = await server.connect();
    client.send(get("/healthz").repeat(REQUESTS_PER_CONNECTION_MAX + 50));
    const [, ...answers] = (await client.restText()).split("HTTP/1.1 ");
    assert.equal(answers.length, REQUESTS_PER_CONNECTION_MAX);
    const closing = answers.flatMap((answer, index) => (/^connection: close\r$/im.test(answer) ? [index] : []));
    assert.deepEqual(closing, [REQUESTS_PER_CONNECTION_MAX - 1]);
  });
});

describe("request rates", LIMIT, () => {
  const rates = {
    rates: "on",
    limits: { requestRate: 0.001, requestBurst: 3, requestRatePerAddress: 0.001, requestBurstPerAddress: 5 },
  } as const;

  test("limit a connection and an address: 429 has retry-after and closes the connection", async () => {
    await using server = await TestServer.start(rates);
    const first = await server.connect();
    first.send(get("/nothing").repeat(5));
    const text = await first.restText();
    assert.deepEqual(
      [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
      ["404", "404", "404", "429"],
    );
    const [, last = ""] = text.split("HTTP/1.1 429 ");
    assert.match(last, /retry-after: [1-9]\d*\r\n/i);
    assert.match(last, /connection: close\r\n/i);
    const second = await server.connect();
    second.send(get("/nothing").repeat(3));
    const statuses = [...(await second.restText()).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    assert.deepEqual(statuses, ["404", "404", "429"]);
    // WebSocket handshakes count as requests. Probes have a separate limit.
    const upgrade = await server.connect();
    upgrade.send(`${get("/ws").slice(0, -2)}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    assert.equal(await statusOf(upgrade), "429");
    const probe = await server.connect();
    probe.send(get("/healthz")).send(get("/readyz"));
    assert.match(await probe.textUntil('"ok"}\n'), /^HTTP\/1\.1 200 /);
    assert.match(await probe.textUntil('"ok"}\n'), /^HTTP\/1\.1 200 /);
  });

  test("limit probes separately", async () => {
    await using server = await TestServer.start({ rates: "on" });
    const client = await server.connect();
    client.send(get("/healthz").repeat(900));
    const statuses = [...(await client.restText()).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    assert.ok(statuses.length >= 101 && statuses.length < 900, `${statuses.length} answers`);
    assert.equal(statuses.at(-1), "429");
    const other = await server.connect();
    other.send(get("/nothing"));
    assert.match(await other.textUntil("\r\n\r\n"), /^HTTP\/1\.1 404 /);
  });
});

describe("an idle HTTP connection", LIMIT, () => {
  test("is closed, also if it sends empty lines", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    await using server = await TestServer.start();
    for (const line of ["", "\r\n"]) {
      const client = await server.connect();
      client.send(get("/healthz"));
      await client.textUntil('"ok"}\n');
      for (let seconds = 0; !client.hasEnded; seconds += 1) {
        assert.ok(seconds < 20, `still open, sending ${JSON.stringify(line)}`);
        client.send(line);
        for (let turns = 0; turns < 20; turns += 1) await turn();
        t.mock.timers.tick(1_000);
      }
      await client.close();
    }
  });
});
