import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import { nameKey } from "../../core/mod.ts";
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

  test("creates a new database, and does not change one of this version", () => {
    migrate(db, file, NOW);
    assert.equal(firstValue(db, "PRAGMA user_version"), MIGRATIONS.length);
    assert.equal(firstValue(db, "PRAGMA application_id"), APPLICATION_ID);
    db.exec("INSERT INTO rooms (name) VALUES ('lobby')");
    migrate(db, file, NOW);
    assert.equal(firstValue(db, "SELECT name FROM rooms"), "lobby");
    assert.deepEqual(readdirSync(folder), ["landline.db"]);
  });

  test("migrates an older database step by step, and keeps a copy of it", () => {
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

  test("migrates the index of each older version, and finds all words before and after they are indexed anew", () => {
    for (const version of [1, 2, 3]) {
      db.close();
      rmSync(file);
      db = new DatabaseSync(file);
      migrate(db, file, NOW, MIGRATIONS.slice(0, version));
      db.exec("INSERT INTO rooms (name, forgotten_seq, words_seq) VALUES ('lobby', 3, 5); BEGIN");
      const insert = db.prepare(
        "INSERT INTO entries (place, at, kind, author, body) VALUES ((1 << 35) | ?, 0, 0, 'A', ?)",
      );
      for (let seq = 4; seq <= 604; seq += 1) insert.run(seq, seq === 4 ? "green tea" : "x");
      db.exec(`INSERT INTO words (rowid, body) VALUES ((1 << 35) | 4, '${version === 1 ? "tea" : "1x0xtea"}'); COMMIT`);
      migrate(db, file, NOW);
      const found = () =>
        new WordSearch(db, () => 0).search(1, "green te", { before: 605, limit: 10, charactersMax: 10 }).rows;
      assert.deepEqual(
        found().map(([seq]) => seq),
        [4],
      );
      const index = new WordIndex(db, "disk");
      const sweep = new Sweep(db, index, new Retention(db, "disk", {}, new KnownIds(db, "disk")));
      while (sweep.step() || index.step());
      assert.equal(firstValue(db, "SELECT words_seq FROM rooms"), 515);
      assert.deepEqual(
        found().map(([seq]) => seq),
        [4],
      );
    }
  });

  test("migrates version 2 to the present keys, and loses no room", () => {
    migrate(db, file, NOW, MIGRATIONS.slice(0, 2));
    const rooms = [
      ["lobby", "lobby"],
      ["__proto__", "__proto__"],
      ["j\u030can", "\u01f0an"],
      ["h\u0331ome", "room-4-2"],
      ["\u1e96ome", "\u1e96ome"],
      ["room-4", "room-4"],
      ["\u2800", "room-7"],
      ["\ufff9a", "room-8"],
      ["\u0301", "room-9"],
      // The key of a name of the greatest length, in capitals.
      ["i\u0307".repeat(64), "i\u0307".repeat(64)],
    ] as const;
    for (const [name] of rooms) db.prepare("INSERT INTO rooms (name) VALUES (?)").run(name);
    db.exec("INSERT INTO meta VALUES ('epoch', 'old')");
    const addId = db.prepare("INSERT INTO ids VALUES (?, ?, ?, ?)");
    for (const [author, seq] of [
      ["j\u030can", 1],
      ["\u01f0an", 2],
      ["ada", 3],
    ] as const)
      addId.run(1, author, "a", seq);
    addId.run(1, "j\u030can", "b", 4);

    const lines = migrate(db, file, NOW);
    const stored = db.prepare("SELECT name FROM rooms ORDER BY no").all();
    assert.deepEqual(
      stored.map(({ name }) => name),
      rooms.map(([, name]) => name),
    );
    assert.deepEqual(lines, [
      'The room "\u1e96ome" has the same name as another room now; it was renamed to room-4-2',
      'The room "\\u{2800}" has a name that nobody can type any more; it was renamed to room-7',
      'The room "\\u{fff9}a" has a name that nobody can type any more; it was renamed to room-8',
      'The room "\u0301" has a name that nobody can type any more; it was renamed to room-9',
    ]);
    for (const { name } of stored) assert.equal(nameKey(String(name)), name);
    // A client of the renamed room must see another log.
    assert.notEqual(firstValue(db, "SELECT value FROM meta WHERE key = 'epoch'"), "old");
    const ids = db.prepare("SELECT author, id FROM ids ORDER BY author, id").all();
    assert.deepEqual(
      ids.map(({ author, id }) => [author, id]),
      [
        ["ada", "a"],
        ["\u01f0an", "a"],
        ["\u01f0an", "b"],
      ],
    );
  });

  test("keeps the epoch when no two rooms get the same name", () => {
    migrate(db, file, NOW, MIGRATIONS.slice(0, 2));
    db.exec("INSERT INTO rooms (name) VALUES ('j\u030can'), ('\u2800'); INSERT INTO meta VALUES ('epoch', 'old')");
    assert.equal(migrate(db, file, NOW).length, 1);
    assert.equal(firstValue(db, "SELECT value FROM meta WHERE key = 'epoch'"), "old");
  });

  test("changes nothing if a migration fails", () => {
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

  test("refuses another program's database", () => {
    db.exec("PRAGMA user_version = 1");
    assert.throws(() => migrate(db, file, NOW), { code: "not-a-log" });
  });
});
