/**
 * Hundreds of clients join at once, as after a restart or a network failure. Each must know all members in the end, from
 * its member list and the presence events after it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { TestServer } from "./chat-server.ts";
import type { Message } from "./hub-fixture.ts";
import { failOnLeaks } from "./leaks.ts";
import { RawClient } from "./raw-client.ts";
import { until } from "./until.ts";

failOnLeaks();

const NAMES = Array.from({ length: 300 }, (_, i) => `user${i}`);
const EVERYBODY = NAMES.toSorted();

/** A client that joins, tracks the members from events, and rejoins. */
class Visitor {
  readonly name: string;
  readonly #port: number;
  #client: RawClient | undefined;
  #session: string | undefined;
  #reading: Promise<void> | undefined;
  /** The members according to the received events. */
  members: Set<string> | undefined;
  count = 0;
  /** The first wrong message, as an error. */
  failure: unknown;

  constructor(port: number, name: string) {
    this.#port = port;
    this.name = name;
  }

  async come(): Promise<void> {
    const client = await RawClient.open(this.#port);
    this.#client = client;
    this.members = undefined;
    const mine = this.#session === undefined ? { username: this.name } : { session: this.#session };
    client.send({ type: "hello", version: 2, ...mine }, { type: "join", room: "lobby" });
    this.#reading = this.#read(client).catch((error) => {
      this.failure = error;
    });
  }

  /** Resets the connection. */
  async break(): Promise<void> {
    await this.#client?.reset();
    await this.#reading;
  }

  async #read(client: RawClient): Promise<void> {
    for await (const message of messages(client)) this.#hear(message, client);
  }

  #hear(message: Message, client: RawClient): void {
    if (message.type === "hello") this.#session = message.session as string;
    else if (message.code === "session-unknown") {
      client.send({ type: "hello", version: 2, username: this.name }, { type: "join", room: "lobby" });
    } else if (message.type === "joined") {
      this.members = new Set(message.members as string[]);
      this.count = message.count as number;
      assert.equal(this.members.size, this.count);
    } else if (message.type === "presence" && this.members !== undefined) {
      const { username, state } = message as Message & { readonly username: string };
      const isNews = state === "joined" ? !this.members.has(username) : this.members.delete(username);
      if (state === "joined") this.members.add(username);
      assert.ok(isNews, `${this.name} is told again that ${username} ${state}`);
      this.count += state === "joined" ? 1 : -1;
      assert.ok(this.count <= NAMES.length, `${this.name} counts ${this.count} of ${NAMES.length}`);
    }
  }

  knowsEverybody(): boolean {
    return this.members?.size === NAMES.length && this.count === NAMES.length;
  }
}

async function* messages(client: RawClient): AsyncGenerator<Message> {
  for (;;) {
    const message = await client.next().catch(() => undefined);
    if (message === undefined) return;
    yield message;
  }
}

describe("300 clients that join at once", { timeout: 300_000 }, () => {
  for (const kept of ["on disk", "in memory"]) {
    test(`each know all members, with rooms ${kept}`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "landline-mass-"));
      const data = kept === "on disk" ? { data: folder } : {};
      await using server = await TestServer.start({ ...data, limits: { membersMax: 1_000 } });
      const visitors = NAMES.map((name) => new Visitor(server.port, name));
      const failures = () => visitors.map(({ failure }) => failure).filter((failure) => failure !== undefined);
      try {
        for (let round = 0; round < 2; round += 1) {
          await Promise.all(
            visitors.map(async (visitor) => {
              await visitor.break();
              await visitor.come();
            }),
          );
          const missing = () => visitors.filter((visitor) => !visitor.knowsEverybody()).length;
          await until(
            () => failures().length > 0 || missing() === 0,
            () => `${missing()} clients do not know all members in round ${round}`,
            60_000,
          );
          assert.deepEqual(failures(), []);
          for (const { members } of visitors) assert.deepEqual([...(members ?? [])].sort(), EVERYBODY);
        }
      } finally {
        await Promise.all(visitors.map((visitor) => visitor.break()));
        await server.close();
        await rm(folder, { recursive: true });
      }
    });
  }
});
