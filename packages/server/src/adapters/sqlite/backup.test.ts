import assert from "node:assert/strict";
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Worker } from "node:worker_threads";
import { said, textOf } from "../../../../../test/suites/room-log-suite.ts";
import type { RoomLogErrorCode } from "../../hub/mod.ts";
import { restoreBackup, writeBackup } from "./backup.ts";
import { SqliteGuests } from "./guests.ts";
import { SqliteRoomLog } from "./room-log.ts";

describe("Backups", () => {
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
  const bodies = async (log: SqliteRoomLog) => (await log.read("lobby", { limit: 1_000 })).entries.map(textOf);
  const rejects = (promise: Promise<unknown>, code: RoomLogErrorCode) => assert.rejects(promise, { code });

  test("backup() during appends writes one complete file with access for this user only", async () => {
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

  test("writeBackup() works with and without a running server", async () => {
    const log = await open();
    await log.append([said("one")]);
    await writeBackup(folder, file);
    await log.close();
    await writeBackup(folder, `${file}.2`);
    await rejects(writeBackup(join(base, "nothing"), `${file}.3`), "not-a-log");
    assert.deepEqual(readdirSync(base).sort(), ["backup.db", "backup.db.2", "log"]);
    assert.deepEqual(readdirSync(folder), ["landline.db", "landline.last", "landline.lock"]);
    for (const backup of [file, `${file}.2`]) {
      await restoreBackup(backup, join(base, "other"));
      const restored = await SqliteRoomLog.open({ folder: join(base, "other") });
      logs.push(restored);
      assert.deepEqual(await bodies(restored), ["one"]);
      await restored.close();
    }
  });

  test("backup() does not replace an existing file", async () => {
    writeFileSync(file, "precious");
    const log = await open();
    await rejects(log.backup(file), "exists");
    assert.equal(readFileSync(file, "utf8"), "precious");
    await rejects(log.backup(join(base, "nowhere", "backup.db")), "io");
    assert.deepEqual(readdirSync(base).sort(), ["backup.db", "log"]);
  });

  test("restoreBackup() keeps the old log under a dated name and changes the epoch", async () => {
    const log = await open();
    await log.append([said("one", { id: "1" })]);
    const { epoch } = (await log.open("lobby")).position;
    await log.backup(file);
    await log.append([said("two")]);
    await log.close();

    const aside = await restoreBackup(file, folder);
    const restored = await open();
    assert.deepEqual(await bodies(restored), ["one"]);
    const { position } = await restored.open("lobby");
    assert.equal(position.seq, 1);
    assert.notEqual(position.epoch, epoch);
    assert.equal((await restored.append([said("one", { id: "1" })]))[0]?.type, "duplicate");
    await restored.close();

    assert.match(aside ?? "", /landline-20\d\d-.*Z\.db$/);
    await restoreBackup(aside ?? "", folder);
    assert.deepEqual(await bodies(await open()), ["one", "two"]);
  });

  test("restoreBackup() drops the sessions that wait for their clients", async () => {
    const log = await open();
    const guests = await SqliteGuests.open(folder, (error) => assert.fail(String(error)));
    guests.set("session", "id", {});
    await log.backup(file);
    await guests.close();
    await log.close();
    await restoreBackup(file, folder);
    const after = await SqliteGuests.open(folder, (error) => assert.fail(String(error)));
    assert.equal(after.load("session").size, 0);
    await after.close();
  });

  test("restoreBackup() does not apply the old write-ahead log to the backup", async () => {
    const log = await open();
    await log.append([said("one")]);
    await log.backup(file);
    await log.append(Array.from({ length: 100 }, (_, i) => said(`${i}`)));
    await log.close();
    // As a killed server leaves it: a write-ahead log that belongs to no database.
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

  test("restoreBackup() keeps the changes that a killed server had not checkpointed", async () => {
    let writer: Worker | undefined;
    const onThread = (name: string, worker: Worker) => {
      if (name === "writer") writer = worker;
    };
    const log = await SqliteRoomLog.open({ folder, onError: () => undefined }, { onThread });
    await log.backup(file);
    await log.append([said("one")]);
    // This reader prevents the checkpoint.
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

  test("restoreBackup() keeps the changes of the old log when a reader prevents the checkpoint", async () => {
    const log = await open();
    await log.backup(file);
    await log.append([said("one")]);
    const reading = new DatabaseSync(join(folder, "landline.db"), { readOnly: true });
    reading.exec("BEGIN; SELECT * FROM rooms");
    await log.append([said("two")]);
    await log.close();
    const aside = (await restoreBackup(file, folder)) ?? "";
    reading.close();
    assert.deepEqual(await bodies(await open()), []);
    await logs.pop()?.close();
    await restoreBackup(aside, folder);
    assert.deepEqual(await bodies(await open()), ["one", "two"]);
  });

  test("restoreBackup() keeps a damaged write-ahead log, or one without its database, and does not apply it", async () => {
    const log = await open();
    await log.append([said("one")]);
    await log.backup(file);
    await log.append([said("two")]);
    await log.append([said("three")]);
    const killed = join(base, "killed");
    cpSync(folder, killed, { recursive: true });
    await log.close();
    const database = join(folder, "landline.db");
    const changes = readFileSync(join(killed, "landline.db-wal"));
    changes.writeUInt8(changes.readUInt8(100) ^ 1, 100);
    for (const damage of ["damaged", "gone", "empty"]) {
      cpSync(join(killed, "landline.db"), database);
      writeFileSync(`${database}-wal`, changes);
      if (damage === "gone") rmSync(database);
      if (damage === "empty") writeFileSync(database, "");
      const aside = (await restoreBackup(file, folder)) ?? "";
      assert.ok(existsSync(aside), damage);
      const kept = aside.endsWith("-wal") ? aside : `${aside}-wal`;
      assert.ok(readFileSync(kept).equals(changes), damage);
      assert.equal(existsSync(`${database}-wal`), false);
      const restored = await SqliteRoomLog.open({ folder });
      assert.deepEqual(await bodies(restored), ["one"], damage);
      await restored.close();
    }
  });

  test("writeBackup() refuses a log with a damaged write-ahead log, and does not change it", async () => {
    const log = await open();
    await log.append([said("one")]);
    await log.append([said("two")]);
    const killed = join(base, "killed");
    cpSync(folder, killed, { recursive: true });
    await log.close();
    const changes = readFileSync(join(killed, "landline.db-wal"));
    changes.writeUInt8(changes.readUInt8(100) ^ 1, 100);
    writeFileSync(join(killed, "landline.db-wal"), changes);
    await assert.rejects(writeBackup(killed, file), {
      code: "damaged",
      message: `Cannot back up ${killed}: landline.db-wal is damaged; start the server once, which keeps a copy of it`,
    });
    assert.ok(readFileSync(join(killed, "landline.db-wal")).equals(changes));
    writeFileSync(join(killed, "landline.db"), "");
    await rejects(writeBackup(killed, file), "damaged");
    assert.ok(readFileSync(join(killed, "landline.db-wal")).equals(changes));
    mkdirSync(join(base, "empty"));
    writeFileSync(join(base, "empty", "landline.db"), "");
    await rejects(writeBackup(join(base, "empty"), file), "not-a-log");
    assert.equal(existsSync(file), false);
  });

  test("backup() reports it when its unfinished file is removed", async () => {
    const log = await open();
    await log.append(Array.from({ length: 2_000 }, (_, i) => said(`${i}`.repeat(100))));
    let isDone = false;
    const removing = (async () => {
      while (!isDone) {
        for (const name of readdirSync(base))
          if (name.endsWith(".unfinished")) rmSync(join(base, name), { force: true });
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    try {
      await assert.rejects(log.backup(file), { code: "io", message: /was removed while it was written/ });
    } finally {
      isDone = true;
      await removing;
    }
    assert.equal(existsSync(file), false);
  });

  test("restoreBackup() applies the `-wal` file beside a backup, as in a copy of a server's folder", async () => {
    const log = await open();
    await log.append([said("one")]);
    const reading = new DatabaseSync(join(folder, "landline.db"), { readOnly: true });
    reading.exec("BEGIN; SELECT * FROM rooms");
    await log.append([said("two")]);
    cpSync(folder, join(base, "copy"), { recursive: true });
    reading.close();
    await log.close();
    assert.ok(statSync(join(base, "copy", "landline.db-wal")).size > 0);
    await restoreBackup(join(base, "copy", "landline.db"), folder);
    assert.equal(existsSync(join(folder, "landline.db.unfinished-wal")), false);
    assert.deepEqual(await bodies(await open()), ["one", "two"]);
  });

  test("restoreBackup() refuses an unusable backup or a folder in use, and changes nothing", async () => {
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
    const message = `Cannot restore ${bad}: the backup is damaged; take another`;
    for (const bytes of [readFileSync(file).fill(0xa5, 40_000, 60_000), readFileSync(file).subarray(0, 20_000)]) {
      writeFileSync(bad, bytes);
      await assert.rejects(restoreBackup(bad, folder), { code: "damaged", message });
    }
    const newer = new DatabaseSync(file);
    newer.exec("PRAGMA user_version = 1000");
    newer.close();
    await rejects(restoreBackup(file, folder), "newer-version");

    assert.deepEqual(readdirSync(folder), ["landline.db", "landline.last", "landline.lock"]);
    assert.equal((await bodies(await open())).length, 1_000);
  });

  test("restoreBackup() by root gives its files to the folder's owner", async (t) => {
    if (process.getuid?.() !== 0) return t.skip("needs root");
    const log = await open();
    await log.backup(file);
    const other = join(base, "other");
    mkdirSync(other);
    chownSync(other, 65_534, 65_534);
    await restoreBackup(file, other);
    const owners = readdirSync(other).map((name) => [name, statSync(join(other, name)).uid]);
    assert.deepEqual(owners, [
      ["landline.db", 65_534],
      ["landline.lock", 65_534],
    ]);
    assert.equal(statSync(join(other, "landline.db")).mode & 0o777, 0o600);
    assert.equal(statSync(file).uid, 0);
  });

  test("backup and restore name the file or folder that failed", async () => {
    const log = await open();
    await log.backup(file);
    const says = (promise: Promise<unknown>, message: string) => assert.rejects(promise, { code: "io", message });
    const nowhere = join(base, "nowhere");
    const copy = join(nowhere, "copy.db");
    await says(log.backup(copy), `Cannot back up to ${copy}: there is no folder ${nowhere}`);
    await says(restoreBackup(nowhere, folder), `Cannot restore ${nowhere}: there is no file ${nowhere}`);
    await says(restoreBackup(base, join(base, "new")), `Cannot restore ${base}: it is a folder, not a file`);
    await says(restoreBackup(file, file), `Cannot restore ${file}: it is a file, not a folder`);
    await says(SqliteRoomLog.open({ folder: file }), `Cannot open ${file}: it is a file, not a folder`);
  });
});
