/** The session of a ChatClient on a real server: resumed by a later client, shared, and ended. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ChatClient, type SessionStore, type StoredSession, websocketLink } from "@landline/client";
import { tcpLink } from "@landline/client/tcp";
import type { EntryMessage } from "@landline/protocol";
import { TestServer } from "./chat-server.ts";
import type { Message } from "./hub-fixture.ts";
import type { RawClient } from "./raw-client.ts";

/** Without a limit that a slow machine could reach. */
const PATIENT = { limits: { awayMs: 600_000, resumeMs: 1_200_000 } } as const;

const LINKS = {
  tcp: (port: number) => tcpLink({ host: "127.0.0.1", port }),
  websocket: (port: number) => websocketLink(`ws://127.0.0.1:${port}/ws`),
};

class MemoryStore implements SessionStore {
  stored: StoredSession | undefined;

  load(): StoredSession | undefined {
    return this.stored;
  }

  save(session: StoredSession | undefined): void {
    this.stored = session;
  }
}

/** Reads what the client was sent until a chat message with this text. */
async function heardUntil(client: RawClient, text: string): Promise<readonly Message[]> {
  const heard: Message[] = [];
  for (;;) {
    const message = await client.next();
    heard.push(message);
    if (message.type === "chat" && message.message === text) return heard;
  }
}

function presences(heard: readonly Message[]): readonly string[] {
  return heard.filter(({ type }) => type === "presence").map(({ username, state }) => `${username} ${state}`);
}

function messagesOf(entries: readonly EntryMessage[]): readonly string[] {
  return entries.filter((entry) => entry.type === "chat").map(({ message }) => message);
}

for (const [name, linkTo] of Object.entries(LINKS)) {
  describe(`the session of a ChatClient over ${name}`, () => {
    test("a later client resumes it in all rooms, and nobody sees it", async () => {
      await using server = await TestServer.start(PATIENT);
      const link = linkTo(server.port);
      const cy = await server.member("cy", "lobby", "den");
      const sessionStore = new MemoryStore();
      const first = new ChatClient(link, { username: "ada", sessionStore });
      await first.connect();
      for (const room of ["lobby", "den"]) await first.join(room);
      await first.chat("lobby", "before");
      assert.deepEqual(presences(await heardUntil(cy, "before")), ["ada joined", "ada joined"]);
      // Each client ends without a word at another point.
      first.disconnect();
      const second = new ChatClient(link, { sessionStore });
      const connecting = second.connect();
      second.disconnect();
      await assert.rejects(connecting, { code: "closed" });
      const third = new ChatClient(link, { sessionStore });
      await third.connect();
      third.disconnect();

      await using ada = new ChatClient(link, { sessionStore });
      const { rooms } = await ada.connect();
      assert.deepEqual([ada.username, [...rooms].sort()], ["ada", ["den", "lobby"]]);
      const { entries, members } = await ada.join("lobby", { history: 10 });
      assert.deepEqual([messagesOf(entries), members.length], [["before"], 2]);
      await ada.chat("lobby", "after");
      assert.deepEqual(presences(await heardUntil(cy, "after")), []);
      await ada.leave("den");
      const left = await cy.nextWith("type", "presence");
      assert.deepEqual([left.room, left.username, left.state], ["den", "ada", "left"]);
    });

    test("close() stores what was sent, leaves all rooms and frees the name before it resolves", async () => {
      await using server = await TestServer.start(PATIENT);
      const link = linkTo(server.port);
      const cy = await server.member("cy", "lobby", "den");
      const sessionStore = new MemoryStore();
      const ada = new ChatClient(link, { username: "ada", sessionStore });
      await ada.connect();
      for (const room of ["lobby", "den"]) await ada.join(room);
      const chats = Array.from({ length: 200 }, (_, i) => ada.chat("lobby", `message ${i}`));
      const settled = Promise.allSettled(chats);
      await ada.close();
      await settled;
      assert.equal(sessionStore.stored, undefined);
      await using next = new ChatClient(link, { username: "ADA" });
      await next.connect();
      const { members } = await next.join("lobby");
      assert.deepEqual([...members].sort(), ["ADA", "cy"]);
      const { entries } = await next.history("lobby", { limit: 200 });
      assert.deepEqual(
        messagesOf(entries),
        Array.from({ length: 200 }, (_, i) => `message ${i}`),
      );
      const heard = await heardUntil(cy, "message 199");
      assert.deepEqual(presences(heard), ["ada joined", "ada joined"]);
      const after = [await cy.nextWith("type", "presence"), await cy.nextWith("type", "presence")];
      assert.deepEqual(presences(after), ["ada left", "ada left"]);
    });

    test("a shared user is one member, and stays until its last session ends", async () => {
      await using server = await TestServer.start(PATIENT);
      const link = linkTo(server.port);
      const cy = await server.member("cy", "lobby");
      const sessionStore = new MemoryStore();
      await using first = new ChatClient(link, { username: "ada", sessionStore });
      await first.connect();
      await first.join("lobby");
      const own = new MemoryStore();
      await using second = new ChatClient(link, { share: sessionStore.stored?.token ?? "", sessionStore: own });
      assert.deepEqual(await second.connect(), { rooms: [] });
      assert.equal(second.username, "ada");
      assert.notEqual(own.stored?.token, sessionStore.stored?.token);
      const { count } = await second.join("lobby");
      assert.equal(count, 2);
      await first.close();
      await second.chat("lobby", "one left");
      assert.deepEqual(presences(await heardUntil(cy, "one left")), ["ada joined"]);
      await second.close();
      assert.deepEqual(presences([await cy.nextWith("type", "presence")]), ["ada left"]);
    });

    test("a client whose session another one takes over closes, and keeps the store for the other", async () => {
      await using server = await TestServer.start(PATIENT);
      const link = linkTo(server.port);
      const sessionStore = new MemoryStore();
      await using first = new ChatClient(link, { username: "ada", sessionStore });
      const closed = new Promise<string | undefined>((resolve) => {
        first.on((event) => {
          if (event.type === "state" && event.state === "closed") resolve(event.error?.code);
        });
      });
      await first.connect();
      await first.join("lobby");
      await using second = new ChatClient(link, { sessionStore });
      assert.deepEqual(await second.connect(), { rooms: ["lobby"] });
      assert.equal(await closed, "bye");
      await first.close();
      assert.equal(sessionStore.stored?.attempt, 2);
      await second.join("lobby");
      await second.chat("lobby", "mine now");
    });
  });
}
