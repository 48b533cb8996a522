/** Rooms after a restart, normal or after a kill, and after the system clock jumps back. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { TestServer } from "./chat-server.ts";
import { type CliProcess, landlineIn } from "./cli-process.ts";
import type { Message } from "./hub-fixture.ts";
import { failOnLeaks } from "./leaks.ts";
import { RawClient } from "./raw-client.ts";
import { until } from "./until.ts";

failOnLeaks("file");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "landline-restart-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** Says hello and joins the lobby with its history. Returns the answer to the join. */
async function enter(client: RawClient, username: string): Promise<Message> {
  // The session of the last run waits for its client for a moment.
  await until(async () => {
    client.send({ type: "hello", id: "hello", version: 2, username });
    return (await client.nextWith("id", "hello")).type === "hello";
  }, "the name is free");
  client.send({ type: "join", id: "join", room: "lobby", history: 100 });
  return client.nextWith("id", "join");
}

/** Sends a message with this id and returns the answer. */
function say(client: RawClient, id: string, message: string): Promise<Message> {
  client.send({ type: "chat", id, room: "lobby", message });
  return client.nextWith("id", id);
}

describe("a client that sends the same id before and after a restart", { timeout: 300_000 }, () => {
  const limits = { awayMs: 0, resumeMs: 0 };
  const env = { LANDLINE_AWAY_MS: "0ms", LANDLINE_RESUME_MS: "0ms" };

  /** `before` sends a message. `after` repeats it, and checks that the room has only one entry. */
  async function before(client: RawClient): Promise<Message> {
    await enter(client, "Ada");
    const first = await say(client, "1", "said once");
    assert.deepEqual([first.type, first.seq, first.duplicate], ["ack", 2, undefined]);
    return first;
  }

  async function after(client: RawClient, first: Message): Promise<void> {
    await enter(client, "ada");
    assert.deepEqual(await say(client, "1", "said once"), { ...first, duplicate: true });
    const other = await say(client, "1", "something else");
    assert.deepEqual([other.type, other.code], ["error", "id-reused"]);
    client.send({ type: "history", id: "all", room: "lobby" });
    const { entries } = await client.nextWith("id", "all");
    assert.deepEqual(
      (entries as Message[]).map(({ seq, message }) => [seq, message]),
      [
        [1, undefined],
        [2, "said once"],
      ],
    );
  }

  test("gets a duplicate ack with the first seq, and `id-reused` for another text", async () => {
    let first: Message;
    {
      await using server = await TestServer.start({ data: folder, limits });
      first = await before(await server.connect());
    }
    await using server = await TestServer.start({ data: folder, limits });
    await after(await server.connect(), first);
  });

  test("gets the same after kill -9", async () => {
    const start = async (): Promise<readonly [CliProcess, RawClient]> => {
      const server = landlineIn({ cwd: folder, env }, "serve", "--host", "127.0.0.1", "--port", "0");
      const [, port] = await server.until(/http:\/\/127\.0\.0\.1:(\d+)\/ +chat and web page/);
      return [server, await RawClient.open(Number(port))];
    };
    const [killed, client] = await start();
    await using _killed = killed;
    const first = await before(client);
    killed.child.kill("SIGKILL");
    await killed.ended;
    await client.reset();

    const [server, again] = await start();
    await using _server = server;
    await after(again, first);
    await again.close();
  });
});

describe("a clock that jumps back", { timeout: 300_000 }, () => {
  const HOUR = 3_600_000;
  const NOON = 1_795_348_800_000;

  afterEach(() => mock.timers.reset());

  /** The members send messages in turn while the clock jumps. */
  async function talk(members: readonly RawClient[], jumpsMs: readonly number[], from: number): Promise<Message[]> {
    const said: Message[] = [];
    for (const [i, jumpMs] of jumpsMs.entries()) {
      mock.timers.setTime(Date.now() + jumpMs);
      const number = from + i;
      said.push(await say(members[i % members.length] as RawClient, `${number}`, `text ${number}`));
    }
    return said;
  }

  function assertOrder(entries: readonly Message[], count: number): void {
    assert.deepEqual(
      entries.map(({ seq, prev, message }) => [seq, prev, message]),
      Array.from({ length: count }, (_, i) => [i + 2, i + 1, `text ${i + 1}`]),
    );
    const times = entries.map(({ at }) => at as number);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
  }

  for (const data of ["in memory", "in SQLite"]) {
    test(`keeps the order of messages ${data}, and no message is older than the one before`, async () => {
      mock.timers.enable({ apis: ["Date"], now: NOON });
      const options = data === "in memory" ? {} : { data: folder };
      const jumpsMs = [0, 5, -HOUR, 7, 2 * HOUR, -1, -HOUR, 0];
      let server = await TestServer.start(options);
      try {
        const members = await Promise.all(["Ada", "Bob", "Cy"].map((name) => server.member(name, "lobby")));
        const listener = await server.member("Dan", "lobby");
        const acks = await talk(members, jumpsMs, 1);
        const heard: Message[] = [];
        for (const { seq, at } of acks) {
          heard.push(await listener.nextWith("seq", seq));
          assert.equal(heard.at(-1)?.at, at, "the author and the others got different times");
        }
        assertOrder(heard, jumpsMs.length);

        let count = jumpsMs.length;
        if (data === "in SQLite") {
          await server[Symbol.asyncDispose]();
          mock.timers.setTime(NOON - 24 * HOUR);
          server = await TestServer.start(options);
          await talk([await server.member("Fay", "lobby")], jumpsMs, count + 1);
          count *= 2;
        }
        const { entries, position } = await enter(await server.connect(), "Eve");
        // The first entry names the room.
        assertOrder((entries as Message[]).slice(1), count);
        assert.equal((position as Message).seq, count + 1);
      } finally {
        await server[Symbol.asyncDispose]();
      }
    });
  }
});
