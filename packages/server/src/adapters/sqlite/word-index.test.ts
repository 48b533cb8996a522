import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { seededRandom } from "../../../../../test/seed.ts";
import { hasWords, queryWords } from "../../hub/mod.ts";
import { KnownIds } from "./known-ids.ts";
import { Retention } from "./retention.ts";
import { migrate } from "./schema.ts";
import { Sweep } from "./sweep.ts";
import { WordIndex } from "./word-index.ts";
import { WordSearch } from "./word-search.ts";

const WORDS = ["tea", "teapot", "上海", "我在上海滩", "👍", "👍🏽", "x", "Straße", "q".repeat(3_000)];
const QUERIES = ["te", "tea", "上", "海滩", "👍", "strasse", "qqq", "x"];

function twoRooms(): DatabaseSync {
  const db = new DatabaseSync(":memory:");
  migrate(db, "", new Date());
  db.exec("INSERT INTO rooms (name) VALUES ('one'), ('two')");
  return db;
}

/** Two rooms with random histories of appends, retention, indexing and restarts. */
class Histories {
  readonly db = twoRooms();
  readonly random: () => number;
  /** The texts of the messages that each room has, by `seq`. */
  readonly rooms: readonly Map<number, string>[] = [new Map(), new Map()];
  readonly #lastSeqs = [0, 0];
  readonly #ids = new KnownIds(this.db, "disk");
  #index = new WordIndex(this.db, "disk");

  constructor(random: () => number) {
    this.random = random;
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  append(room: number): void {
    const insert = this.db.prepare(
      "INSERT INTO entries (place, at, kind, author, body) VALUES ((? << 35) | ?, 0, ?, 'A', ?)",
    );
    this.db.exec("BEGIN");
    for (let count = this.below(400); count > 0; count -= 1) {
      const body = Array.from({ length: this.below(4) }, () => WORDS[this.below(WORDS.length)]).join(" ");
      const seq = (this.#lastSeqs[room] as number) + 1;
      this.#lastSeqs[room] = seq;
      const isSet = this.below(10) === 0;
      insert.run(room + 1, seq, isSet ? 1 : 0, body);
      if (!isSet) this.rooms[room]?.set(seq, body);
    }
    this.db.exec("COMMIT");
    this.#index.add(room + 1);
  }

  forget(room: number): void {
    const retention = new Retention(this.db, "disk", { entriesMax: 1 + this.below(600) }, this.#ids, () => 0);
    retention.add(room + 1);
    for (let steps = this.below(6); steps > 0; steps -= 1) retention.step();
    const first = this.db.prepare("SELECT min(place & 34359738367) AS seq FROM entries WHERE place >> 35 = ?");
    const firstSeq = (first.get(room + 1)?.seq ?? Number.POSITIVE_INFINITY) as number;
    for (const seq of this.rooms[room]?.keys() ?? []) if (seq < firstSeq) this.rooms[room]?.delete(seq);
  }

  index(): void {
    for (let steps = this.below(8); steps > 0; steps -= 1) this.#index.step();
  }

  restart(): void {
    this.#index = new WordIndex(this.db, "disk");
    const sweep = new Sweep(this.db, this.#index, new Retention(this.db, "disk", {}, this.#ids));
    while (sweep.step());
  }
}

describe("WordIndex", () => {
  test("indexes a room of which retention has removed very many entries before", () => {
    const db = twoRooms();
    db.exec("UPDATE rooms SET forgotten_seq = 100000 WHERE no = 1; BEGIN");
    const insert = db.prepare(
      "INSERT INTO entries (place, at, kind, author, body) VALUES ((1 << 35) | ?, 0, 0, 'A', ?)",
    );
    for (let seq = 100_001; seq <= 100_600; seq += 1) insert.run(seq, `tea ${seq}`);
    db.exec("COMMIT");
    const index = new WordIndex(db, "disk");
    index.add(1);
    while (index.step());
    assert.equal(db.prepare("SELECT words_seq FROM rooms").get()?.words_seq, 100_512);
    const search = new WordSearch(db, () => 0);
    for (const seq of [100_001, 100_512, 100_600]) {
      const { rows } = search.search(1, `tea ${seq}`, { before: 2 ** 35, limit: 10, charactersMax: 100 });
      assert.deepEqual(
        rows.map(([found]) => found),
        [seq],
      );
    }
    db.close();
  });

  test("stays right in random histories of appends, retention, indexing and restarts", () => {
    const random = seededRandom();
    for (let round = 0; round < 20; round += 1) {
      const histories = new Histories(random);
      for (let i = 0; i < 30; i += 1) {
        const room = histories.below(2);
        const act = (["append", "append", "forget", "index", "restart"] as const)[histories.below(5)] ?? "append";
        histories[act](room);
        const query = `${QUERIES[histories.below(8)]} ${QUERIES[histories.below(8)]}`.slice(histories.below(2) * 4);
        const words = queryWords(query);
        const expected = [...(histories.rooms[room] as Map<number, string>)].filter(([, body]) =>
          hasWords(body, words),
        );
        // Some steps end after their first look.
        let now = 0;
        const search = new WordSearch(histories.db, () => {
          now += histories.below(4) === 0 ? 20 : 0;
          return now;
        });
        const found: number[] = [];
        for (let before: number | undefined = 2 ** 35; before !== undefined; ) {
          const step = search.search(room + 1, query, { before, limit: 1 + histories.below(50), charactersMax: 9_000 });
          found.push(...step.rows.map(([seq]) => seq));
          before = step.before;
        }
        assert.deepEqual(
          found.reverse(),
          expected.map(([seq]) => seq),
          `${query} after ${act}`,
        );
      }
      histories.db.close();
    }
  });
});
