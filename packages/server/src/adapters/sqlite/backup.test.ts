import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Worker } from "node:worker_threads";
import { said } from "../../../../../test/suites/room-log-suite.ts";
import type { RoomLogErrorCode } from "../../hub/mod.ts";
import { restoreBackup, writeBackup } from "./backup.ts";
import { SqliteRoomLog } from "./room-log.ts";

describe("backups", () => {
  let base: string;
  let folder: string;
  let file: string;
  const logs: SqliteRoomLog[] = [];

  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), "landline-backup-"));
    folder = join(base, "log");
    file = join(base, "backup.db");
  });
  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.close()));
    rmSync(base, { recursive: true });
  });

  const open = async () => {
    const log = await SqliteRoomLog.open({ folder });
    logs.push(log);
    return log;
  };
  const bodies = async (log: SqliteRoomLog) =>
    (await log.read("lobby", { limit: 1_000 })).entries.map(({ body }) => body);
  const rejects = (promise: Promise<unknown>, code: RoomLogErrorCode) => assert.rejects(promise, { code });

  test("backup() while messages come holds what was committed, whole, in one file for this user", async () => {
    const log = await open();
    await log.append([said("before")]);
    let isDone = false;
    let count = 0;
    const appending = (async () => {
      while (!isDone) await log.append([said(`${count++}`), said(`${count++}`)]);
    })();
    await log.backup(file);
    isDone = true;
    await appending;
    assert.deepEqual(readdirSync(base).sort(), ["backup.db", "log"]);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await log.close();

    await restoreBackup(file, folder);
    const all = await bodies(await open());
    assert.equal(all[0], "before");
    assert.equal(all.length % 2, 1);
    assert.deepEqual(
      all.slice(1),
      Array.from({ length: all.length - 1 }, (_, i) => `${i}`),
    );
  });

  test("writeBackup() needs no server, and does not mind one", async () => {
    const log = await open();
    await log.append([said("one")]);
    await writeBackup(folder, file);
    await log.close();
    await writeBackup(folder, `${file}.2`);
    await rejects(writeBackup(join(base, "nothing"), `${file}.3`), "not-a-log");
    assert.deepEqual(readdirSync(base).sort(), ["backup.db", "backup.db.2", "log"]);
    assert.deepEqual(readdirSync(folder), ["landline.db", "landline.lock"]);
    for (const backup of [file, `${file}.2`]) {
      await restoreBackup(backup, join(base, "other"));
      const restored = await SqliteRoomLog.open({ folder: join(base, "other") });
      logs.push(restored);
      assert.deepEqual(await bodies(restored), ["one"]);
      await restored.close();
    }
  });

  test("backup() replaces nothing", async () => {
    writeFileSync(file, "precious");
    const log = await open();
    await rejects(log.backup(file), "exists");
    assert.equal(readFileSync(file, "utf8"), "precious");
    await rejects(log.backup(join(base, "nowhere", "backup.db")), "io");
    assert.deepEqual(readdirSync(base).sort(), ["backup.db", "log"]);
  });

  test("restoreBackup() keeps what was there under a dated name, and gives the log another epoch", async () => {
    const log = await open();
    await log.append([said("one", { id: "1" })]);
    const { epoch } = await log.open("lobby");
    await log.backup(file);
    await log.append([said("two")]);
    await log.close();

    const aside = await restoreBackup(file, folder);
    const restored = await open();
    assert.deepEqual(await bodies(restored), ["one"]);
    const position = await restored.open("lobby");
    assert.equal(position.seq, 1);
    assert.notEqual(position.epoch, epoch);
    assert.equal((await restored.append([said("one", { id: "1" })]))[0]?.type, "duplicate");
    await restored.close();

    assert.match(aside ?? "", /landline-20\d\d-.*Z\.db$/);
    await restoreBackup(aside ?? "", folder);
    assert.deepEqual(await bodies(await open()), ["one", "two"]);
  });

  test("restoreBackup() does not apply the old log's changes to the backup", async () => {
    const log = await open();
    await log.append([said("one")]);
    await log.backup(file);
    await log.append(Array.from({ length: 100 }, (_, i) => said(`${i}`)));
    await log.close();
    // As a server that was killed leaves it: a file of changes, here one that belongs to nothing any more.
    writeFileSync(join(folder, "landline.db"), "damaged".repeat(2_000));
    writeFileSync(join(folder, "landline.db-wal"), "changes");
    await restoreBackup(file, folder);
    assert.deepEqual(await bodies(await open()), ["one"]);
    const aside = readdirSync(folder).filter((name) => name.startsWith("landline-2"));
    assert.deepEqual(
      aside.map((name) => readFileSync(join(folder, name), "utf8").slice(0, 7)),
      ["damaged", "changes"],
    );
  });

  test("restoreBackup() keeps what a server that was killed had not written back", async () => {
    let writer: Worker | undefined;
    const onThread = (name: string, worker: Worker) => {
      if (name === "writer") writer = worker;
    };
    const log = await SqliteRoomLog.open({ folder, onError: () => undefined }, { onThread });
    await log.backup(file);
    await log.append([said("one")]);
    // Who reads it keeps the log of changes from being written back.
    const reading = new DatabaseSync(join(folder, "landline.db"), { readOnly: true });
    reading.exec("BEGIN; SELECT * FROM rooms");
    await writer?.terminate();
    await log.close();
    reading.close();
    assert.ok(statSync(join(folder, "landline.db-wal")).size > 0);
    const aside = await restoreBackup(file, folder);
    assert.deepEqual(await bodies(await open()), []);
    assert.deepEqual(readdirSync(folder).filter((name) => name.startsWith("landline-2")).length, 1);
    await logs.pop()?.close();
    await restoreBackup(aside ?? "", folder);
    assert.deepEqual(await bodies(await open()), ["one"]);
  });

  test("restoreBackup() refuses while a server runs, and what is no sound backup; nothing is changed then", async () => {
    const log = await open();
    await log.append(Array.from({ length: 1_000 }, (_, i) => said(`${i}`.repeat(20))));
    await log.backup(file);
    await rejects(restoreBackup(file, folder), "in-use");
    await log.close();

    const bad = join(base, "bad.db");
    writeFileSync(bad, "no database at all, however long it may be");
    await rejects(restoreBackup(bad, folder), "not-a-log");
    writeFileSync(bad, "");
    await rejects(restoreBackup(bad, folder), "not-a-log");
    rmSync(bad);
    await rejects(restoreBackup(bad, folder), "io");
    const other = new DatabaseSync(bad);
    other.exec("CREATE TABLE theirs (a)");
    other.close();
    await rejects(restoreBackup(bad, folder), "not-a-log");
    writeFileSync(bad, readFileSync(file).fill(0xa5, 40_000, 60_000));
    await rejects(restoreBackup(bad, folder), "damaged");
    const newer = new DatabaseSync(file);
    newer.exec("PRAGMA user_version = 1000");
    newer.close();
    await rejects(restoreBackup(file, folder), "newer-version");

    assert.deepEqual(readdirSync(folder), ["landline.db", "landline.lock"]);
    assert.equal((await bodies(await open())).length, 1_000);
  });
});
