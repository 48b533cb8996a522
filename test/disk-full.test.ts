/** The disk fills up while clients chat. No acknowledged message is lost, and all other requests still work. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { RoomLogError } from "../packages/server/src/hub/mod.ts";
import { TestServer } from "./chat-server.ts";
import { type CliProcess, landlineIn } from "./cli-process.ts";
import type { Message } from "./hub-fixture.ts";
import { failOnLeaks } from "./leaks.ts";
import { RawClient } from "./raw-client.ts";
import { SmallDisk, skipWithoutMount } from "./small-disk.ts";

failOnLeaks();

const DISK_BYTES = 8_388_608;
/** Free bytes that are left to a running server. */
const LEFT_BYTES = 1_048_576;
const TEXT = "x".repeat(16_000);
/** More messages than fit on the disk. */
const MESSAGES_MAX = 1_000;

/** Sends a request and returns the answer. */
function ask(client: RawClient, id: string, request: object): Promise<Message> {
  client.send({ id, room: "lobby", ...request });
  return client.nextWith("id", id);
}

function say(client: RawClient, id: string): Promise<Message> {
  return ask(client, id, { type: "chat", message: `${id} ${TEXT}` });
}

/** The `seq` and id of every stored message. */
async function stored(client: RawClient): Promise<readonly (readonly [seq: unknown, id: string])[]> {
  const all: (readonly [unknown, string])[] = [];
  let last = 0;
  for (let page = 1; ; page += 1) {
    const { entries, more } = await ask(client, `page ${page}`, { type: "history", after: last, limit: 200 });
    for (const { type, seq, prev, message } of entries as Message[]) {
      assert.equal(prev, last, "an entry is missing");
      last = seq as number;
      // The first entry names the room.
      if (type === "chat") all.push([seq, String(message).split(" ", 1)[0] as string]);
    }
    if (!more) return all;
  }
}

describe("a disk that is full", { timeout: 300_000, skip: skipWithoutMount() }, () => {
  const disk = new SmallDisk(DISK_BYTES);

  test("refuses messages with unavailable, keeps history and presence working, and loses no acknowledged message", async () => {
    const data = join(disk.folder, "data");
    const acknowledged: (readonly [seq: unknown, id: string])[] = [];
    const acked = ({ type, seq, id }: Message) => type === "ack" && acknowledged.push([seq, id as string]);
    {
      await using server = await TestServer.start({ data, limits: { historyMax: 200, awayMs: 0 } });
      const ada = await server.member("Ada", "lobby");
      const bob = await server.member("Bob", "lobby");
      await ada.nextWith("username", "Bob");
      disk.fillExcept(DISK_BYTES / 2);

      let answer: Message = { type: "ack" };
      for (let i = 1; answer.type === "ack"; i += 1) {
        assert.ok(i < MESSAGES_MAX, "the disk was never full");
        answer = await say(ada, `m${i}`);
        acked(answer);
      }
      const refused = answer.id as string;
      assert.deepEqual([answer.type, answer.code], ["error", "unavailable"]);
      // Each of many concurrent messages gets an answer.
      const ids = ["a", "b", "c", "d"];
      ada.send(ids.map((id) => JSON.stringify({ type: "chat", id, message: TEXT })).join(""));
      for (const id of ids) {
        const { type, code } = await ada.nextWith("id", id);
        assert.deepEqual([type, code], ["error", "unavailable"]);
      }

      // Other clients are served meanwhile, and receive only stored messages.
      assert.deepEqual(await stored(bob), acknowledged);
      const cy = await server.member("Cy", "lobby", "kitchen");
      assert.deepEqual((await ask(cy, "who", { type: "who" })).members, ["Ada", "Bob", "Cy"]);
      await cy.close();
      await bob.nextWith("state", "left");
      assert.ok(server.reported.length > 0, "no failure was reported");
      for (const error of server.reported.splice(0)) {
        assert.ok(error instanceof RoomLogError && error.code === "storage-full", String(error));
      }

      disk.free();
      acked(await say(ada, refused));
      acked(await say(bob, "again"));
      assert.deepEqual(
        acknowledged.slice(-2).map(([, id]) => id),
        [refused, "again"],
      );
    }
    await using server = await TestServer.start({ data });
    assert.deepEqual(await stored(await server.member("Dan", "lobby")), acknowledged);
  });

  test("makes landline serve print one line, and another when there is room again", async () => {
    const data = join(disk.folder, "data");
    await using serving = landlineIn({}, "serve", "--port", "0", "--rates", "off", "--data", data);
    const ada = await RawClient.open(Number((await serving.until(/localhost:(\d+)\//))[1]));
    ada.send({ type: "hello", version: 2, username: "Ada" });
    assert.equal((await ask(ada, "join", { type: "join" })).type, "joined");
    // A repeated failure within a minute is not printed again.
    for (const time of ["first", "second"]) {
      disk.fillExcept(LEFT_BYTES);
      for (let i = 1; (await say(ada, `${time}-${i}`)).type === "ack"; i += 1) {
        assert.ok(i < MESSAGES_MAX, "the disk was never full");
      }
      assert.equal((await say(ada, `${time}-refused`)).code, "unavailable");
      disk.free();
      assert.equal((await say(ada, `${time}-again`)).type, "ack");
    }
    await ada.close();
    serving.child.kill("SIGTERM");
    const { code, stderr } = await serving.ended;
    assert.equal(code, 0);
    // The cleanup may have found the disk full, too.
    const lines = stderr.split("\n").filter((line) => !line.startsWith("landline: Cannot clean up the rooms: "));
    assert.deepEqual(lines, [
      "landline: Cannot store messages: there is no room left on the disk",
      "landline: Messages are stored again",
      "",
    ]);
  });

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    test(`lets the server start for reading after ${signal}, and write again when there is room`, async () => {
      const data = join(disk.folder, "data");
      const serve = () => landlineIn({}, "serve", "--port", "0", "--rates", "off", "--data", data);
      const enter = async (server: CliProcess, username: string) => {
        const client = await RawClient.open(Number((await server.until(/localhost:(\d+)\//))[1]));
        client.send({ type: "hello", version: 2, username });
        const joined = await ask(client, "join", { type: "join", history: 0 });
        assert.equal(joined.type, "joined");
        return [client, joined.position] as const;
      };
      await using first = serve();
      const [ada] = await enter(first, "Ada");
      const said: (readonly [seq: unknown, id: string])[] = [];
      for (let i = 1; i <= 20; i += 1) {
        const { seq } = await ask(ada, `tea-${i}`, { type: "chat", message: `tea-${i} tea` });
        said.push([seq, `tea-${i}`]);
      }
      // A search indexes the messages.
      await ask(ada, "search", { type: "search", query: "tea" });
      const [bob, before] = await enter(first, "Bob");
      first.child.kill(signal);
      await first.ended;
      await Promise.all([ada.reset(), bob.reset()]);
      // A leftover index would already have its space on the disk.
      rmSync(join(data, "landline.db-shm"), { force: true });
      disk.fill();

      await using second = serve();
      const [cy, position] = await enter(second, "Cy");
      assert.deepEqual(position, before, "the position has changed");
      assert.deepEqual(await stored(cy), said);
      const found = await ask(cy, "search", { type: "search", query: "tea" });
      assert.equal((found.entries as Message[]).length, said.length);
      for (const id of ["refused", "refused-again"]) assert.equal((await say(cy, id)).code, "unavailable");
      const other = await landlineIn({}, "serve", "--port", "0", "--data", data).ended;
      assert.deepEqual(
        [other.code, other.stderr],
        [1, `landline: Cannot open ${data}: another server is running on it\n`],
      );

      disk.free();
      // The server checks for free space on its own.
      await second.until(/Messages are stored again/, "stderr");
      const ack = await say(cy, "refused");
      assert.deepEqual([ack.type, ack.seq], ["ack", said.length + 2]);
      assert.deepEqual(await stored(cy), [...said, [ack.seq, "refused"]]);
      assert.equal((await landlineIn({}, "backup", "--data", data, join(disk.folder, "rooms.db")).ended).code, 0);
      await cy.close();
      second.child.kill("SIGTERM");
      const { code, stderr } = await second.ended;
      assert.equal(code, 0);
      assert.deepEqual(stderr.split("\n"), [
        `landline: Opened ${data} for reading only: there is no room left on the disk`,
        "landline: Cannot store messages: there is no room left on the disk",
        "landline: Messages are stored again",
        "",
      ]);
    });
  }

  test("makes landline serve exit with one line that names the full disk", async () => {
    const data = join(disk.folder, "data");
    mkdirSync(data);
    disk.fill();
    const serving = await landlineIn({}, "serve", "--port", "0", "--data", data).ended;
    assert.equal(serving.code, 1);
    assert.match(serving.stderr, /^landline: Cannot [^\n]*: there is no room left on the disk\n$/);
  });

  test("fails landline backup onto that disk with one line, but not a backup onto another", async () => {
    const data = join(disk.folder, "data");
    {
      await using server = await TestServer.start({ data });
      const ada = await server.member("Ada", "lobby");
      for (let i = 1; i <= 20; i += 1) await say(ada, `m${i}`);
    }
    disk.fill();
    const full = await landlineIn({}, "backup", "--data", data, join(disk.folder, "rooms.db")).ended;
    const text = `Cannot back up to ${join(disk.folder, "rooms.db")}: there is no room left on the disk`;
    assert.deepEqual([full.code, full.stderr], [1, `landline: ${text}\n`]);
    assert.deepEqual(readdirSync(disk.folder).sort(), ["data", "filler"]);
    const elsewhere = `${disk.folder}-rooms.db`;
    try {
      const backup = await landlineIn({}, "backup", "--data", data, elsewhere).ended;
      assert.deepEqual([backup.code, backup.stderr], [0, ""]);
      assert.ok(statSync(elsewhere).size > 20 * TEXT.length);
    } finally {
      rmSync(elsewhere, { force: true });
    }
  });
});
