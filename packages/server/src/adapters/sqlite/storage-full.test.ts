import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { said } from "../../../../../test/suites/room-log-suite.ts";
import { SqliteRoomLog } from "./room-log.ts";

const DISK_BYTES = 4_194_304;

describe("SqliteRoomLog on a disk that is full", () => {
  let disk: string;
  let isMounted: boolean;

  beforeEach(() => {
    disk = mkdtempSync(join(tmpdir(), "landline-disk-"));
    isMounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "tmpfs", disk]).status === 0;
  });
  afterEach(() => {
    if (isMounted) spawnSync("umount", [disk]);
    rmSync(disk, { recursive: true });
  });

  test("refuses with `storage-full`, stays up, and takes messages again when there is room", async (t) => {
    if (!isMounted) return t.skip("needs the right to mount a small disk (root on Linux)");
    const errors: unknown[] = [];
    let recoveries = 0;
    const log = await SqliteRoomLog.open({
      folder: join(disk, "log"),
      onError: (error) => errors.push(error),
      onRecovered: () => {
        recoveries += 1;
      },
    });
    try {
      let followed = 0;
      log.follow((entries) => {
        followed += entries.length;
      });
      await log.open("lobby");
      await log.append([said("first", { id: "first" })]);
      const filler = join(disk, "filler");
      writeFileSync(filler, Buffer.alloc(DISK_BYTES / 2));
      let stored = 1;
      await assert.rejects(
        async () => {
          for (; ; stored += 1) await log.append([said("x".repeat(50_000))]);
        },
        { code: "storage-full" },
      );
      await assert.rejects(log.append([said("x".repeat(50_000), { id: "again" })]), { code: "storage-full" });
      assert.equal((await log.read("lobby", { limit: 1_000 })).entries.length, stored);
      assert.equal(followed, stored);

      assert.equal(recoveries, 0);
      rmSync(filler);
      const results = await log.append([said("x".repeat(50_000), { id: "again" }), said("first", { id: "first" })]);
      assert.deepEqual(
        results.map(({ type, ...rest }) => [type, "seq" in rest && rest.seq]),
        [
          ["appended", stored + 1],
          ["duplicate", 1],
        ],
      );
      assert.equal((await log.read("lobby", { after: stored, limit: 10 })).entries[0]?.prev, stored);
      await log.append([said("more")]);
      assert.equal(recoveries, 1);
    } finally {
      await log.close();
    }
  });
});
