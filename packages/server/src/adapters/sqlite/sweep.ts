import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Task } from "./housekeeping.ts";
import type { Retention } from "./retention.ts";
import { SEQ_BITS, SEQ_MAX } from "./schema.ts";
import type { WordIndex } from "./word-index.ts";

/** A room is checked by the tasks each time it has grown by this many entries. */
export const GROWTH = 256;
/** Rooms checked in one step. */
const STEP_ROOMS = 64;

/** Goes through all rooms, to find work left over from the last run and entries that became too old. */
export class Sweep implements Task {
  readonly #words: WordIndex;
  readonly #retention: Retention;
  readonly #read: StatementSync;
  #nextNo: number | undefined = 0;

  constructor(db: DatabaseSync, words: WordIndex, retention: Retention) {
    this.#words = words;
    this.#retention = retention;
    const range = `place BETWEEN no << ${SEQ_BITS} AND (no << ${SEQ_BITS}) | ${SEQ_MAX}`;
    this.#read =
      db.prepare(`SELECT no, words_seq, (SELECT max(place) & ${SEQ_MAX} FROM entries WHERE ${range}) AS last_seq,
      (SELECT last & ${SEQ_MAX} FROM blocks WHERE ${range.replace("place", "first")} ORDER BY first LIMIT 1) <= forgotten_seq
        AS has_old_block
      FROM rooms WHERE no >= ? ORDER BY no LIMIT ${STEP_ROOMS}`);
  }

  /** Starts a new sweep, if there can be work. */
  begin(): void {
    if (this.#retention.isUnlimited && !this.#words.hasMissed) return;
    this.#words.hasMissed = false;
    this.#nextNo ??= 0;
  }

  step(): boolean {
    if (this.#nextNo === undefined) return false;
    const rooms = this.#read.all(this.#nextNo);
    for (const { no, words_seq, last_seq, has_old_block } of rooms) {
      const grown = ((last_seq ?? 0) as number) - (words_seq as number);
      if (grown >= GROWTH || has_old_block) this.#words.add(no as number);
      if (last_seq !== null) this.#retention.add(no as number);
    }
    this.#nextNo = rooms.length < STEP_ROOMS ? undefined : (rooms.at(-1)?.no as number) + 1;
    return true;
  }
}
