/**
 * One of 501 readers stops reading. The server runs in another process, so that its memory can be measured.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { crc32 } from "node:zlib";
import { type CliProcess, landlineIn } from "./cli-process.ts";
import type { Message } from "./hub-fixture.ts";
import { failOnLeaks } from "./leaks.ts";
import { RawClient } from "./raw-client.ts";

failOnLeaks();

const READERS = 500;
/** Messages sent before the test waits for the other readers. */
const ROUND = 8;
const ROUNDS_MAX = 100;
const TEXT = "x".repeat(16_000);
/** How much the server's memory may grow, in bytes: stored texts, the outbox of one client, and garbage. */
const GROWTH_BYTES_MAX = 64 * 1024 * 1024;

/** Joins the lobby and returns the answer. */
async function enter(client: RawClient, username: string, after?: object): Promise<Message> {
  client.send({ type: "hello", version: 2, username }, { type: "join", id: "join", room: "lobby", after });
  return client.nextWith("id", "join");
}

/** A reader that keeps only the number and the checksum of the bytes after a mark. */
class Counter {
  readonly client: RawClient;
  bytes = 0;
  sum = 0;
  #wake: () => void = () => undefined;

  private constructor(client: RawClient) {
    this.client = client;
    client.socket.removeAllListeners("data");
    client.socket.on("data", (chunk: Buffer) => {
      this.bytes += chunk.length;
      this.sum = crc32(chunk, this.sum);
      this.#wake();
    });
    client.socket.on("close", () => this.#wake());
  }

  /** Waits for a line that ends with the mark, and counts the bytes after it. */
  static async after(client: RawClient, end: string): Promise<Counter> {
    await client.textUntil(`${end}\n`);
    return new Counter(client);
  }

  async until(bytes: number): Promise<void> {
    while (this.bytes < bytes) {
      assert.equal(this.client.hasEnded, false, "a reader that kept reading was disconnected");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

/** The peak memory of a process, in bytes. */
function peakMemory({ child }: CliProcess): number {
  const [, kib] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "latin1")) ?? [];
  return Number(kib) * 1024;
}

describe("a reader that stops among 500 others", { timeout: 300_000 }, () => {
  const skip = process.platform === "linux" ? false : "needs /proc";

  test("is disconnected and resumes; the others receive everything in order, and memory stays bounded", {
    skip,
  }, async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "landline-slow-reader-"));
    // No pings: the other readers only count bytes and do not answer.
    await using server = landlineIn(
      { env: { LANDLINE_PING_MS: "1h", LANDLINE_AWAY_MS: "0ms", LANDLINE_RESUME_MS: "0ms" } },
      ...["serve", "--host", "127.0.0.1", "--port", "0", "--rates", "off", "--data", folder.path],
    );
    const [, portText] = await server.until(/http:\/\/127\.0\.0\.1:(\d+)\/ +chat and web page/);
    const port = Number(portText);
    const readers: RawClient[] = [];
    for (let i = 0; i < READERS; i += 1) readers.push(await RawClient.open(port));
    await Promise.all(readers.map((reader, i) => enter(reader, `reader${i}`)));
    const slow = await RawClient.open(port);
    await enter(slow, "slow");
    const author = await RawClient.open(port);
    const { position } = await enter(author, "author");
    const witness = await RawClient.open(port);
    await enter(witness, "witness");

    author.send({ type: "chat", id: "mark", message: "mark" });
    const { at } = await author.nextWith("id", "mark");
    const mark = `"message":"mark","seq":2,"prev":1,"at":${at}}`;
    await slow.textUntil(`${mark}\n`);
    slow.socket.pause();
    const counters = await Promise.all(readers.map((reader) => Counter.after(reader, mark)));
    await witness.textUntil(`${mark}\n`);
    const before = peakMemory(server);

    let bytes = 0;
    let sum = 0;
    let said = 1;
    let isLetGo = false;
    /** The witness parses its messages. All readers must receive the same bytes. */
    const hear = async (count: number): Promise<void> => {
      for (let chats = 0; chats < count; ) {
        const message = await witness.next();
        const line = Buffer.from(`${JSON.stringify(message)}\n`);
        bytes += line.length;
        sum = crc32(line, sum);
        if (message.type === "presence") {
          assert.deepEqual([message.username, message.state, isLetGo], ["slow", "left", false]);
          isLetGo = true;
          // Resume reading: the goodbye must arrive before the server resets the connection.
          slow.socket.resume();
        } else {
          chats += 1;
          said += 1;
          assert.deepEqual([message.type, message.seq, message.prev], ["chat", said + 1, said]);
        }
      }
      await Promise.all(counters.map((counter) => counter.until(bytes)));
    };
    for (let round = 0; !isLetGo; round += 1) {
      assert.ok(round < ROUNDS_MAX, "it was never disconnected");
      for (let i = 0; i < ROUND; i += 1) author.send({ type: "chat", message: TEXT });
      await hear(ROUND);
    }
    author.send({ type: "chat", message: "the last" });
    await hear(1);
    for (const counter of counters) assert.deepEqual([counter.bytes, counter.sum], [bytes, sum]);
    const growth = peakMemory(server) - before;
    assert.ok(growth < GROWTH_BYTES_MAX, `the server's memory grew by ${growth} bytes`);

    const told = await slow.rest();
    const bye = told.at(-1);
    assert.deepEqual([bye?.type, bye?.code, bye?.reconnect], ["bye", "slow-consumer", true]);
    const seqs = told.filter(({ type }) => type === "chat").map(({ seq }) => seq as number);
    await slow.close();

    // It resumes from its position: in one answer, or page by page if that is too much.
    const back = await RawClient.open(port);
    const { epoch } = position as { epoch: string };
    const { recovered, reason, entries } = await enter(back, "slow", { epoch, seq: seqs.at(-1) ?? 2 });
    if (recovered) seqs.push(...(entries as Message[]).map(({ seq }) => seq as number));
    else assert.equal(reason, "too-many");
    for (let more: unknown = !recovered; more; ) {
      back.send({ type: "history", id: `after ${seqs.at(-1)}`, room: "lobby", after: seqs.at(-1) ?? 2 });
      const page = await back.nextWith("type", "history");
      seqs.push(...(page.entries as Message[]).map(({ seq }) => seq as number));
      more = page.more;
    }
    assert.deepEqual(
      seqs,
      Array.from({ length: said - 1 }, (_, i) => i + 3),
    );
    for (const client of [...readers, author, witness, back]) client.socket.destroy();
    await Promise.all(readers.map(({ closed }) => closed));
  });
});
