import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Durability } from "./database.ts";
import { SqliteRoomLog } from "./room-log.ts";

const PROGRAM = fileURLToPath(new URL("../../../../../test/fixtures/appending-process.ts", import.meta.url));
const ROUNDS = process.env.LANDLINE_LONG === "1" ? 20 : 5;
/** After at most this many acknowledgements a round's process is killed. */
const ACKS_MAX = 3_000;

interface Acknowledged {
  readonly room: string;
  readonly seq: number;
  readonly id: string;
}

for (const durability of ["disk", "process"] as const) {
  describe(`SqliteRoomLog (${durability}) killed while it appends`, () => {
    test(`has all that was acknowledged, once and in order, after each of ${ROUNDS} times`, async () => {
      const folder = mkdtempSync(join(tmpdir(), "landline-kill-"));
      const acknowledged: Acknowledged[] = [];
      try {
        for (let round = 0; round < ROUNDS; round += 1) {
          const before = acknowledged.length;
          acknowledged.push(...(await appendUntilKilled(folder, durability, `${round}`)));
          assert.ok(acknowledged.length > before);
          await check(folder, durability, acknowledged);
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
}

/** Kills the process at some acknowledgement or other; all that it printed counts. */
async function appendUntilKilled(folder: string, durability: Durability, run: string): Promise<Acknowledged[]> {
  const args = ["--conditions=@landline/source", PROGRAM, folder, durability, run];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const killAt = 1 + Math.floor(Math.random() * ACKS_MAX);
  let text = "";
  let count = 0;
  for await (const chunk of child.stdout.setEncoding("utf8")) {
    if (text === "") {
      // While it runs the log is its own.
      const opened = SqliteRoomLog.open({ folder, durability }).then((log) => log.close());
      await assert.rejects(opened, { code: "in-use" });
    }
    text += chunk;
    count += chunk.split("\n").length - 1;
    if (count >= killAt) child.kill("SIGKILL");
  }
  const [, signal] = await exited;
  assert.equal(signal, "SIGKILL");
  const lines = text.split("\n");
  // The last may be cut off.
  lines.pop();
  return lines.map((line) => {
    const [room = "", seq, id = ""] = line.split(" ");
    return { room, seq: Number(seq), id };
  });
}

async function check(folder: string, durability: Durability, acknowledged: readonly Acknowledged[]): Promise<void> {
  const log = await SqliteRoomLog.open({ folder, durability });
  try {
    for (const room of new Set(acknowledged.map((one) => one.room))) {
      const ids = new Map<string, number>();
      const own = acknowledged.filter((one) => one.room === room);
      let last = 0;
      for (let more = true; more; ) {
        const page = await log.read(room, { after: last, limit: 1_000 });
        more = page.more;
        for (const { seq, prev, id, body } of page.entries) {
          assert.equal(prev, last);
          assert.equal(body, `text of ${id}`);
          assert.equal(ids.has(id ?? ""), false, `${id} is there twice`);
          ids.set(id ?? "", seq);
          last = seq;
        }
      }
      for (const { id, seq } of own) assert.equal(ids.get(id), seq);
      // And what each author sent last is known again.
      const { id, seq } = own.at(-1) as Acknowledged;
      const from = `user${id.split("-")[1]}`;
      const [again] = await log.append([{ room, id, kind: "chat", from, body: `text of ${id}` }]);
      assert.deepEqual([again?.type, again?.type === "duplicate" && again.seq], ["duplicate", seq]);
    }
  } finally {
    await log.close();
  }
}
