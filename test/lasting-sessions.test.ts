/** Sessions over a restart of the server, normal or after a kill. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type CliProcess, landlineIn } from "./cli-process.ts";
import type { Message } from "./hub-fixture.ts";
import { failOnLeaks } from "./leaks.ts";
import { RawClient } from "./raw-client.ts";
import { until } from "./until.ts";

failOnLeaks("file");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "landline-sessions-"));
});
afterEach(() => rm(folder, { recursive: true }));

const LONG = { LANDLINE_AWAY_MS: "1h", LANDLINE_RESUME_MS: "1h", LANDLINE_PING_MS: "1h" };
const SHORT = { LANDLINE_AWAY_MS: "0ms", LANDLINE_RESUME_MS: "0ms" };

async function start(env: Readonly<Record<string, string>>): Promise<readonly [CliProcess, number]> {
  const server = landlineIn({ cwd: folder, env }, "serve", "--host", "127.0.0.1", "--port", "0");
  const [, port] = await server.until(/http:\/\/127\.0\.0\.1:(\d+)\/ +chat and web page/);
  return [server, Number(port)];
}

async function hello(port: number, fields: object): Promise<readonly [RawClient, Message]> {
  const client = await RawClient.open(port);
  client.send({ type: "hello", id: "hello", version: 2, ...fields });
  return [client, await client.nextWith("id", "hello")];
}

let asked = 0;

async function ask(client: RawClient, request: object): Promise<Message> {
  asked += 1;
  const id = `asked ${asked}`;
  client.send({ id, ...request });
  const answer = await client.nextWith("id", id);
  assert.notEqual(answer.type, "error", JSON.stringify(answer));
  return answer;
}

/** Waits until the server has stored this many sessions, all of them in a room, and read positions. */
async function untilStored(sessions: number, positions: number): Promise<void> {
  const db = new DatabaseSync(join(folder, "data", "landline.guests"), { readOnly: true });
  try {
    const count = db.prepare(`SELECT
      count(*) FILTER (WHERE kind = 'session') AS sessions,
      count(*) FILTER (WHERE kind = 'session' AND json_array_length(value, '$.rooms') > 0) AS inRooms,
      count(*) FILTER (WHERE kind = 'read') AS positions FROM guest`);
    await until(() => {
      const stored = count.get();
      return stored?.sessions === sessions && stored.inRooms === sessions && stored.positions === positions;
    }, "the sessions are stored");
  } finally {
    db.close();
  }
}

describe("a member of a room", { timeout: 300_000 }, () => {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    test(`comes back after the server ended by ${signal}, with its name and rooms, and the others see no flicker`, async () => {
      const [first, firstPort] = await start(LONG);
      await using _first = first;
      const [ada, { session: adasToken }] = await hello(firstPort, { username: "Ada" });
      const [bob, { session: bobsToken }] = await hello(firstPort, { username: "Bob" });
      await ask(ada, { type: "join", room: "Lobby" });
      await ask(ada, { type: "join", room: "kitchen" });
      const { position } = await ask(bob, { type: "join", room: "lobby" });
      await ask(ada, { type: "chat", room: "lobby", message: "before" });
      await ask(ada, { type: "read", room: "lobby", seq: 1 });
      // A guest whose session ended, and a version 1 client, are not restored.
      const [cy] = await hello(firstPort, { username: "Cy" });
      await ask(cy, { type: "join", room: "lobby" });
      cy.send({ type: "bye" });
      await cy.ended();
      const dan = await RawClient.open(firstPort);
      dan.send({ type: "join", room: "lobby", username: "Dan" });
      await dan.nextWith("message", "Dan joined Lobby");
      await untilStored(2, 1);
      first.child.kill(signal);
      await first.ended;
      for (const client of [ada, bob, cy, dan]) await client.reset();

      const [second, port] = await start(LONG);
      await using _second = second;
      const [bobAgain, bobsHello] = await hello(port, { session: bobsToken, attempt: 1 });
      assert.deepEqual([bobsHello.type, bobsHello.username, bobsHello.rooms], ["hello", "Bob", ["Lobby"]]);
      const joined = await ask(bobAgain, { type: "join", room: "lobby", after: position });
      assert.deepEqual((joined.members as string[]).toSorted(), ["Ada", "Bob"]);
      assert.equal(joined.recovered, true);
      for (const username of ["ada", "Ad\u0430", "Ada"]) {
        const [thief, refused] = await hello(port, { username });
        assert.deepEqual([refused.type, refused.code], ["error", "name-in-use"], username);
        await thief.reset();
      }
      const [adaAgain, adasHello] = await hello(port, { session: adasToken, attempt: 1 });
      assert.deepEqual([adasHello.type, adasHello.username, adasHello.rooms], ["hello", "Ada", ["Lobby", "kitchen"]]);
      const back = await ask(adaAgain, { type: "join", room: "lobby" });
      assert.deepEqual([back.read, (back.members as string[]).toSorted()], [1, ["Ada", "Bob"]]);
      await ask(adaAgain, { type: "chat", room: "lobby", message: "after" });
      const heard = await bobAgain.next();
      assert.deepEqual([heard.type, heard.message], ["chat", "after"], "Bob saw a flicker");
      // The others are free.
      for (const username of ["Cy", "Dan"]) {
        const [client, greeted] = await hello(port, { username });
        assert.equal(greeted.type, "hello", username);
        await client.reset();
      }
      second.child.kill(signal);
      await second.ended;
      for (const client of [bobAgain, adaAgain]) await client.reset();

      // A session that waited for `resumeMs` ends.
      const [third, thirdPort] = await start(SHORT);
      await using _third = third;
      await until(async () => {
        const [client, { type }] = await hello(thirdPort, { username: "Ada" });
        await client.reset();
        return type === "hello";
      }, "the name is free");
      const [late, refused] = await hello(thirdPort, { session: adasToken, attempt: 2 });
      assert.equal(refused.code, "session-unknown");
      await late.reset();
    });
  }
});
