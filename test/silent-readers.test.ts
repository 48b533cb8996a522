/**
 * Clients that stop reading: the server disconnects them after `sendTimeoutMs`, in every protocol.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { WebSocket } from "ws";
import { TestServer } from "./chat-server.ts";
import { failOnLeaks } from "./leaks.ts";
import type { RawClient } from "./raw-client.ts";

failOnLeaks();

const LIMIT = { timeout: 300_000 };
/** MESSAGES_MAX of these exceed the kernel's buffers. */
const TEXT = "x".repeat(16_000);
const MESSAGES_MAX = 2_000;

/** A server with a short `sendTimeoutMs`. Its other limits are too high to disconnect a client. */
function startServer(): Promise<TestServer> {
  return TestServer.start({ sendTimeoutMs: 100, limits: { outboxBytesMax: 1e9, pingMs: 1e6, awayMs: 0, resumeMs: 0 } });
}

/** Sends messages until the member has left. */
async function talkUntilLeft(speaker: RawClient, username: string): Promise<void> {
  for (let said = 0; said < MESSAGES_MAX; said += 1) {
    speaker.send({ type: "chat", id: `${said}`, message: TEXT });
    for (;;) {
      const message = await speaker.next();
      if (message.type === "presence") {
        assert.deepEqual([message.username, message.state], [username, "left"]);
        return;
      }
      if (message.id === `${said}`) break;
    }
  }
  // Enough was sent. Now only wait.
  assert.equal((await speaker.nextWith("state", "left")).username, username);
}

describe("a member that stops reading and keeps its connection open", LIMIT, () => {
  const kinds: Readonly<Record<string, (server: TestServer) => Promise<() => void>>> = {
    "version 1": async (server) => {
      const client = await server.seedMember("Bob", "lobby");
      client.socket.pause();
      return () => undefined;
    },
    "version 1, length-prefixed": async (server) => {
      const client = await server.connect();
      client.sendPrefixed({ type: "join", room: "lobby", username: "Bob" });
      await client.nextWith("type", "notification", "prefixed");
      client.socket.pause();
      return () => undefined;
    },
    "version 2": async (server) => {
      const client = await server.member("Bob", "lobby");
      client.socket.pause();
      return () => undefined;
    },
    WebSocket: async (server) => {
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`).on("error", () => undefined);
      await once(socket, "open");
      socket.send(JSON.stringify({ type: "join", room: "lobby", username: "Bob" }));
      let texts = "";
      while (!texts.includes("joined")) texts += String((await once(socket, "message"))[0]);
      socket.pause();
      return () => socket.terminate();
    },
  };
  for (const [kind, join] of Object.entries(kinds)) {
    test(`is disconnected (${kind})`, async () => {
      await using server = await startServer();
      const speaker = await server.member("Ada", "lobby");
      const leave = await join(server);
      await speaker.nextWith("state", "joined");
      await talkUntilLeft(speaker, "Bob");
      // Its name is free again.
      await server.member("Bob", "lobby");
      leave();
    });
  }

  test("is disconnected although it keeps sending", async () => {
    await using server = await startServer();
    const speaker = await server.member("Ada", "lobby");
    const client = await server.member("Bob", "lobby");
    await speaker.nextWith("state", "joined");
    client.socket.pause();
    const talking = setInterval(() => client.send({ type: "typing", room: "lobby" }), 10);
    try {
      for (let said = 0; ; said += 1) {
        assert.ok(said < MESSAGES_MAX, "it was never disconnected");
        speaker.send({ type: "chat", id: `${said}`, message: TEXT });
        const message = await speaker.nextWith("type", "ack");
        assert.equal(message.id, `${said}`);
        speaker.send({ type: "who", id: "who", room: "lobby" });
        if ((await speaker.nextWith("id", "who")).count === 1) break;
      }
    } finally {
      clearInterval(talking);
    }
  });
});
