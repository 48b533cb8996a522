import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { textOf } from "../../../../../test/suites/room-log-suite.ts";
import type { Durability } from "./database.ts";
import { SqliteRoomLog } from "./room-log.ts";

const PROGRAM = fileURLToPath(new URL("../../../../../test/fixtures/appending-process.ts", import.meta.url));
const ROUNDS = process.env.LANDLINE_LONG === "1" ? 20 : 5;
/** A round's process is killed after at most this many acks. */
const ACKS_MAX = 3_000;

interface Acknowledged {
  readonly room: string;
  readonly seq: number;
  readonly id: string;
}

for (const durability of ["disk", "process"] as const) {
  describe(`SqliteRoomLog (${durability}) killed during appends`, { timeout: 600_000 }, () => {
    test(`has every acknowledged entry once, in order and with the same epoch, after each of ${ROUNDS} kills`, {
      timeout: 600_000,
    }, async () => {
      const folder = mkdtempSync(join(tmpdir(), "landline-kill-"));
      const acknowledged: Acknowledged[] = [];
      const epochs = new Set<string>();
      try {
        for (let round = 0; round < ROUNDS; round += 1) {
          const before = acknowledged.length;
          acknowledged.push(...(await appendUntilKilled(folder, durability, `${round}`)));
          assert.ok(acknowledged.length > before);
          epochs.add(await check(folder, durability, acknowledged));
        }
        assert.equal(epochs.size, 1);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
}

test("SqliteRoomLog killed after its write-ahead log was removed has all acknowledged entries, or reports a loss", {
  timeout: 600_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "landline-kill-"));
  try {
    const acknowledged: Acknowledged[] = [];
    const epochs = new Set<string>();
    const remove = () => rmSync(join(folder, "landline.db-wal"));
    for (let round = 0; round < ROUNDS; round += 1) {
      acknowledged.push(...(await appendUntilKilled(folder, "disk", `${round}`, remove)));
      const reported: unknown[] = [];
      const log = await SqliteRoomLog.open({ folder, onError: (error) => reported.push(error) });
      const { epoch } = (await log.open("room0")).position;
      const isKnown = epochs.has(epoch);
      epochs.add(epoch);
      await log.close();
      if (reported.length === 0) await check(folder, "disk", acknowledged);
      else {
        assert.match(String(reported), /has lost data/);
        assert.equal(isKnown, false);
        acknowledged.length = 0;
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Kills the process after a random number of acks. Returns every ack that it printed. */
async function appendUntilKilled(
  folder: string,
  durability: Durability,
  run: string,
  before: () => void = () => undefined,
): Promise<Acknowledged[]> {
  const args = ["--conditions=@landline/source", PROGRAM, folder, durability, run];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const killAt = 1 + Math.floor(Math.random() * ACKS_MAX);
  let text = "";
  let count = 0;
  for await (const chunk of child.stdout.setEncoding("utf8")) {
    if (text === "") {
      // The running process has the lock.
      const opened = SqliteRoomLog.open({ folder, durability }).then((log) => log.close());
      await assert.rejects(opened, { code: "in-use" });
    }
    text += chunk;
    count += chunk.split("\n").length - 1;
    if (count < killAt || child.killed) continue;
    before();
    child.kill("SIGKILL");
  }
  const [, signal] = await exited;
  assert.equal(signal, "SIGKILL");
  const lines = text.split("\n");
  // The last line may be incomplete.
  lines.pop();
  return lines.map((line) => {
    const [room = "", seq, id = ""] = line.split(" ");
    return { room, seq: Number(seq), id };
  });
}

/** Checks the log. Returns its epoch. */
async function check(folder: string, durability: Durability, acknowledged: readonly Acknowledged[]): Promise<string> {
  const onError = (error: unknown) => assert.fail(`The start reported damage after a kill: ${error}`);
  const log = await SqliteRoomLog.open({ folder, durability, onError });
  try {
    for (const room of new Set(acknowledged.map((one) => one.room))) {
      const ids = new Map<string, number>();
      const own = acknowledged.filter((one) => one.room === room);
      let last = 0;
      for (let more = true; more; ) {
        const page = await log.read(room, { after: last, limit: 1_000 });
        more = page.more;
        for (const entry of page.entries) {
          const { seq, prev, id } = entry;
          assert.equal(prev, last);
          assert.equal(textOf(entry), `text of ${id}`);
          assert.equal(ids.has(id ?? ""), false, `${id} is there twice`);
          ids.set(id ?? "", seq);
          last = seq;
        }
      }
      for (const { id, seq } of own) assert.equal(ids.get(id), seq);
      // Each author's last id is still known.
      const { id, seq } = own.at(-1) as Acknowledged;
      const author = { id: "", name: `user${id.split("-")[1]}` };
      const [again] = await log.append([{ room, id, kind: "message", author, text: `text of ${id}` }]);
      assert.deepEqual([again?.type, again?.type === "duplicate" && again.seq], ["duplicate", seq]);
    }
    return (await log.open("room0")).position.epoch;
  } finally {
    await log.close();
  }
}
