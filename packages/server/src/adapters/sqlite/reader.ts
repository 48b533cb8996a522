/** A thread that only reads: one is for history, one for searches. */
import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import { type ReadOptions, type SearchOptions, wordsOf } from "../../hub/mod.ts";
import { openForReading } from "./database.ts";
import { DATABASE_FILE, SEQ_BITS, SEQ_MAX } from "./schema.ts";
import type { Row } from "./stored-entry.ts";
import { answerCalls } from "./worker-calls.ts";

/** Entries that one call gives at most; `more` says so. */
const ENTRIES_MAX = 1_000;
/** Rooms whose numbers are remembered. */
const ROOMS_MAX = 10_000;

/** Rows, oldest first. */
export interface Rows {
  readonly rows: readonly Row[];
  readonly more: boolean;
}

const COLUMNS = `place & ${SEQ_MAX}, at, kind, author, id, key, body`;
const RANGE = `BETWEEN (? << ${SEQ_BITS}) | ? AND (? << ${SEQ_BITS}) | ?`;

class Reader {
  readonly #db: DatabaseSync;
  readonly #numbers = new Map<string, number>();
  readonly #find: StatementSync;
  readonly #oldest: StatementSync;
  readonly #newest: StatementSync;
  readonly #search: StatementSync;
  readonly #state: StatementSync;

  constructor(folder: string) {
    this.#db = openForReading(join(folder, DATABASE_FILE));
    const prepare = (sql: string) => {
      const statement = this.#db.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    this.#find = this.#db.prepare("SELECT no FROM rooms WHERE name = ?");
    const read = (order: string) =>
      `SELECT ${COLUMNS} FROM entries WHERE place ${RANGE} ORDER BY place ${order} LIMIT ?`;
    this.#oldest = prepare(read("ASC"));
    this.#newest = prepare(read("DESC"));
    this.#search = prepare(`SELECT ${COLUMNS} FROM entries WHERE place IN
      (SELECT rowid FROM words WHERE words MATCH ? AND rowid ${RANGE} ORDER BY rowid DESC LIMIT ?) ORDER BY place DESC`);
    this.#state = prepare("SELECT key, value FROM state WHERE room = ?");
  }

  start(): void {}

  read(room: string, { after, before, limit }: ReadOptions): Rows {
    const no = this.#numberOf(room);
    if (no === undefined) return { rows: [], more: false };
    const count = countOf(limit);
    const range = [no, seqOf(after ?? 0) + 1, no, beforeOf(before)] as const;
    const rows = (after === undefined ? this.#newest : this.#oldest).all(...range, count + 1) as unknown as Row[];
    return pageOf(rows, count, after === undefined);
  }

  search(room: string, query: string, { before, limit }: SearchOptions): Rows {
    const no = this.#numberOf(room);
    const words = wordsOf(query);
    if (no === undefined || words.length === 0) return { rows: [], more: false };
    const count = countOf(limit);
    // A word is letters and digits only, so that nothing in it can end the quotes.
    const match = `${words.map((word) => `"${word}"`).join(" ")}*`;
    const rows = this.#search.all(match, no, 1, no, beforeOf(before), count + 1) as unknown as Row[];
    return pageOf(rows, count, true);
  }

  state(room: string): readonly (readonly [string, string])[] {
    const no = this.#numberOf(room);
    return no === undefined ? [] : (this.#state.all(no) as unknown as [string, string][]);
  }

  close(): void {
    this.#db.close();
  }

  /** A room keeps its number for ever. */
  #numberOf(room: string): number | undefined {
    const known = this.#numbers.get(room);
    if (known !== undefined) return known;
    const no = this.#find.get(room)?.no as number | undefined;
    if (no === undefined) return undefined;
    if (this.#numbers.size >= ROOMS_MAX) this.#numbers.clear();
    this.#numbers.set(room, no);
    return no;
  }
}

function countOf(limit: number): number {
  return Math.max(0, Math.min(Math.trunc(limit), ENTRIES_MAX));
}

function seqOf(seq: number): number {
  return Math.max(0, Math.min(Math.trunc(seq), SEQ_MAX - 1));
}

/** The last `seq` that is before the bound. */
function beforeOf(before: number | undefined): number {
  return before === undefined ? SEQ_MAX : seqOf(before - 1);
}

function pageOf(rows: readonly Row[], count: number, isNewestFirst: boolean): Rows {
  const more = rows.length > count;
  const kept = rows.slice(0, count);
  return { rows: isNewestFirst ? kept.reverse() : kept, more };
}

export type ReaderMethods = Pick<Reader, "start" | "read" | "search" | "state" | "close">;

answerCalls<ReaderMethods>("read the log", () => new Reader((workerData as { folder: string }).folder));
