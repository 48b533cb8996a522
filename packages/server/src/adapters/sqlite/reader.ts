/** A thread that only reads: one is for history, one for searches. */
import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import { fitting, type ReadBounds, type ReadOptions } from "../../hub/mod.ts";
import { openForReading } from "./database.ts";
import { beforeOf, limitOf, seqOf } from "./read-bounds.ts";
import { DATABASE_FILE, SEQ_BITS } from "./schema.ts";
import { COLUMNS, charactersOf, type Row } from "./stored-entry.ts";
import { type Found, type SearchRange, WordSearch } from "./word-search.ts";
import { answerCalls } from "./worker-calls.ts";

/** Rooms whose numbers are remembered. */
const ROOMS_MAX = 10_000;

/** Rows, oldest first. */
export interface Rows {
  readonly rows: readonly Row[];
  readonly more: boolean;
}

const RANGE = `BETWEEN (? << ${SEQ_BITS}) | ? AND (? << ${SEQ_BITS}) | ?`;

class Reader {
  readonly #db: DatabaseSync;
  readonly #numbers = new Map<string, number>();
  readonly #find: StatementSync;
  readonly #oldest: StatementSync;
  readonly #newest: StatementSync;
  readonly #search: WordSearch;
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
    this.#search = new WordSearch(this.#db);
    this.#state = prepare("SELECT key, value FROM state WHERE room = ?");
  }

  start(): void {}

  read(room: string, { after, before, ...bounds }: ReadOptions): Rows {
    const no = this.#numberOf(room);
    if (no === undefined) return { rows: [], more: false };
    const limit = limitOf(bounds);
    const range = [no, seqOf(after ?? 0) + 1, no, beforeOf(before)] as const;
    const rows = (after === undefined ? this.#newest : this.#oldest).iterate(...range, limit + 1);
    return pageOf(rows, { ...bounds, limit }, after === undefined);
  }

  /** A part of a search. */
  search(room: string, query: string, range: SearchRange): Found {
    const no = this.#numberOf(room);
    return no === undefined ? { rows: [] } : this.#search.search(no, query, range);
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

function pageOf(rows: Iterable<unknown>, { limit, charactersMax }: ReadBounds, isNewestFirst: boolean): Rows {
  const { items, more } = fitting(rows as Iterable<Row>, { limit, sizeMax: charactersMax, sizeOf: charactersOf });
  return { rows: isNewestFirst ? items.reverse() : items, more };
}

export type ReaderMethods = Pick<Reader, "start" | "read" | "search" | "state" | "close">;

answerCalls<ReaderMethods>("read the rooms", () => new Reader((workerData as { folder: string }).folder));
