import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type Durability, transactLazily } from "./database.ts";
import type { Task } from "./housekeeping.ts";
import { KINDS, SEQ_BITS, SEQ_MAX } from "./schema.ts";
import { tokensOf } from "./word-tokens.ts";

/** Most entries indexed in one step. A step also ends past this many UTF-16 units. */
const STEP_ENTRIES = 128;
const STEP_CHARACTERS = 32_768;
/** Most rooms queued. The next sweep finds the others. */
const ROOMS_MAX = 10_000;
/** How long a search waits for the index, in milliseconds. */
const WAIT_MS = 250;

interface Waiting {
  readonly seq: number;
  readonly resolve: () => void;
}

/** Fills the full-text index in the background, room by room. */
export class WordIndex implements Task {
  readonly #db: DatabaseSync;
  readonly #durability: Durability;
  /** Rooms with entries that are not indexed yet. */
  readonly #rooms = new Set<number>();
  /** Whether rooms were left out of the queue. A sweep must find them. */
  hasMissed = false;
  readonly #waiting = new Map<number, Set<Waiting>>();
  readonly #readMark: StatementSync;
  readonly #read: StatementSync;
  readonly #insert: StatementSync;
  readonly #mark: StatementSync;

  constructor(db: DatabaseSync, durability: Durability) {
    this.#db = db;
    this.#durability = durability;
    this.#readMark = db.prepare("SELECT words_seq FROM rooms WHERE no = ?");
    this.#read = db.prepare(`SELECT place & ${SEQ_MAX} AS seq, kind, body FROM entries
      WHERE place > (? << ${SEQ_BITS}) | ? AND place <= (? << ${SEQ_BITS}) | ${SEQ_MAX} ORDER BY place LIMIT ?`);
    this.#insert = db.prepare(`INSERT INTO words (rowid, body) VALUES ((? << ${SEQ_BITS}) | ?, ?)`);
    this.#mark = db.prepare("UPDATE rooms SET words_seq = ? WHERE no = ?");
  }

  /** Queues a room that may have new entries. */
  add(no: number): void {
    if (this.#rooms.size < ROOMS_MAX) this.#rooms.add(no);
    else this.hasMissed = true;
  }

  /** Resolves when the room is indexed up to the entry, or after {@link WAIT_MS}. */
  wait(no: number, seq: number): Promise<void> {
    if (this.#markOf(no) >= seq) return Promise.resolve();
    this.#rooms.add(no);
    const waiting = this.#waiting.get(no) ?? new Set();
    this.#waiting.set(no, waiting);
    return new Promise((resolve) => {
      const timer = setTimeout(() => done.resolve(), WAIT_MS);
      const done: Waiting = {
        seq,
        resolve: () => {
          clearTimeout(timer);
          waiting.delete(done);
          if (waiting.size === 0) this.#waiting.delete(no);
          resolve();
        },
      };
      waiting.add(done);
    });
  }

  step(): boolean {
    // Rooms with a waiting search come first.
    const no = this.#waiting.keys().next().value ?? this.#rooms.values().next().value;
    if (no === undefined) return false;
    const until = transactLazily(this.#db, this.#durability, () => this.#index(no));
    if (until === undefined) this.#rooms.delete(no);
    for (const { seq, resolve } of this.#waiting.get(no) ?? []) {
      if (until === undefined || until >= seq) resolve();
    }
    return true;
  }

  /** Indexes one step. Returns the last indexed `seq`, or `undefined` if the room is complete. */
  #index(no: number): number | undefined {
    const mark = this.#markOf(no);
    const entries = this.#read.all(no, mark, no, STEP_ENTRIES);
    let until = mark;
    let characters = 0;
    for (const { seq, kind, body } of entries) {
      if (kind === KINDS.chat) {
        this.#insert.run(no, seq as number, tokensOf(no, seq as number, body as string));
        characters += (body as string).length;
      }
      until = seq as number;
      if (characters >= STEP_CHARACTERS) break;
    }
    if (until > mark) this.#mark.run(until, no);
    return entries.length < STEP_ENTRIES && until === (entries.at(-1)?.seq ?? mark) ? undefined : until;
  }

  #markOf(no: number): number {
    return (this.#readMark.get(no)?.words_seq ?? 0) as number;
  }
}
