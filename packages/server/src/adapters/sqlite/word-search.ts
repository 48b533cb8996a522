import type { DatabaseSync, StatementSync } from "node:sqlite";
import { wordsOf } from "../../hub/mod.ts";
import { SEQ_BITS, SEQ_MAX } from "./schema.ts";
import { COLUMNS, charactersOf, type Row } from "./stored-entry.ts";
import { blockOf, blockStart, tokenOf } from "./word-tokens.ts";

/** After so many milliseconds, and the block that was begun, others have their turn. */
const SLICE_MS = 10;

/** What a part of a search looks for. */
export interface SearchRange {
  /** Entries below this `seq`. */
  readonly before: number;
  /** It is enough with so many, or with more characters than these. */
  readonly limit: number;
  readonly charactersMax: number;
}

/** What a part of a search has found, newest first. */
export interface Found {
  readonly rows: readonly Row[];
  /** Go on below this `seq`; absent if there is nothing. */
  readonly before?: number;
}

/** Searches rooms by the index of words, block by block from the newest entries on. */
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

  /** Looks through one block at least. */
  search(no: number, query: string, { before, limit, charactersMax }: SearchRange): Found {
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
      // A word is letters and digits only, so that nothing in it can end the quotes.
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
