import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import { firstValue } from "./database.ts";
import { KnownIds } from "./known-ids.ts";
import { Retention } from "./retention.ts";
import { APPLICATION_ID, MIGRATIONS, migrate } from "./schema.ts";
import { Sweep } from "./sweep.ts";
import { WordIndex } from "./word-index.ts";
import { WordSearch } from "./word-search.ts";

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
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
    const old = new DatabaseSync(join(folder, name));
    assert.equal(firstValue(old, "PRAGMA user_version"), MIGRATIONS.length);
    assert.equal(firstValue(old, "PRAGMA application_id"), APPLICATION_ID);
    assert.deepEqual(old.prepare("SELECT name FROM rooms").get()?.name, "lobby");
    old.close();
  });

  test("brings version 1 to one whose words are indexed anew", () => {
    migrate(db, file, NOW, MIGRATIONS.slice(0, 1));
    db.exec(`INSERT INTO rooms (name, forgotten_seq, words_seq) VALUES ('lobby', 3, 5);
      INSERT INTO entries (place, at, kind, author, body)
        VALUES ((1 << 35) | 4, 0, 0, 'A', 'tea'), ((1 << 35) | 5, 0, 0, 'A', 'x');
      INSERT INTO words (rowid, body) VALUES ((1 << 35) | 4, 'tea'), ((1 << 35) | 5, 'x')`);
    migrate(db, file, NOW);
    assert.equal(firstValue(db, "SELECT words_seq FROM rooms"), 3);
    assert.equal(firstValue(db, "SELECT count(*) FROM words"), 0);
    const words = new WordIndex(db, "disk");
    const sweep = new Sweep(db, words, new Retention(db, "disk", {}, new KnownIds(db, "disk")));
    while (sweep.step() || words.step());
    const range = { before: 10, limit: 10, charactersMax: 10 };
    assert.deepEqual(new WordSearch(db).search(1, "te", range).rows[0]?.[6], "tea");
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
      message: new RegExp(`version ${MIGRATIONS.length + 1}, this Landline knows ${MIGRATIONS.length};`),
    });
  });

  test("refuses what is another program's", () => {
    db.exec("PRAGMA user_version = 1");
    assert.throws(() => migrate(db, file, NOW), { code: "not-a-log" });
  });
});
