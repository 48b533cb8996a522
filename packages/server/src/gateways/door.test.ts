import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { startServer } from "@landline/server";
import { WebSocket } from "ws";
import { portOf, TestServer } from "../../../../test/chat-server.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { RawClient } from "../../../../test/raw-client.ts";
import { idle } from "../../../../test/until.ts";

failOnLeaks();

const LIMIT = { timeout: 300_000 };
/** Longer than any test takes. */
const NEVER_MS = 1_000_000;
const GET = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

describe("Door", LIMIT, () => {
  test("welcomes a client that waits for the server to speak first", async () => {
    await using server = await TestServer.start({ silentMs: 1, sniffMs: NEVER_MS });
    const client = await server.connect();
    assert.equal((await client.next()).type, "welcome");
    client.send({ type: "ping" });
    assert.equal((await client.next()).type, "pong");
  });

  test("sends nothing on a connection that a browser opened early, and answers its later request", async () => {
    await using server = await TestServer.start();
    const early = await server.connect();
    await idle();
    early.send(GET);
    assert.match(await early.textUntil("\r\n\r\n"), /^HTTP\/1\.1 200 OK\r\n/);
  });

  test("welcomes a client whose first bytes do not show its protocol in time, and the chat judges its next bytes", async () => {
    await using server = await TestServer.start({ sniffMs: 1 });
    const client = await server.connect();
    client.send("tr");
    assert.equal((await client.next()).type, "welcome");
    client.send("ue\n");
    assert.equal((await client.next()).code, "invalid-request");
    const http = await server.connect();
    http.send("GE");
    assert.equal((await http.next()).type, "welcome");
    http.send("T / HTTP/1.1\r\n\r\n");
    assert.equal((await http.rest()).at(-1)?.code, "protocol-error");
  });

  test("detects HTTP by its first line, split at any byte", async () => {
    await using server = await TestServer.start({ sniffMs: NEVER_MS });
    for (let cut = 1; cut < 10; cut += 1) {
      const client = await server.connect();
      await client.sendApart([GET.slice(0, cut), GET.slice(cut)]);
      assert.match(await client.textUntil("\r\n\r\n"), /^HTTP\/1\.1 200 OK\r\n/, `cut at ${cut}`);
    }
    const slow = await server.connect();
    await slow.sendApart(GET);
    assert.match(await slow.textUntil("\r\n\r\n"), /^HTTP\/1\.1 200 OK\r\n/);
  });

  test("closes a connection that ends without a byte", async () => {
    await using server = await TestServer.start();
    const client = await server.connect();
    client.finish();
    assert.equal(await client.restText(), "");
    await client.closed;
  });

  test("answers a connection that ends before its protocol is detected", async () => {
    await using server = await TestServer.start({ sniffMs: NEVER_MS });
    const client = await server.connect();
    client.send("nonsense").finish();
    assert.deepEqual(
      (await client.rest()).map(({ message, type }) => (type === "welcome" ? type : message)),
      ["welcome", "Invalid JSON"],
    );
  });

  test("limits connections of all protocols to connectionsMax, and accepts again when some have left", async () => {
    await using server = await TestServer.start({ connectionsMax: 2 });
    const chat = await server.seedMember("Ada", "lobby");
    const http = await server.connect();
    http.send(GET);
    await http.textUntil("\r\n\r\n");
    // The reset may arrive before the client sees that it was connected.
    const third = await server.connect().catch(() => undefined);
    assert.equal((await third?.restText()) ?? "", "");
    await http.reset();
    await chat.reset();
    await idle();
    await server.seedMember("Ada", "lobby");
  });

  test("limits connections to connectionsPerAddressMax per address, unless rates are off", async () => {
    const limits = { connectionsPerAddressMax: 2, connectionRatePerAddress: 0.001, connectionBurstPerAddress: 4 };
    await using server = await TestServer.start({ ...limits, rates: "on" });
    const chat = await server.seedMember("Ada", "lobby");
    const http = await server.connect();
    http.send(GET);
    await http.textUntil("\r\n\r\n");
    const third = await server.connect().catch(() => undefined);
    assert.equal((await third?.restText()) ?? "", "");
    await http.reset();
    await chat.reset();
    await idle();
    await server.seedMember("Ada", "lobby");
    await (await server.seedMember("Bob", "lobby")).reset();
    await idle();
    // There is room, but it was the fifth connection at once.
    const fifth = await server.connect().catch(() => undefined);
    assert.equal((await fifth?.restText()) ?? "", "");

    await using open = await TestServer.start({ ...limits, rates: "off" });
    for (let i = 0; i < 5; i += 1) await open.seedMember(`member${i}`, "lobby");
  });

  test("frees all resources of a connection that is reset at any moment", async () => {
    await using server = await TestServer.start();
    for (const text of ["", "G", "GET ", GET.slice(0, 30), GET, "{", '{"type":"ping"}', "\0\0\0\u0002{"]) {
      const client = await server.connect();
      await client.sendApart([text]);
      await client.reset();
    }
    await server.seedMember("Ada", "lobby");
  });
});

describe("ChatServer.close()", LIMIT, () => {
  test("says goodbye to every kind of client and leaves no connection open", async () => {
    await using server = await TestServer.start();
    const seed = await server.seedMember("Ada", "lobby");
    const member = await server.member("Bob", "lobby");
    const prefixed = await server.connect();
    prefixed.sendPrefixed({ type: "ping" });
    await prefixed.nextWith("type", "pong", "prefixed");
    const idle = await server.connect();
    idle.send(GET);
    await idle.textUntil("\r\n\r\n");
    const webSocket = new WebSocket(`ws://127.0.0.1:${server.port}/`);
    const heard: string[] = [];
    webSocket.on("message", (data) => heard.push(String(data)));
    await once(webSocket, "open");
    const closed = once(webSocket, "close");

    const done = server.close();
    assert.equal(server.close(), done);
    const bye = { code: "shutdown", message: "The server is shutting down" };
    assert.deepEqual((await seed.rest()).at(-1), { type: "error", ...bye });
    assert.deepEqual((await member.rest()).at(-1), { type: "bye", ...bye, reconnect: true, afterMs: 1 });
    assert.deepEqual((await prefixed.rest("prefixed")).at(-1), { type: "error", ...bye });
    const [code, reason] = await closed;
    assert.deepEqual([code, String(reason)], [1013, "The server is shutting down"]);
    assert.deepEqual(JSON.parse(heard.at(-1) as string), { type: "error", ...bye });
    for (const client of [seed, member, prefixed, idle]) client.finish();
    await done;
    await Promise.all([seed, member, prefixed, idle].map((client) => client.closed));
    await assert.rejects(RawClient.open(server.port));
  });

  test("resets clients that do not close", async () => {
    await using server = await TestServer.start({ drainMs: 50, headersTimeoutMs: NEVER_MS });
    const stubborn = await server.seedMember("Ada", "lobby");
    const half = await server.connect();
    half.send("GET / HTTP/1.1\r\n");
    const undecided = await server.connect();
    undecided.send("G");
    await idle();
    // None of them ever ends its own side.
    await server.close();
    for (const client of [stubborn, half, undecided]) {
      await client.ended();
      await client.close();
    }
  });

  test("sends no welcome to a silent client whose wait ends during the close", async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const server = await startServer({ host: "127.0.0.1", port: 0, silentMs: 10, sniffMs: 10, drainMs: 1_000 });
    const port = portOf(server.address);
    const silent = await RawClient.open(port);
    const undecided = await RawClient.open(port);
    undecided.send("G");
    await idle();
    const closed = server.close();
    await idle();
    context.mock.timers.tick(20);
    context.mock.timers.tick(1_000);
    await closed;
    assert.equal(await silent.restText(), "");
    assert.equal(await undecided.restText(), "");
    for (const client of [silent, undecided]) {
      client.finish();
      await client.closed;
    }
  });

  test("finishes at once without clients, and is idempotent", async () => {
    const server = await startServer({ host: "127.0.0.1", port: 0 });
    await server.close();
    await server.close();
  });

  test("startServer() leaves nothing open when it cannot listen", async () => {
    await using server = await TestServer.start();
    await assert.rejects(startServer({ host: "127.0.0.1", port: server.port }), { code: "address-in-use" });
  });
});
