import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import type { Worker } from "node:worker_threads";
import { SmallDisk, skipWithoutMount } from "../../../../../test/small-disk.ts";
import { outcomes, said } from "../../../../../test/suites/room-log-suite.ts";
import type { Entry, RoomLogError } from "../../hub/mod.ts";
import { SqliteRoomLog } from "./room-log.ts";
import { MIGRATIONS, migrate } from "./schema.ts";

const DISK_BYTES = 4_194_304;

describe("SqliteRoomLog on a full disk", { timeout: 300_000, skip: skipWithoutMount() }, () => {
  const disk = new SmallDisk(DISK_BYTES);

  test("rejects with `storage-full`, keeps running, and stores messages again when there is space", async () => {
    const errors: unknown[] = [];
    let recoveries = 0;
    const log = await SqliteRoomLog.open({
      folder: join(disk.folder, "log"),
      onError: (error) => errors.push(error),
      onRecovered: () => {
        recoveries += 1;
      },
    });
    try {
      const followed: Entry[] = [];
      log.follow({ entries: (entries) => followed.push(...entries), lost: assert.fail });
      await log.open("lobby");
      await log.append([said("first", { id: "first" })]);
      disk.fillExcept(DISK_BYTES / 2);
      let stored = 1;
      let [outcome] = await outcomes(log.append([said("x".repeat(50_000))]));
      for (; outcome === "appended"; stored += 1) [outcome] = await outcomes(log.append([said("x".repeat(50_000))]));
      assert.equal(outcome, "storage-full");
      assert.deepEqual(await outcomes(log.append([said("x".repeat(50_000), { id: "again" })])), ["storage-full"]);
      assert.equal((await log.read("lobby", { limit: 1_000 })).entries.length, stored);
      assert.equal(followed.length, stored);

      assert.equal(recoveries, 0);
      disk.free();
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

  test("open() refuses a database that needs a migration, with the reason", async () => {
    const folder = join(disk.folder, "log");
    mkdirSync(folder);
    const file = join(folder, "landline.db");
    const db = new DatabaseSync(file);
    db.exec("PRAGMA journal_mode = WAL");
    migrate(db, file, new Date(), MIGRATIONS.slice(0, 1));
    db.close();
    disk.fill();
    const opened = SqliteRoomLog.open({ folder }).then((log) => log.close());
    await assert.rejects(opened, {
      code: "storage-full",
      message: `Cannot update ${file} from version 1 to ${MIGRATIONS.length}: there is no room left on the disk`,
    });
    disk.free();
    await (await SqliteRoomLog.open({ folder, onError: () => undefined })).close();
  });

  test("open() does not open a missing or damaged log read-only", async () => {
    const folder = join(disk.folder, "log");
    const log = await SqliteRoomLog.open({ folder });
    await log.append([said("one")]);
    await log.close();
    disk.fill();
    const opens = (where: string) => SqliteRoomLog.open({ folder: where }).then((opened) => opened.close());
    await assert.rejects(opens(join(disk.folder, "new")), { code: "storage-full" });
    writeFileSync(
      join(folder, "landline.last"),
      readFileSync(join(folder, "landline.last"), "utf8").replace(" 1 ", " 9 "),
    );
    await assert.rejects(opens(folder), { code: "damaged", message: /has lost data/ });
    disk.free();
  });

  test("opened read-only ends with `failed` when the writable log gets a new epoch", async () => {
    const folder = join(disk.folder, "log");
    let writer: Worker | undefined;
    const onThread = (name: string, worker: Worker) => {
      if (name === "writer") writer = worker;
    };
    const before = await SqliteRoomLog.open(
      { folder, durability: "process", onError: () => undefined },
      { boot: "a", onThread },
    );
    await before.append([said("one")]);
    await writer?.terminate();
    await before.close();
    disk.fill();
    const errors: RoomLogError[] = [];
    const failed = Promise.withResolvers<void>();
    const onError = (error: unknown) => {
      errors.push(error as RoomLogError);
      if (errors.length === 2) failed.resolve();
    };
    const log = await SqliteRoomLog.open({ folder, onError }, { boot: "b" });
    assert.equal((await log.read("lobby", { limit: 1 })).entries.length, 1);
    assert.deepEqual(await outcomes(log.append([said("two")])), ["storage-full"]);
    disk.free();
    await failed.promise;
    assert.deepEqual(
      errors.map(({ code }) => code),
      ["read-only", "failed"],
    );
    assert.deepEqual(await outcomes(log.append([said("two")])), ["failed"]);
    await log.close();
  });

  test("opened read-only and closed while it is opened for writing records a clean end", async () => {
    const folder = join(disk.folder, "log");
    const before = await SqliteRoomLog.open({ folder });
    await before.append([said("one")]);
    await before.close();
    disk.fill();
    const closed = Promise.withResolvers<void>();
    // The reader ends first when the log is opened for writing.
    const onThread = (name: string, worker: Worker) => {
      if (name === "reader") worker.once("exit", () => closed.resolve(log.close()));
    };
    const log = await SqliteRoomLog.open({ folder, onError: () => undefined }, { onThread });
    disk.free();
    await closed.promise;
    const db = new DatabaseSync(join(folder, "landline.db"), { readOnly: true });
    const run = db.prepare("SELECT value FROM meta WHERE key = 'run'").get()?.value;
    db.close();
    assert.equal(JSON.parse(String(run)).isClean, true);
  });

  test("opened read-only can be closed at once, and releases the folder", async () => {
    const folder = join(disk.folder, "log");
    const before = await SqliteRoomLog.open({ folder });
    await before.append([said("one")]);
    await before.close();
    disk.fill();
    const log = await SqliteRoomLog.open({ folder, onError: () => undefined });
    await assert.rejects(SqliteRoomLog.open({ folder }), { code: "in-use" });
    const reads = [log.open("lobby"), log.read("lobby", { limit: 1 }), log.open("kitchen")];
    await Promise.allSettled([...reads, log.close()]);
    disk.free();
    const after = await SqliteRoomLog.open({ folder });
    assert.equal((await after.append([said("two")]))[0]?.type, "appended");
    await after.close();
  });
});
