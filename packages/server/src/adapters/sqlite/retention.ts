import type { DatabaseSync, StatementSync } from "node:sqlite";
import { AHEAD_MAX_MS, nameKey } from "../../core/mod.ts";
import { type Durability, transactLazily } from "./database.ts";
import type { Task } from "./housekeeping.ts";
import type { KnownIds } from "./known-ids.ts";
import { SEQ_BITS, SEQ_MAX } from "./schema.ts";

/** What is kept of each room. @default everything */
export interface Keep {
  /** The newest entries. About three hundred more are kept at times. */
  readonly entriesMax?: number | undefined;
  /** Entries younger than this, in milliseconds. Older ones are removed within about a minute. */
  readonly ageMs?: number | undefined;
}

/** Entries removed in one step. */
const STEP_ENTRIES = 256;
/** Most rooms queued for a check. The next sweep finds the others. */
const ROOMS_MAX = 10_000;

/** Removes the oldest entries of rooms in the background, with their ids. The rooms' state stays. */
export class Retention implements Task {
  readonly #db: DatabaseSync;
  readonly #durability: Durability;
  readonly #keep: Keep;
  readonly #ids: KnownIds;
  readonly #now: () => number;
  readonly #rooms = new Set<number>();
  readonly #readLast: StatementSync;
  readonly #read: StatementSync;
  readonly #readNext: StatementSync;
  readonly #delete: StatementSync;
  readonly #deleteId: StatementSync;
  readonly #mark: StatementSync;

  constructor(db: DatabaseSync, durability: Durability, keep: Keep, ids: KnownIds, now: () => number = Date.now) {
    this.#db = db;
    this.#durability = durability;
    this.#keep = keep;
    this.#ids = ids;
    this.#now = now;
    const range = `place BETWEEN ? << ${SEQ_BITS} AND (? << ${SEQ_BITS}) | ${SEQ_MAX}`;
    this.#readLast = db.prepare(`SELECT max(place) & ${SEQ_MAX} AS last_seq FROM entries WHERE ${range}`);
    this.#read = db.prepare(`SELECT place & ${SEQ_MAX} AS seq, at, author, id FROM entries
      WHERE ${range} ORDER BY place LIMIT ${STEP_ENTRIES}`);
    this.#readNext = db.prepare(`SELECT at FROM entries WHERE place > (? << ${SEQ_BITS}) | ?
      AND place <= (? << ${SEQ_BITS}) | ${SEQ_MAX} AND at <= ? ORDER BY place LIMIT 1`);
    this.#delete = db.prepare(`DELETE FROM entries
      WHERE place BETWEEN ? << ${SEQ_BITS} AND (? << ${SEQ_BITS}) | ?`);
    this.#deleteId = db.prepare("DELETE FROM ids WHERE room = ? AND author = ? AND id = ? AND seq = ?");
    this.#mark = db.prepare(`UPDATE rooms SET forgotten_seq = ?1, forgotten_at = ?2,
      ids_seq = max(ids_seq, ?1) WHERE no = ?3`);
  }

  get isUnlimited(): boolean {
    return this.#keep.entriesMax === undefined && this.#keep.ageMs === undefined;
  }

  /** Queues a room for a check. */
  add(no: number): void {
    if (!this.isUnlimited && this.#rooms.size < ROOMS_MAX) this.#rooms.add(no);
  }

  step(): boolean {
    const no = this.#rooms.values().next().value;
    if (no === undefined) return false;
    const forgotten = transactLazily(this.#db, this.#durability, () => this.#forget(no));
    if (forgotten.length > 0) this.#ids.forget(no, forgotten.at(-1)?.seq as number);
    if (forgotten.length < STEP_ENTRIES) this.#rooms.delete(no);
    return true;
  }

  #forget(no: number) {
    const untilSeq =
      ((this.#readLast.get(no, no)?.last_seq ?? 0) as number) - (this.#keep.entriesMax ?? Number.POSITIVE_INFINITY);
    const untilAt = this.#now() - (this.#keep.ageMs ?? Number.POSITIVE_INFINITY);
    const first = this.#read.all(no, no);
    // Remove everything up to the last old entry: an entry dated by a fast clock is older than the ones after it.
    const isOld = ({ seq, at }: (typeof first)[number]) => (seq as number) <= untilSeq || (at as number) < untilAt;
    const count = this.#isBeforeOld(no, first.at(-1), untilAt) ? first.length : first.findLastIndex(isOld) + 1;
    const old = first.slice(0, count);
    const last = old.at(-1);
    if (last === undefined) return old;
    for (const { seq, author, id } of old) {
      if (id !== null) this.#deleteId.run(no, nameKey(author as string), id as string, seq as number);
    }
    this.#delete.run(no, no, last.seq as number);
    this.#mark.run(last.seq as number, last.at as number, no);
    return old;
  }

  /** Whether the entry was dated by a fast clock and a later entry is too old. */
  #isBeforeOld(no: number, entry: Readonly<Record<string, unknown>> | undefined, untilAt: number): boolean {
    const aheadAt = this.#now() + AHEAD_MAX_MS;
    if (entry === undefined || (entry.at as number) <= aheadAt) return false;
    const nextAt = this.#readNext.get(no, entry.seq as number, no, aheadAt)?.at;
    return nextAt !== undefined && (nextAt as number) < untilAt;
  }
}
