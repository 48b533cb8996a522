/** The entry point of a read-only thread. One runs for history, one for searches. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import { limitPage, type ReadBounds, type ReadOptions, RoomLogError, type SearchOptions } from "../../hub/mod.ts";
import { NO_ROOM, openAlone, openForReading } from "./database.ts";
import { currentBoot, epochOf } from "./incarnation.ts";
import { findLoss, refuseEmptied } from "./loss.ts";
import { beforeOf, limitOf, seqOf } from "./read-bounds.ts";
import { checkVersion, DATABASE_FILE, MIGRATIONS, SEQ_BITS } from "./schema.ts";
import { COLUMNS, charactersOf, type Row } from "./stored-entry.ts";
import { StoredRooms, type StoredState } from "./stored-rooms.ts";
import { type FoundRows, WordSearch } from "./word-search.ts";
import { answerCalls } from "./worker-calls.ts";

/** Most room numbers cached. */
const ROOMS_MAX = 10_000;

/** Rows, oldest first. */
export interface Rows {
  readonly rows: readonly Row[];
  readonly more: boolean;
}

const RANGE = `BETWEEN (? << ${SEQ_BITS}) | ? AND (? << ${SEQ_BITS}) | ?`;

export interface ReaderData {
  readonly folder: string;
  /** Whether no writer has the database open, because the disk is full. */
  readonly isAlone: boolean;
}

class Reader {
  readonly #file: string;
  readonly #db: DatabaseSync;
  readonly #numbers = new Map<string, number>();
  readonly #find: StatementSync;
  readonly #oldest: StatementSync;
  readonly #newest: StatementSync;
  readonly #search: WordSearch;

  constructor({ folder, isAlone }: ReaderData) {
    this.#file = join(folder, DATABASE_FILE);
    this.#db = isAlone ? openWaiting(this.#file) : openForReading(this.#file);
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
  }

  start(): void {}

  /** Returns the log's epoch, after the checks of a start. */
  epoch(): string | undefined {
    const loss = findLoss(this.#db, this.#file, currentBoot());
    if (loss !== undefined) throw new RoomLogError("damaged", loss);
    return epochOf(this.#db);
  }

  /** Returns a room's state. Without a writer, nothing changes meanwhile. */
  state(room: string): StoredState {
    return new StoredRooms(this.#db).state(room);
  }

  read(room: string, { after, before, ...bounds }: ReadOptions): Rows {
    const no = this.#numberOf(room);
    if (no === undefined) return { rows: [], more: false };
    const limit = limitOf(bounds);
    const range = [no, seqOf(after ?? 0) + 1, no, beforeOf(before)] as const;
    const rows = (after === undefined ? this.#newest : this.#oldest).iterate(...range, limit + 1);
    return pageOf(rows, { ...bounds, limit }, after === undefined);
  }

  /** Runs one slice of a search. */
  search(room: string, query: string, options: SearchOptions): FoundRows {
    const no = this.#numberOf(room);
    if (no === undefined) return { rows: [] };
    const { before, charactersMax = Number.POSITIVE_INFINITY, ...bounds } = options;
    return this.#search.search(no, query, { before: beforeOf(before) + 1, limit: limitOf(bounds), charactersMax });
  }

  close(): void {
    this.#db.close();
  }

  /** Returns the number of a room. It never changes, so it is cached. */
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
  const { items, more } = limitPage(rows as Iterable<Row>, { limit, sizeMax: charactersMax, sizeOf: charactersOf });
  return { rows: isNewestFirst ? items.reverse() : items, more };
}

/**
 * Opens the database on a full disk.
 *
 * @throws {RoomLogError} `storage-full` when the database does not exist yet or needs a migration first.
 * @throws {RoomLogError} `damaged` when it is damaged.
 */
function openWaiting(file: string): DatabaseSync {
  refuseEmptied(file);
  if (!existsSync(file)) throw new RoomLogError("storage-full", `Cannot create ${file}: ${NO_ROOM}`);
  const db = openAlone(file);
  const version = checkVersion(db, file);
  if (version === MIGRATIONS.length) return db;
  db.close();
  const action = version === 0 ? `create ${file}` : `update ${file} from version ${version} to ${MIGRATIONS.length}`;
  throw new RoomLogError("storage-full", `Cannot ${action}: ${NO_ROOM}`);
}

export type ReaderMethods = Pick<Reader, "start" | "epoch" | "read" | "search" | "state" | "close">;

answerCalls<ReaderMethods>("read the rooms", () => new Reader(workerData as ReaderData));
