import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Task } from "./housekeeping.ts";
import type { Retention } from "./retention.ts";
import { SEQ_BITS, SEQ_MAX } from "./schema.ts";
import type { WordIndex } from "./word-index.ts";

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
      db.prepare(`SELECT no, words_seq, (SELECT max(place) & ${SEQ_MAX} FROM entries WHERE ${range}) AS last_seq
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
    for (const { no, words_seq, last_seq } of rooms) {
      if (last_seq === null) continue;
      if ((words_seq as number) < (last_seq as number)) this.#words.add(no as number);
      this.#retention.add(no as number);
    }
    this.#nextNo = rooms.length < STEP_ROOMS ? undefined : (rooms.at(-1)?.no as number) + 1;
    return true;
  }
}
