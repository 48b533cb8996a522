import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ChatClient } from "@landline/client";
import { tcpLink } from "@landline/client/tcp";
import { DEFAULT_CONFIG } from "../packages/server/src/config.ts";
import { Door } from "../packages/server/src/gateways/door.ts";
import { HttpGateway } from "../packages/server/src/gateways/http.ts";
import { TestServer } from "./chat-server.ts";
import { type CliProcess, landlineIn } from "./cli-process.ts";
import { failOnLeaks } from "./leaks.ts";
import { RawClient } from "./raw-client.ts";

failOnLeaks();

const TIMEOUT = { timeout: 300_000 };
const HALF_A_REQUEST = "GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n";

/** Starts a server in a child process. */
function serve(env: Readonly<Record<string, string>> = {}): CliProcess {
  return landlineIn({ env: { LANDLINE_DURABILITY: "memory", ...env } }, "serve", "--port", "0");
}

async function portOf(server: CliProcess): Promise<number> {
  return Number((await server.until(/localhost:(\d+)\//))[1]);
}

async function enter(port: number, username: string): Promise<RawClient> {
  const client = await RawClient.open(port);
  client.send({ type: "hello", version: 2, username }, { type: "join", id: "j", room: "lobby" });
  await client.nextWith("id", "j");
  return client;
}

describe("a stopping server", TIMEOUT, () => {
  test("is not ready, accepts no new client, and still answers connected clients", async () => {
    await using server = await TestServer.start({ drainMs: 30_000 });
    const asking = await server.connect();
    asking.send(`${HALF_A_REQUEST}\r\n`);
    assert.match(await asking.textUntil('"ok"}\n'), /^HTTP\/1\.1 200 /);
    asking.send(HALF_A_REQUEST);
    const ada = await server.member("Ada", "lobby");
    // Ada's answer proves that the server has also read the half request.
    const done = server.close();
    assert.equal((await ada.nextWith("type", "bye")).code, "shutdown");
    asking.send("\r\n");
    assert.match(await asking.textUntil("}\n"), /^HTTP\/1\.1 503 .*"shutting down"/s);
    // The connection is refused or reset.
    await assert.rejects(async () => (await RawClient.open(server.port)).next());
    ada.finish();
    asking.finish();
    await done;
  });

  test("answers new HTTP connections with 503 and accepts no other client", async () => {
    let isReady = true;
    const http = new HttpGateway({
      assets: new Map(),
      hosts: [],
      headersTimeoutMs: 10_000,
      health: () => ({ status: "ok" }),
      isReady: () => isReady,
      upgrade: () => assert.fail("a client was accepted"),
    });
    const chat = (): never => assert.fail("a client was accepted");
    const door = await Door.open(
      { ...DEFAULT_CONFIG, host: "127.0.0.1", port: 0, report: assert.ifError },
      {
        json: chat,
        jsonPrefixed: chat,
        silent: chat,
        http: (connection, firstBytes) => http.accept(connection, firstBytes),
      },
    );
    isReady = false;
    door.refuse();
    const { port } = door.address;
    assert.ok(port !== undefined);
    const ask = async (path: string, header = ""): Promise<string> => {
      const client = await RawClient.open(port);
      client.send(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${header}\r\n`);
      client.finish();
      return client.restText();
    };
    assert.match(await ask("/readyz"), /^HTTP\/1\.1 503 .*connection: close.*"shutting down"/is);
    assert.match(await ask("/healthz"), /^HTTP\/1\.1 200 .*connection: close.*"ok"/is);
    assert.match(await ask("/"), /^HTTP\/1\.1 503 /);
    assert.match(await ask("/ws", "Upgrade: websocket\r\nConnection: Upgrade\r\n"), /^HTTP\/1\.1 503 /);
    const chatting = await RawClient.open(port);
    chatting.send({ type: "ping" });
    await assert.rejects(chatting.next());
    await http.close(1_000);
    await door.close(1_000);
  });

  test("acknowledges every message that it delivers", async () => {
    await using server = await TestServer.start();
    const ada = await server.member("Ada", "lobby");
    const bob = await server.member("Bob", "lobby");
    for (let i = 0; i < 500; i += 1) ada.send({ type: "chat", id: `${i}`, room: "lobby", message: `${i}` });
    await ada.nextWith("id", "0");
    const done = server.close();
    const acknowledged = (await ada.rest()).filter(({ type }) => type === "ack").map(({ id }) => id);
    const shown = (await bob.rest()).filter(({ type }) => type === "chat").map(({ message }) => message);
    assert.deepEqual(["0", ...acknowledged], shown);
    ada.finish();
    bob.finish();
    await done;
  });

  test("handles requests that have arrived but are not read yet", async () => {
    await using server = await TestServer.start();
    const authors = await Promise.all(["Ada", "Bob", "Cy"].map((name) => server.member(name, name)));
    const ids = Array.from({ length: 100 }, (_, i) => `${i}`);
    for (const author of authors) {
      // The kernel takes this write at once. The server gets no turn to read it before close().
      author.send(ids.map((id) => `${JSON.stringify({ type: "chat", id, message: "x" })}\n`).join(""));
    }
    const done = server.close();
    for (const author of authors) {
      const answers = await author.rest();
      assert.deepEqual(
        answers.map(({ type, id }) => (type === "ack" ? id : type)),
        [...ids, "bye"],
      );
      author.finish();
    }
    await done;
  });

  test("tells each client a different time to reconnect, which ChatClient obeys", async () => {
    await using server = await TestServer.start();
    const crowd = await Promise.all(Array.from({ length: 1_000 }, () => server.connect()));
    // After the answer, the server counts the connection as a chat client.
    for (const client of crowd) client.send({ type: "ping" });
    for (const client of crowd) await client.nextWith("type", "pong");
    await using ada = new ChatClient(tcpLink({ host: "127.0.0.1", port: server.port }), { username: "Ada" });
    await ada.connect();
    const waiting = Promise.withResolvers<readonly [retryAtMs: number, nowMs: number]>();
    let afterMs: number | undefined;
    ada.on((event) => {
      if (event.type === "bye") afterMs = event.afterMs;
      if (event.type === "state" && event.retryAtMs !== undefined) waiting.resolve([event.retryAtMs, Date.now()]);
    });
    const beforeMs = Date.now();
    const done = server.close();
    const [retryAtMs, toldAtMs] = await waiting.promise;
    assert.equal(afterMs, 1_000, "a thousand clients must reconnect within one second");
    // The goodbye came between these two times. The client's own backoff would be at most half a second.
    assert.ok(retryAtMs >= beforeMs + 1_000 && retryAtMs <= toldAtMs + 1_000, `${retryAtMs - toldAtMs} ms`);
    await done;
  });
});

describe("landline serve", TIMEOUT, () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    test(`says goodbye to everyone on ${signal} and exits with 0`, async () => {
      await using server = serve();
      const client = await enter(await portOf(server), "Ada");
      server.child.kill(signal);
      const [bye, ...rest] = (await client.rest()).filter(({ type }) => type !== "presence");
      assert.deepEqual([bye?.type, bye?.code, bye?.reconnect, rest], ["bye", "shutdown", true, []]);
      await client.close();
      assert.equal((await server.ended).code, 0);
    });
  }

  test("ends at once on a second signal", async () => {
    await using server = serve({ LANDLINE_DRAIN_MS: "1h", LANDLINE_HEADERS_TIMEOUT_MS: "1h" });
    const port = await portOf(server);
    // An unfinished request keeps the server waiting.
    const slow = await RawClient.open(port);
    slow.send(HALF_A_REQUEST);
    const ada = await enter(port, "Ada");
    server.child.kill("SIGTERM");
    await ada.nextWith("type", "bye");
    await ada.close();
    assert.equal(server.child.exitCode, null);
    server.child.kill("SIGTERM");
    assert.equal((await server.ended).code, 143);
    await slow.close();
  });

  test("disconnects remaining clients after drainMs and exits with 0", async () => {
    await using server = serve({ LANDLINE_DRAIN_MS: "100ms" });
    const port = await portOf(server);
    const slow = await RawClient.open(port);
    slow.send(HALF_A_REQUEST);
    const ada = await enter(port, "Ada");
    server.child.kill("SIGTERM");
    assert.equal((await server.ended).code, 0);
    await Promise.all([slow.close(), ada.close()]);
  });
});
