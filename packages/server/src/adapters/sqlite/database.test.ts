import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import { firstValue, openForWriting, toRoomLogError, transactDurably, transactLazily } from "./database.ts";

describe("a database that is written to", () => {
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

  test("waits for the disk at each commit, but for those that may get lost", () => {
    assert.equal(synchronous(), 2);
    transactLazily(db, "disk", () => assert.equal(synchronous(), 1));
    assert.equal(synchronous(), 2);
    assert.throws(() => transactLazily(db, "disk", () => db.exec("INSERT INTO numbers VALUES ('none')")));
    assert.equal(synchronous(), 2);
  });

  test("commits nothing durably while its durability could not be brought back", () => {
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

  test("is changed by all of a transaction or nothing of it", () => {
    assert.throws(() => transactDurably(db, "disk", () => db.exec("INSERT INTO numbers VALUES (1), (1)")));
    assert.throws(() =>
      transactDurably(db, "disk", () => {
        db.exec("INSERT INTO numbers VALUES (1)");
        throw new Error("stop");
      }),
    );
    assert.equal(firstValue(db, "SELECT count(*) FROM numbers"), 0);
  });

  test("its errors have a code and a reason", () => {
    const cases = [
      [{ errcode: 13 }, "storage-full"],
      [{ errcode: 8 + 256 * 3 }, "read-only"],
      [{ errcode: 10 + 256 * 4, message: "disk I/O error" }, "io"],
      [{ errcode: 11 }, "damaged"],
      [{ errcode: 26 }, "not-a-log"],
      [{ code: "ENOSPC" }, "storage-full"],
      [{ code: "EROFS" }, "read-only"],
      [{ code: "ENOENT", message: "no such file" }, "io"],
    ] as const;
    for (const [facts, code] of cases) {
      const error = toRoomLogError(Object.assign(new Error("failed"), facts), "store the messages");
      assert.equal(error.code, code);
      assert.match(error.message, /^Cannot store the messages: /);
    }
  });
});
