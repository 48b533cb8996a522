import type { DatabaseSync, StatementSync } from "node:sqlite";
import { wordsOf } from "../../hub/mod.ts";
import { SEQ_BITS, SEQ_MAX } from "./schema.ts";
import { COLUMNS, charactersOf, type Row } from "./stored-entry.ts";
import { blockOf, blockStart, tokenOf } from "./word-tokens.ts";

/** Length of a slice, in milliseconds. A slice always completes its block. */
const SLICE_MS = 10;

/** The range and limits of one slice of a search. */
export interface SearchRange {
  /** Only entries before this `seq`. */
  readonly before: number;
  /** Most rows. */
  readonly limit: number;
  /** The slice ends when the texts found exceed this many UTF-16 units. */
  readonly charactersMax: number;
}

/** The result of one slice, newest first. */
export interface FoundRows {
  readonly rows: readonly Row[];
  /** Where to continue: before this `seq`. Absent if the search is complete. */
  readonly before?: number;
}

/** Searches a room with the word index, block by block, newest first. */
export class WordSearch {
  readonly #ends: StatementSync;
  readonly #search: StatementSync;
  readonly #now: () => number;

  constructor(db: DatabaseSync, now: () => number = () => performance.now()) {
    this.#now = now;
    const room = `FROM entries WHERE place BETWEEN ?1 << ${SEQ_BITS} AND (?1 << ${SEQ_BITS}) | ${SEQ_MAX}`;
    this.#ends = db.prepare(`SELECT (SELECT min(place) & ${SEQ_MAX} ${room}) AS first,
      (SELECT max(place) & ${SEQ_MAX} ${room}) AS last`);
    this.#search =
      db.prepare(`SELECT ${COLUMNS} FROM entries WHERE place IN (SELECT rowid FROM words WHERE words MATCH ?
      AND rowid BETWEEN (? << ${SEQ_BITS}) | ? AND (? << ${SEQ_BITS}) | ? ORDER BY rowid DESC LIMIT ?) ORDER BY place DESC`);
    this.#search.setReturnArrays(true);
  }

  /** Runs one slice. It searches at least one block. */
  search(no: number, query: string, { before, limit, charactersMax }: SearchRange): FoundRows {
    const words = wordsOf(query);
    const ends = this.#ends.get(no);
    const rows: Row[] = [];
    if (words.length === 0 || ends === undefined || ends.last === null) return { rows };
    const first = ends.first as number;
    const endsAt = this.#now() + SLICE_MS;
    let last = Math.min(before - 1, ends.last as number);
    let characters = 0;
    while (last >= first) {
      const block = blockOf(last);
      const start = blockStart(block);
      // A word has only letters and digits, so it cannot end the quotes.
      const match = `${words.map((word) => `"${tokenOf(no, block, word)}"`).join(" ")}*`;
      const found = this.#search.iterate(match, no, start, no, last, limit - rows.length);
      for (const row of found as unknown as Iterable<Row>) {
        rows.push(row);
        characters += charactersOf(row);
        if (rows.length >= limit || characters > charactersMax) return { rows, before: row[0] };
      }
      last = start - 1;
      if (this.#now() >= endsAt && last >= first) return { rows, before: start };
    }
    return { rows };
  }
}
