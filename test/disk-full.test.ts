/** The disk is full while people talk: nothing that was acknowledged is lost, and all else goes on. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { RoomLogError } from "../packages/server/src/hub/mod.ts";
import { TestServer } from "./chat-server.ts";
import { landlineIn } from "./cli-process.ts";
import type { Message } from "./hub-fixture.ts";
import { failOnLeaks } from "./leaks.ts";
import { RawClient } from "./raw-client.ts";

failOnLeaks();

const DISK_BYTES = 8_388_608;
/** What a filler leaves to a server that runs. */
const LEFT_BYTES = 1_048_576;
const TEXT = "x".repeat(16_000);
/** More messages than the disk holds. */
const MESSAGES_MAX = 1_000;

/** Asks, and gives the answer. */
function ask(client: RawClient, id: string, request: object): Promise<Message> {
  client.send({ id, room: "lobby", ...request });
  return client.nextWith("id", id);
}

function say(client: RawClient, id: string): Promise<Message> {
  return ask(client, id, { type: "chat", message: `${id} ${TEXT}` });
}

/** All that is stored, as ids by place. */
async function stored(client: RawClient): Promise<readonly (readonly [seq: unknown, id: string])[]> {
  const all: (readonly [unknown, string])[] = [];
  for (let page = 1; ; page += 1) {
    const request = { type: "history", after: all.at(-1)?.[0] ?? 0, limit: 200 };
    const { entries, more } = await ask(client, `page ${page}`, request);
    for (const { seq, prev, message } of entries as Message[]) {
      assert.equal(prev, all.at(-1)?.[0] ?? 0, "the chain is whole");
      all.push([seq, String(message).split(" ", 1)[0] as string]);
    }
    if (!more) return all;
  }
}

describe("a disk that is full in mid-run", { timeout: 60_000 }, () => {
  let disk: string;
  let isMounted: boolean;

  beforeEach(() => {
    disk = mkdtempSync(join(tmpdir(), "landline-disk-"));
    isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "tmpfs", disk]).status === 0;
  });
  afterEach(() => {
    if (isMounted) spawnSync("umount", ["-l", disk]);
    rmSync(disk, { recursive: true });
  });

  test("is told to who writes; history and presence go on, nothing acknowledged is lost, and it passes", async (t) => {
    if (!isMounted) return t.skip("needs the right to mount a small disk (root on Linux)");
    const data = join(disk, "data");
    const acknowledged: (readonly [seq: unknown, id: string])[] = [];
    const acked = ({ type, seq, id }: Message) => type === "ack" && acknowledged.push([seq, id as string]);
    {
      await using server = await TestServer.start({ data, limits: { historyMax: 200 } });
      const ada = await server.member("Ada", "lobby");
      const bob = await server.member("Bob", "lobby");
      await ada.nextWith("username", "Bob");
      const filler = join(disk, "filler");
      writeFileSync(filler, Buffer.alloc(DISK_BYTES / 2));

      let answer: Message = { type: "ack" };
      for (let i = 1; answer.type === "ack"; i += 1) {
        assert.ok(i < MESSAGES_MAX, "the disk was never full");
        answer = await say(ada, `m${i}`);
        acked(answer);
      }
      const refused = answer.id as string;
      assert.deepEqual([answer.type, answer.code], ["error", "unavailable"]);
      // Each of many at once is answered.
      const ids = ["a", "b", "c", "d"];
      ada.send(ids.map((id) => JSON.stringify({ type: "chat", id, message: TEXT })).join(""));
      for (const id of ids) {
        const { type, code } = await ada.nextWith("id", id);
        assert.deepEqual([type, code], ["error", "unavailable"]);
      }

      // The others are served all the while, and hear what is stored, no more.
      assert.deepEqual(await stored(bob), acknowledged);
      const cy = await server.member("Cy", "lobby", "kitchen");
      assert.deepEqual((await ask(cy, "who", { type: "who" })).members, ["Ada", "Bob", "Cy"]);
      await cy.close();
      await bob.nextWith("state", "left");
      assert.ok(server.reported.length > 0, "the operator is told");
      for (const error of server.reported.splice(0)) {
        assert.ok(error instanceof RoomLogError && error.code === "storage-full", String(error));
      }

      rmSync(filler);
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

  test("is told by landline serve in one line, and that it has passed", async (t) => {
    if (!isMounted) return t.skip("needs the right to mount a small disk (root on Linux)");
    const data = join(disk, "data");
    await using serving = landlineIn({}, "serve", "--port", "0", "--rates", "off", "--data", data);
    const ada = await RawClient.open(Number((await serving.until(/localhost:(\d+)\//))[1]));
    ada.send({ type: "hello", version: 2, username: "Ada" });
    assert.equal((await ask(ada, "join", { type: "join" })).type, "joined");
    const filler = join(disk, "filler");
    // What happens again within a minute is not told again.
    for (const time of ["first", "second"]) {
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(filler, Buffer.alloc(bavail * bsize - LEFT_BYTES));
      for (let i = 1; (await say(ada, `${time}-${i}`)).type === "ack"; i += 1) {
        assert.ok(i < MESSAGES_MAX, "the disk was never full");
      }
      assert.equal((await say(ada, `${time}-refused`)).code, "unavailable");
      rmSync(filler);
      assert.equal((await say(ada, `${time}-again`)).type, "ack");
    }
    await ada.close();
    serving.child.kill("SIGTERM");
    const { code, stderr } = await serving.ended;
    assert.equal(code, 0);
    // Tidying up may have found the disk full, too.
    const lines = stderr.split("\n").filter((line) => !line.startsWith("landline: Cannot tidy the rooms up: "));
    assert.deepEqual(lines, [
      "landline: Cannot store messages: there is no room left on the disk",
      "landline: Messages are stored again",
      "",
    ]);
  });
});
