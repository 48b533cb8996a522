/**
 * Kills the server at random moments while clients chat. Every acknowledged message is stored once and in order, and
 * returning clients receive each message once. `LANDLINE_LONG=1` runs 20 rounds.
 */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ChatClient, type ChatClientEvent, type ChatClientOptions, type OpenLink } from "@landline/client";
import { tcpLink } from "@landline/client/tcp";
import type { ChatMessage } from "@landline/protocol";
import { type CliProcess, landlineIn } from "./cli-process.ts";

const ROUNDS = process.env.LANDLINE_LONG === "1" ? 20 : 3;
const ROOMS = ["lobby", "kitchen"];
const SENDERS = 5;
const READERS = 3;
/** Unacknowledged messages of one sender. */
const IN_FLIGHT = 4;
/** Most acknowledgements to wait for before the next kill. */
const ACKS_MAX = 400;

/** An acknowledged message. */
interface Acknowledged {
  readonly room: string;
  readonly text: string;
  readonly seq: number;
}

const impatient: ChatClientOptions = { backoffMinMs: 10, backoffMaxMs: 100, ackTimeoutMs: 20_000 };

describe("kill -9 of the server", () => {
  for (const durability of ["disk", "process"]) {
    test(`loses no acknowledged message with durability ${durability}`, { timeout: 600_000 }, async () => {
      const folder = await mkdtemp(join(tmpdir(), "landline-kill-"));
      let port = 0;
      // Each server takes a new port: another program could take a released one. Clients use the newest.
      const start = async (): Promise<CliProcess> => {
        const started = landlineIn(
          { cwd: folder, env: { LANDLINE_HISTORY_MAX: "100000", LANDLINE_OUTBOX_BYTES_MAX: "64MiB" } },
          ...["serve", "--host", "127.0.0.1", "--port", "0", "--rates", "off", "--durability", durability],
        );
        port = Number((await started.until(/http:\/\/127\.0\.0\.1:(\d+)\/ +chat and web page/))[1]);
        return started;
      };
      const link: OpenLink = (handlers, signal) => tcpLink({ host: "127.0.0.1", port })(handlers, signal);
      let server = await start();
      const readers: Reader[] = [];
      const senders: Reader[] = [];
      const talking = new AbortController();
      try {
        const acknowledged: Acknowledged[] = [];
        const progress = new Progress();
        for (let i = 0; i < READERS; i += 1) readers.push(await Reader.open(link, `reader${i}`));
        for (let i = 0; i < SENDERS; i += 1) senders.push(await Reader.open(link, `sender${i}`));
        const talks = senders.map(({ client }) =>
          talk(client, talking.signal, (ack) => {
            acknowledged.push(ack);
            progress.made();
          }),
        );
        for (let round = 0; round < ROUNDS; round += 1) {
          await progress.until(acknowledged.length + randomInt(20, ACKS_MAX), () => acknowledged.length);
          server.child.kill("SIGKILL");
          assert.doesNotMatch((await server.ended).stderr, /lost data/, "a kill was reported as data loss");
          server = await start();
        }
        await progress.until(acknowledged.length + 20, () => acknowledged.length);
        talking.abort();
        await Promise.all(talks);

        const logs = new Map<string, readonly ChatMessage[]>();
        for (const room of ROOMS) logs.set(room, await wholeLog(link, room));
        for (const [room, entries] of logs) {
          // All entries are there, in order.
          let prev = 0;
          for (const entry of entries) {
            assert.equal(entry.prev, prev, `${room}: entry ${entry.seq} follows ${prev} but has prev ${entry.prev}`);
            assert.ok((entry.seq ?? 0) > prev);
            prev = entry.seq ?? 0;
          }
          assert.equal(
            new Set(entries.map(({ message }) => message)).size,
            entries.length,
            `${room}: a message is stored twice`,
          );
        }
        for (const { room, text, seq } of acknowledged) {
          assert.equal(
            logs.get(room)?.find((entry) => entry.seq === seq)?.message,
            text,
            `${text} was acknowledged but is not stored`,
          );
        }
        for (const reader of [...readers, ...senders]) {
          assert.deepEqual(reader.faults, []);
          for (const [room, entries] of logs) {
            // The first entry names the room.
            const others = entries.slice(1).filter(({ username }) => username !== reader.client.username);
            assert.deepEqual(
              await reader.seenUpTo(room, others.at(-1)?.seq ?? 0),
              others.map(({ message }) => message),
            );
          }
        }
      } finally {
        talking.abort();
        await Promise.all([...readers, ...senders].map(({ client }) => client.close()));
        server.child.kill("SIGKILL");
        await server.ended;
        await rm(folder, { recursive: true });
      }
    });
  }
});

test("a damaged write-ahead log is reported to the operator, and to clients that lost messages", async () => {
  const folder = await mkdtemp(join(tmpdir(), "landline-kill-"));
  let port = 0;
  const start = async (): Promise<CliProcess> => {
    const started = landlineIn({ cwd: folder }, "serve", "--host", "127.0.0.1", "--port", "0");
    port = Number((await started.until(/http:\/\/127\.0\.0\.1:(\d+)\/ +chat and web page/))[1]);
    return started;
  };
  const link: OpenLink = (handlers, signal) => tcpLink({ host: "127.0.0.1", port })(handlers, signal);
  let server = await start();
  const ada = new ChatClient(link, { ...impatient, username: "ada" });
  try {
    const rejoined = Promise.withResolvers<ChatClientEvent & { type: "rejoined" }>();
    ada.on((event) => event.type === "rejoined" && rejoined.resolve(event));
    await ada.connect();
    await ada.join("lobby");
    for (let i = 0; i < 10; i += 1) await ada.chat("lobby", `${i}`);
    server.child.kill("SIGKILL");
    assert.doesNotMatch((await server.ended).stderr, /lost data/);

    const wal = join(folder, "data", "landline.db-wal");
    const bytes = readFileSync(wal);
    // Damage the first page of the log, so that everything is lost.
    bytes.writeUInt8(bytes.readUInt8(1_000) ^ 1, 1_000);
    writeFileSync(wal, bytes);
    server = await start();
    const { recovered, missed } = await rejoined.promise;
    assert.deepEqual([recovered, missed], [false, []]);
    assert.equal((await ada.chat("lobby", "again")).seq, 2);
    server.child.kill("SIGTERM");
    const { code, stderr } = await server.ended;
    assert.equal(code, 0);
    assert.match(
      stderr,
      /^landline: data\/landline\.db has lost data: the newest acknowledged messages are missing; /m,
    );
  } finally {
    await ada.close();
    server.child.kill("SIGKILL");
    await server.ended;
    await rm(folder, { recursive: true });
  }
});

/** Lets tests wait for a count. */
class Progress {
  #changed = Promise.withResolvers<void>();

  made(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async until(count: number, current: () => number): Promise<void> {
    while (current() < count) await this.#changed.promise;
  }
}

/** A client in every room that records all messages. */
class Reader {
  readonly client: ChatClient;
  /** Unexpected events. */
  readonly faults: ChatClientEvent[] = [];
  readonly #seen = new Map<string, ChatMessage[]>(ROOMS.map((room) => [room, []]));
  readonly #progress = new Progress();

  private constructor(client: ChatClient) {
    this.client = client;
    client.on((event) => {
      if (event.type === "message") this.#note(event.message);
      else if (event.type === "rejoined") {
        if (!event.recovered) this.faults.push(event);
        for (const message of event.missed) this.#note(message);
      } else if (event.type === "gap" || event.type === "dropped") this.faults.push(event);
    });
  }

  static async open(link: OpenLink, username: string): Promise<Reader> {
    const reader = new Reader(new ChatClient(link, { ...impatient, username }));
    await reader.client.connect();
    for (const room of ROOMS) await reader.client.join(room, { history: 0 });
    return reader;
  }

  /** Waits for this `seq` of a room. Returns the messages of others. */
  async seenUpTo(room: string, seq: number): Promise<readonly (string | undefined)[]> {
    const seen = this.#seen.get(room) ?? [];
    await this.#progress.until(seq, () => seen.at(-1)?.seq ?? 0);
    const seqs = seen.map((message) => message.seq ?? 0);
    assert.deepEqual(
      seqs,
      seqs.toSorted((a, b) => a - b),
      "out of order",
    );
    return seen.filter(({ username }) => username !== this.client.username).map(({ message }) => message);
  }

  #note(message: ChatMessage): void {
    this.#seen.get(message.room)?.push(message);
    this.#progress.made();
  }
}

/** Sends numbered messages to the rooms in turn, a few at a time, until the signal aborts. Waits for pending ones. */
async function talk(client: ChatClient, signal: AbortSignal, acked: (ack: Acknowledged) => void): Promise<void> {
  let next = 0;
  const sayOneByOne = async (): Promise<void> => {
    while (!signal.aborted) {
      const text = `${client.username} says ${next}`;
      const room = ROOMS[next % ROOMS.length] as string;
      next += 1;
      const { seq } = await client.chat(room, text);
      acked({ room, text, seq: seq ?? Number.NaN });
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, sayOneByOne));
}

async function wholeLog(link: OpenLink, room: string): Promise<readonly ChatMessage[]> {
  await using client = new ChatClient(link, { username: "auditor" });
  await client.connect();
  await client.join(room, { history: 0 });
  const all: ChatMessage[] = [];
  for (;;) {
    const { entries, more } = await client.history(room, { after: all.at(-1)?.seq ?? 0, limit: 1_000 });
    all.push(...(entries as readonly ChatMessage[]));
    if (!more) return all;
  }
}
