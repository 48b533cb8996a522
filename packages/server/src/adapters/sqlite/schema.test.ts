import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import { firstValue } from "./database.ts";
import { APPLICATION_ID, MIGRATIONS, migrate } from "./schema.ts";

const NOW = new Date("2026-11-22T10:00:00Z");
const SECOND = "ALTER TABLE rooms ADD COLUMN color TEXT NOT NULL DEFAULT 'red'";
const THIRD = "UPDATE rooms SET color = 'blue'";

describe("migrate()", () => {
  let folder: string;
  let file: string;
  let db: DatabaseSync;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "landline-schema-"));
    file = join(folder, "landline.db");
    db = new DatabaseSync(file);
  });
  afterEach(() => {
    if (db.isOpen) db.close();
    rmSync(folder, { recursive: true });
  });

  test("makes a new database, and leaves one of this version as it is", () => {
    migrate(db, file, NOW);
    assert.equal(firstValue(db, "PRAGMA user_version"), MIGRATIONS.length);
    assert.equal(firstValue(db, "PRAGMA application_id"), APPLICATION_ID);
    db.exec("INSERT INTO rooms (name) VALUES ('lobby')");
    migrate(db, file, NOW);
    assert.equal(firstValue(db, "SELECT name FROM rooms"), "lobby");
    assert.deepEqual(readdirSync(folder), ["landline.db"]);
  });

  test("brings an older one further, step by step, and keeps it as it was beside it", () => {
    migrate(db, file, NOW);
    db.exec("INSERT INTO rooms (name) VALUES ('lobby')");
    migrate(db, file, NOW, [...MIGRATIONS, SECOND, THIRD]);
    assert.equal(firstValue(db, "PRAGMA user_version"), MIGRATIONS.length + 2);
    assert.equal(firstValue(db, "SELECT color FROM rooms"), "blue");

    const name = `landline-v${MIGRATIONS.length}-2026-11-22T10-00-00.000Z.db`;
    assert.deepEqual(readdirSync(folder).sort(), [name, "landline.db"].sort());
    const old = new DatabaseSync(join(folder, name));
    assert.equal(firstValue(old, "PRAGMA user_version"), MIGRATIONS.length);
    assert.equal(firstValue(old, "PRAGMA application_id"), APPLICATION_ID);
    assert.deepEqual(old.prepare("SELECT name FROM rooms").get()?.name, "lobby");
    old.close();
  });

  test("changes nothing if one of the steps fails", () => {
    migrate(db, file, NOW);
    assert.throws(() => migrate(db, file, NOW, [...MIGRATIONS, SECOND, "UPDATE nothing SET color = 1"]));
    assert.equal(firstValue(db, "PRAGMA user_version"), MIGRATIONS.length);
    assert.throws(() => db.prepare("SELECT color FROM rooms"));
  });

  test("refuses a newer version", () => {
    migrate(db, file, NOW, [...MIGRATIONS, SECOND]);
    assert.throws(() => migrate(db, file, NOW), {
      code: "newer-version",
      message: /version 2, this Landline knows 1;/,
    });
  });

  test("refuses what is another program's", () => {
    db.exec("PRAGMA user_version = 1");
    assert.throws(() => migrate(db, file, NOW), { code: "not-a-log" });
  });
});
