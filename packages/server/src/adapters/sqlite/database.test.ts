import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import { firstValue, openForWriting, toRoomLogError, transactDurably, transactLazily } from "./database.ts";

describe("The writer's database", () => {
  let folder: string;
  let db: DatabaseSync;
  const synchronous = () => firstValue(db, "PRAGMA synchronous");

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "landline-database-"));
    db = openForWriting(join(folder, "test.db"), () => undefined);
    db.exec("CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT");
  });
  afterEach(() => {
    db.close();
    rmSync(folder, { recursive: true });
  });

  test("transactDurably() syncs each commit; transactLazily() does not", () => {
    assert.equal(synchronous(), 2);
    transactLazily(db, "disk", () => assert.equal(synchronous(), 1));
    assert.equal(synchronous(), 2);
    assert.throws(() => transactLazily(db, "disk", () => db.exec("INSERT INTO numbers VALUES ('none')")));
    assert.equal(synchronous(), 2);
  });

  test("transactDurably() fails while the durability cannot be restored", () => {
    const exec = db.exec.bind(db);
    let isBroken = true;
    db.exec = (sql) => {
      if (isBroken && sql.includes("synchronous = 2")) throw new Error("not now");
      exec(sql);
    };
    assert.throws(() => transactLazily(db, "disk", () => undefined), /not now/);
    const insert = () => transactDurably(db, "disk", () => db.exec("INSERT INTO numbers VALUES (1)"));
    assert.throws(insert, /not now/);
    assert.equal(firstValue(db, "SELECT count(*) FROM numbers"), 0);
    isBroken = false;
    insert();
    assert.equal(synchronous(), 2);
    assert.equal(firstValue(db, "SELECT count(*) FROM numbers"), 1);
  });

  test("transact() applies all of the work or nothing", () => {
    assert.throws(() => transactDurably(db, "disk", () => db.exec("INSERT INTO numbers VALUES (1), (1)")));
    assert.throws(() =>
      transactDurably(db, "disk", () => {
        db.exec("INSERT INTO numbers VALUES (1)");
        throw new Error("stop");
      }),
    );
    assert.equal(firstValue(db, "SELECT count(*) FROM numbers"), 0);
  });

  test("toRoomLogError() maps SQLite's errors to a code and a reason", () => {
    const cases = [
      [{ errcode: 13 }, "storage-full"],
      [{ errcode: 10 + 256 * 19, message: "disk I/O error" }, "storage-full"],
      [{ errcode: 8 + 256 * 3 }, "read-only"],
      [{ errcode: 10 + 256 * 4, message: "disk I/O error" }, "io"],
      [{ errcode: 11 }, "damaged"],
      [{ errcode: 26 }, "not-a-log"],
      [{ code: "ENOSPC" }, "storage-full"],
      [{ code: "EROFS" }, "read-only"],
      [{ message: "no such thing" }, "io"],
    ] as const;
    for (const [facts, code] of cases) {
      const error = toRoomLogError(Object.assign(new Error("failed"), facts), "store messages");
      assert.equal(error.code, code);
      assert.match(error.message, /^Cannot store messages: /);
    }
  });

  test("toRoomLogError() names the file or folder of a system error", () => {
    const cases = [
      [{ code: "EROFS", syscall: "mkdir", path: "data" }, "the disk is read-only"],
      [{ code: "EACCES", syscall: "mkdir", path: "above/data" }, "above may not be written to by this user"],
      [{ code: "EACCES", syscall: "open", path: "data/a.db" }, "it may not be written to by this user"],
      [{ code: "ENOENT", syscall: "mkdir", path: "/proc/a" }, "/proc/a cannot be created"],
      [{ code: "EPERM" }, "it may not be written to by this user"],
      [{ code: "EACCES", syscall: "access", path: "data/a.db" }, "data/a.db may not be read by this user"],
      [{ code: "EEXIST", syscall: "mkdir", path: "data" }, "it is a file, not a folder"],
      [{ code: "ENOTDIR", syscall: "mkdir", path: "file/data" }, "file is not a folder"],
      [{ code: "ENOENT", syscall: "open", path: "none/a.unfinished" }, "there is no folder none"],
      [{ code: "ENOENT", syscall: "access", path: "none.db" }, "there is no file none.db"],
      [{ code: "EISDIR", syscall: "copyfile", path: "folder" }, "folder is a folder, not a file"],
    ] as const;
    for (const [facts, reason] of cases) {
      const error = toRoomLogError(Object.assign(new Error("raw"), facts), "open data");
      assert.equal(error.message, `Cannot open data: ${reason}`);
    }
  });
});
