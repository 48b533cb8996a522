/** The log's writer thread dies while clients chat. Pending requests fail, the server reports it, a new server works. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Worker } from "node:worker_threads";
import { type ChatServer, RoomLogError, startServer } from "@landline/server";
import { portOf } from "./chat-server.ts";
import { landlineIn } from "./cli-process.ts";
import type { Message } from "./hub-fixture.ts";
import { failOnLeaks } from "./leaks.ts";
import { RawClient } from "./raw-client.ts";

failOnLeaks();

/** A module that terminates the log's writer on a signal. */
const DYING_WRITER = `data:text/javascript,${encodeURIComponent(`
process.on("worker", (worker) => {
  if (worker.threadName === "writer") process.once("SIGUSR2", () => worker.terminate());
});`)}`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "landline-failure-"));
});
afterEach(() => rm(folder, { recursive: true }));

async function enter(port: number, username: string): Promise<RawClient> {
  const client = await RawClient.open(port);
  client.send({ type: "hello", version: 2, username }, { type: "join", id: "join", room: "lobby" });
  assert.equal((await client.nextWith("id", "join")).type, "joined");
  return client;
}

/** Sends a request. Returns the type and code of the answer. */
async function ask(client: RawClient, request: object): Promise<readonly unknown[]> {
  client.send({ room: "lobby", id: "asked", ...request });
  const { type, code } = await client.nextWith("id", "asked");
  return [type, code];
}

function say(client: RawClient, id: string): Promise<readonly unknown[]> {
  client.send({ type: "chat", id, room: "lobby", message: id });
  return client.nextWith("id", id).then(({ type, code }) => [type, code]);
}

/** The status line of the response to a path. */
async function statusOf(port: number, path: string): Promise<string> {
  const client = await RawClient.open(port);
  client.send(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
  const [status = ""] = (await client.restText()).split("\r\n", 1);
  await client.close();
  return status;
}

/** The room's messages according to a new server on the folder. */
async function stored(): Promise<readonly unknown[]> {
  await using server = await startServer({ host: "127.0.0.1", port: 0, data: folder });
  const client = await enter(portOf(server.address), "Zoe");
  client.send({ type: "history", id: "history", room: "lobby" });
  const { entries } = await client.nextWith("id", "history");
  await client.close();
  return (entries as Message[]).filter(({ type }) => type === "chat").map(({ message }) => message);
}

describe("a server whose log's writer dies", { timeout: 300_000 }, () => {
  let workers: Worker[];
  let reported: unknown[];
  let server: ChatServer;
  let port: number;
  const add = (worker: Worker) => void workers.push(worker);
  const thread = (name: string) => workers.find(({ threadName }) => threadName === name);

  beforeEach(async () => {
    workers = [];
    reported = [];
    process.on("worker", add);
    const onError = (error: unknown) => reported.push(error);
    server = await startServer({ host: "127.0.0.1", port: 0, data: folder, drainMs: 1_000, onError });
    port = portOf(server.address);
  });
  afterEach(async () => {
    process.off("worker", add);
    await server.close();
  });

  for (const [how, die] of [
    ["ends", (writer?: Worker) => void writer?.terminate()],
    // An invalid call makes the thread's listener throw.
    ["throws", (writer?: Worker) => writer?.postMessage(null)],
  ] as const) {
    test(`refuses pending and later requests with \`internal\`, and reports it, when the writer ${how}`, async () => {
      const ada = await enter(port, "Ada");
      const bob = await enter(port, "Bob");
      assert.deepEqual(await say(ada, "before"), ["ack", undefined]);
      // Another transaction blocks the commit until the thread ends.
      const other = new DatabaseSync(join(folder, "landline.db"), { timeout: 10_000 });
      other.exec("BEGIN IMMEDIATE");
      const waiting = say(ada, "waiting");
      assert.deepEqual(await ask(bob, { type: "ping" }), ["pong", undefined]);
      die(thread("writer"));
      other.close();
      const failure = await server.failed;
      assert.ok(failure instanceof RoomLogError && failure.code === "failed", String(failure));
      assert.equal(failure.cause instanceof TypeError, how === "throws");
      const [answer] = await waiting;
      // A thread that throws has completed the earlier calls.
      if (how === "ends") assert.equal(answer, "error");
      assert.deepEqual(await say(ada, "after"), ["error", "internal"]);
      assert.deepEqual(await ask(ada, { type: "history" }), ["error", "internal"]);
      assert.deepEqual(await ask(bob, { type: "join", room: "kitchen" }), ["error", "internal"]);
      assert.deepEqual(await ask(bob, { type: "who" }), ["who", undefined]);
      assert.equal(await statusOf(port, "/healthz"), "HTTP/1.1 200 OK");
      for (const error of reported) assert.equal((error as RoomLogError).code, "failed");

      const closed = server.close();
      assert.equal((await ada.nextWith("type", "bye")).code, "shutdown");
      await Promise.all([closed, ada.close(), bob.close()]);
      const kept = await stored();
      assert.equal(kept[0], "before");
      if (answer === "ack") assert.equal(kept[1], "waiting");
      assert.equal(kept.includes("after"), false);
    });
  }

  test("is not ready", async () => {
    assert.equal(await statusOf(port, "/readyz"), "HTTP/1.1 200 OK");
    thread("writer")?.postMessage(null);
    await server.failed;
    assert.equal(await statusOf(port, "/readyz"), "HTTP/1.1 503 Service Unavailable");
  });

  test("keeps working when a reader dies", async () => {
    const ada = await enter(port, "Ada");
    await say(ada, "before");
    await ask(ada, { type: "history" });
    await thread("reader")?.terminate();
    assert.deepEqual(await ask(ada, { type: "history" }), ["history", undefined]);
    assert.deepEqual(await say(ada, "after"), ["ack", undefined]);
    await ada.close();
    assert.deepEqual(
      reported.map((error) => (error as RoomLogError).code === "failed"),
      [false],
    );
  });
});

test("close() gives up on a database that another program has locked, and reports a timeout", async () => {
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const server = await startServer({ host: "127.0.0.1", port: 0, data: folder, drainMs: 0, onError });
  const ada = await enter(portOf(server.address), "Ada");
  assert.deepEqual(await say(ada, "before"), ["ack", undefined]);
  const other = new DatabaseSync(join(folder, "landline.db"), { timeout: 10_000 });
  other.exec("BEGIN IMMEDIATE");
  ada.send({ type: "chat", id: "late", room: "lobby", message: "late" });
  await Promise.all([server.close(), ada.close()]);
  assert.ok(errors.some((error) => error instanceof RoomLogError && error.code === "timeout"));
  other.close();
});

test("landline serve says goodbye, names the reason and ends with 1 when its log's writer dies", async () => {
  const env = { LANDLINE_DATA: folder, NODE_OPTIONS: `--import=${DYING_WRITER}` };
  await using serving = landlineIn({ env }, "serve", "--port", "0");
  const port = Number((await serving.until(/localhost:(\d+)\//))[1]);
  const ada = await enter(port, "Ada");
  assert.deepEqual(await say(ada, "before"), ["ack", undefined]);
  serving.child.kill("SIGUSR2");
  const { code, reconnect } = await ada.nextWith("type", "bye");
  assert.deepEqual([code, reconnect], ["shutdown", true]);
  await ada.close();
  const ended = await serving.ended;
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /^landline: The log's writer has stopped$/m);
  assert.doesNotMatch(ended.stderr, /\(node:|stopped[\s\S]*stopped/);
  assert.deepEqual(await stored(), ["before"]);
});
