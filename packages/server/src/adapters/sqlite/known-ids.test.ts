import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { fc } from "../../../../../test/seed.ts";
import { firstValue } from "./database.ts";
import { KnownIds, type KnownIdsLimits } from "./known-ids.ts";
import { migrate } from "./schema.ts";

const SMALL: KnownIdsLimits = { idsMax: 3, cachedMax: 8, unwrittenIdle: 4, unwrittenMax: 6, tailMax: 12, stepIds: 2 };

interface Stored {
  readonly id: string;
  readonly seq: number;
}

/** Entries of two rooms, and a server's known ids of them. */
class Log {
  readonly db: DatabaseSync = new DatabaseSync(":memory:");
  ids: KnownIds;
  readonly #limits: KnownIdsLimits | undefined;
  readonly #lastSeqs = [0, 0, 0];
  /** The ids by room and author, oldest first. */
  readonly stored = new Map<string, Stored[]>();

  constructor(limits?: KnownIdsLimits) {
    migrate(this.db, "", new Date());
    this.db.exec("INSERT INTO rooms (name) VALUES ('one'), ('two')");
    this.#limits = limits;
    this.ids = new KnownIds(this.db, "disk", limits);
  }

  restart(): void {
    this.ids = new KnownIds(this.db, "disk", this.#limits);
  }

  add(room: number, author: string, id: string): void {
    if (this.ids.find(room, author, id) !== undefined) return;
    this.#lastSeqs[room] = (this.#lastSeqs[room] ?? 0) + 1;
    const seq = this.#lastSeqs[room] as number;
    const insert = "INSERT INTO entries (place, at, kind, author, id, body) VALUES ((? << 35) | ?, 0, 0, ?, ?, '')";
    this.db.prepare(insert).run(room, seq, author, id);
    this.ids.add(room, author, id, seq);
    const stored = this.stored.get(`${room} ${author}`) ?? [];
    this.stored.set(`${room} ${author}`, stored);
    stored.push({ id, seq });
  }

  /** Every remembered id must be right, and the newest must be remembered. */
  check(idsMax: number): void {
    for (const [key, stored] of this.stored) {
      const [room, author] = key.split(" ") as [string, string];
      for (const [i, { id, seq }] of stored.entries()) {
        const found = this.ids.find(Number(room), author, id);
        const isOld = stored.length - i > idsMax;
        if (isOld && found === undefined) continue;
        const newest = stored.findLast((one) => one.id === id);
        assert.equal(found, isOld ? newest?.seq : seq, `${key} ${id}`);
      }
    }
  }
}

describe("KnownIds", () => {
  test("remembers each author's last ids through writes, evictions and restarts", () => {
    const action = fc.oneof(
      {
        weight: 20,
        arbitrary: fc.record({ room: fc.integer({ min: 1, max: 2 }), author: fc.constantFrom("a", "b", "c", "d") }),
      },
      { weight: 6, arbitrary: fc.constant("step" as const) },
      { weight: 1, arbitrary: fc.constant("restart" as const) },
      { weight: 1, arbitrary: fc.constant("clear" as const) },
      { weight: 2, arbitrary: fc.constant("check" as const) },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const log = new Log(SMALL);
        let next = 0;
        for (const one of actions) {
          if (one === "step") log.ids.step();
          else if (one === "restart") log.restart();
          else if (one === "clear") log.ids.clear();
          else if (one === "check") log.check(SMALL.idsMax);
          else log.add(one.room, one.author, `${next++}`);
          while (log.ids.isUrgent) assert.equal(log.ids.step(), true);
        }
        log.check(SMALL.idsMax);
        log.restart();
        log.check(SMALL.idsMax);
        log.db.close();
      }),
      { numRuns: 200 },
    );
  });

  test("writes nothing while few ids are unwritten, and never more than an author's last ones", () => {
    const log = new Log(SMALL);
    for (let i = 0; i < 4; i += 1) log.add(1, "a", `${i}`);
    assert.equal(log.ids.step(), false);
    for (const author of ["b", "c"]) log.add(1, author, "0");
    while (log.ids.step());
    assert.equal(firstValue(log.db, "SELECT count(*) FROM ids"), 5);
    assert.equal(firstValue(log.db, "SELECT ids_seq FROM rooms WHERE no = 1"), 6);
    log.db.close();
  });

  test("does not write the ids of removed entries, and does not find them after a restart", () => {
    const log = new Log(SMALL);
    for (let i = 0; i < 3; i += 1) for (const author of ["a", "b"]) log.add(1, author, `${i}`);
    log.db.exec("DELETE FROM entries WHERE place <= (1 << 35) | 4");
    log.ids.forget(1, 4);
    while (log.ids.step());
    assert.equal(firstValue(log.db, "SELECT min(seq) FROM ids"), 5);
    log.restart();
    assert.equal(log.ids.find(1, "a", "0"), undefined);
    assert.equal(log.ids.find(1, "a", "2"), 5);
    log.db.close();
  });

  test("is urgent when too many ids are unwritten, until they are written", () => {
    const log = new Log({
      idsMax: 100,
      cachedMax: 1_000,
      unwrittenIdle: 500,
      unwrittenMax: 2_000,
      tailMax: 3_000,
      stepIds: 64,
    });
    for (let author = 0; author < 20; author += 1) for (let i = 0; i < 100; i += 1) log.add(1, `user${author}`, `${i}`);
    assert.equal(log.ids.isUrgent, false);
    log.add(1, "one", "more");
    assert.equal(log.ids.isUrgent, true);
    assert.equal(log.ids.step(), true);
    assert.equal(log.ids.isUrgent, false);
    while (log.ids.step());
    log.check(100);
    // Old ids of one author are dropped, but without a write a start would read too many entries.
    for (let i = 0; i < 3_001; i += 1) log.add(2, "one", `${i}`);
    assert.equal(log.ids.isUrgent, true);
    while (log.ids.step());
    assert.equal(log.ids.isUrgent, false);
    assert.equal(firstValue(log.db, "SELECT ids_seq FROM rooms WHERE no = 2"), 3_001);
    assert.equal(firstValue(log.db, "SELECT count(*) FROM ids WHERE room = 2"), 100);
    log.db.close();
  });
});
