import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { firstValue } from "./database.ts";
import { KnownIds } from "./known-ids.ts";
import { type Keep, Retention } from "./retention.ts";
import { migrate } from "./schema.ts";
import { Sweep } from "./sweep.ts";
import { WordIndex } from "./word-index.ts";
import { WordSearch } from "./word-search.ts";

/** Entries 1 to 600 of a room, one second apart, with ids and words, and one entry of another room. */
function filled() {
  const db = new DatabaseSync(":memory:");
  migrate(db, "", new Date());
  db.exec("INSERT INTO rooms (name) VALUES ('one'), ('two')");
  const ids = new KnownIds(db, "disk", {
    idsMax: 1_000,
    cachedMax: 1_000,
    unwrittenIdle: 0,
    unwrittenMax: 1_000,
    tailMax: 1_000,
    stepIds: 1_000,
  });
  const insert = db.prepare(
    "INSERT INTO entries (place, at, kind, author, id, body) VALUES ((? << 35) | ?, ?, 0, 'A', ?, ?)",
  );
  for (let seq = 1; seq <= 600; seq += 1) {
    insert.run(1, seq, seq * 1_000, `${seq}`, `word${seq}`);
    ids.add(1, "a", `${seq}`, seq);
  }
  insert.run(2, 1, 1, "1", "word");
  ids.add(2, "a", "1", 1);
  while (ids.step());
  const words = new WordIndex(db, "disk");
  words.add(1);
  words.add(2);
  while (words.step());
  assert.equal(firstValue(db, "SELECT words_seq FROM rooms WHERE no = 1"), 512);
  const found = (word: string) => {
    const { rows } = new WordSearch(db, () => 0).search(1, word, { before: 601, limit: 1, charactersMax: 1 });
    return rows.map(([seq]) => seq);
  };
  const left = (table: string) => firstValue(db, `SELECT count(*) FROM ${table}`);
  const forget = (keep: Keep, now: number) => {
    const retention = new Retention(db, "disk", keep, ids, () => now);
    const sweep = new Sweep(db, words, retention);
    while (sweep.step());
    while (retention.step());
    sweep.begin();
    while (sweep.step());
    while (words.step());
  };
  return { db, ids, left, found, forget };
}

describe("Retention", () => {
  test("keeps the newest entriesMax entries of each room, with only their ids and words", () => {
    const { db, ids, left, found, forget } = filled();
    assert.deepEqual(["entries", "ids", "words"].map(left), [601, 601, 512]);
    forget({ entriesMax: 100 }, 0);
    assert.deepEqual(["entries", "ids", "words"].map(left), [101, 101, 512]);
    assert.deepEqual(["word500", "word501", "word600"].map(found), [[], [501], [600]]);
    forget({ entriesMax: 10 }, 0);
    assert.deepEqual(["entries", "ids", "words", "blocks"].map(left), [11, 11, 0, 0]);
    assert.deepEqual(["word590", "word591", "word600"].map(found), [[], [591], [600]]);
    assert.equal(firstValue(db, "SELECT min(seq) FROM ids WHERE room = 1"), 591);
    assert.deepEqual(
      { ...db.prepare("SELECT forgotten_seq, forgotten_at FROM rooms WHERE no = 1").get() },
      {
        forgotten_seq: 590,
        forgotten_at: 590_000,
      },
    );
    assert.equal(ids.find(1, "a", "600"), 600);
    db.close();
  });

  test("keeps entries younger than ageMs, to the millisecond, and applies the stricter of both limits", () => {
    const { db, left, forget } = filled();
    forget({ ageMs: 100_000 }, 600_000);
    assert.equal(left("entries WHERE place >> 35 = 1"), 101);
    forget({ ageMs: 100_000 }, 600_001);
    assert.equal(left("entries"), 100);
    forget({ ageMs: 100_000, entriesMax: 50 }, 600_001);
    assert.equal(left("entries"), 50);
    forget({ ageMs: 10_000, entriesMax: 50 }, 600_000);
    assert.equal(left("entries"), 11);
    forget({ ageMs: 1 }, 700_000);
    assert.deepEqual(["entries", "ids", "words"].map(left), [0, 0, 0]);
    db.close();
  });

  test("removes an entry dated far ahead together with the entries after it, not before", () => {
    const { db, left, forget } = filled();
    const hours = 3_600_000;
    // More than one step reads.
    db.exec(`UPDATE entries SET at = ${1_000 * hours} WHERE place >> 35 = 1 AND (place & 1023) BETWEEN 11 AND 590`);
    forget({ ageMs: hours }, hours + 591_000);
    assert.equal(left("entries WHERE place >> 35 = 1"), 590);
    forget({ ageMs: hours }, hours + 591_001);
    assert.deepEqual(["entries WHERE place >> 35 = 1", "ids", "words"].map(left), [9, 9, 0]);
    db.close();
  });

  test("removes nothing without limits", () => {
    const { db, left, forget } = filled();
    forget({}, Number.MAX_SAFE_INTEGER);
    assert.equal(left("entries"), 601);
    db.close();
  });
});
