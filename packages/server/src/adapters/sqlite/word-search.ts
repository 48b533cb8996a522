import type { DatabaseSync, StatementSync } from "node:sqlite";
import { hasWords, type QueryWord, queryWords } from "../../hub/mod.ts";
import { KINDS, SEQ_BITS, SEQ_MAX } from "./schema.ts";
import { COLUMNS, charactersOf, type Row } from "./stored-entry.ts";
import { offsetsOf } from "./word-index.ts";

/** Longest time of a step, in milliseconds. It completes the text or the block that it is reading. */
const STEP_MS = 10;

/** The range and limits of one step of a search. */
export interface SearchRange {
  /** Only entries before this `seq`. */
  readonly before: number;
  /** Most rows. */
  readonly limit: number;
  /** The step ends when the texts found exceed this many UTF-16 units. */
  readonly charactersMax: number;
}

/** The result of one step, newest first. */
export interface FoundRows {
  readonly rows: readonly Row[];
  /** Where to continue: before this `seq`. Absent if the search is complete. */
  readonly before?: number;
}

/** How far a search has come, and whether the entry there matches. */
type Look = readonly [seq: number, isMatch: boolean];

/** Searches a room, newest first: the texts of the newest entries, then the index, block by block. */
export class WordSearch {
  readonly #now: () => number;
  readonly #readMark: StatementSync;
  readonly #texts: StatementSync;
  readonly #blocks: StatementSync;
  readonly #word: StatementSync;
  readonly #prefix: StatementSync;
  readonly #entry: StatementSync;

  constructor(db: DatabaseSync, now: () => number = () => performance.now()) {
    this.#now = now;
    const prepare = (sql: string) => {
      const statement = db.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    this.#readMark = prepare("SELECT words_seq FROM rooms WHERE no = ?");
    this.#texts = prepare(`SELECT place & ${SEQ_MAX}, body FROM entries WHERE place > (?1 << ${SEQ_BITS}) | ?2
      AND place < (?1 << ${SEQ_BITS}) + ?3 AND kind = ${KINDS.message} ORDER BY place DESC`);
    this.#blocks = prepare(`SELECT first & ${SEQ_MAX}, no FROM blocks WHERE first > ?1 << ${SEQ_BITS}
      AND first <= (?1 << ${SEQ_BITS}) | ?2 ORDER BY first DESC`);
    this.#word = prepare("SELECT entries FROM words WHERE block = ? AND word = ?");
    this.#prefix = prepare("SELECT entries FROM words WHERE block = ? AND word >= ? AND word < ?");
    this.#entry = prepare(`SELECT ${COLUMNS} FROM entries WHERE place = (? << ${SEQ_BITS}) | ?`);
  }

  /** Takes one step. */
  search(no: number, query: string, { before, limit, charactersMax }: SearchRange): FoundRows {
    const words = queryWords(query);
    const rows: Row[] = [];
    if (words.length === 0) return { rows };
    const endsAt = this.#now() + STEP_MS;
    let characters = 0;
    for (const [seq, isMatch] of this.#look(no, words, before)) {
      // The entry of an indexed word may be removed already.
      const row = isMatch ? (this.#entry.get(no, seq) as unknown as Row | undefined) : undefined;
      if (row !== undefined) {
        rows.push(row);
        characters += charactersOf(row);
      }
      if (rows.length >= limit || characters > charactersMax || this.#now() >= endsAt) return { rows, before: seq };
    }
    return { rows };
  }

  *#look(no: number, words: readonly QueryWord[], before: number): Generator<Look> {
    const [mark = 0] = (this.#readMark.get(no) ?? []) as unknown as [number?];
    for (const [seq, body] of this.#texts.iterate(no, mark, before) as unknown as Iterable<[number, string]>) {
      yield [seq, hasWords(body, words)];
    }
    const newest = Math.min(mark, before - 1);
    for (const [first, block] of this.#blocks.iterate(no, newest) as unknown as Iterable<[number, number]>) {
      for (const offset of this.#matches(block, words)) if (first + offset < before) yield [first + offset, true];
      yield [first, false];
    }
  }

  /** Returns the offsets of the block's entries that have all words, newest first. */
  #matches(block: number, words: readonly QueryWord[]): readonly number[] {
    let matches: ReadonlySet<number> | undefined;
    for (const { text, isPrefix } of words) {
      const rows = isPrefix ? this.#prefix.all(block, text, `${text}\u{10ffff}`) : this.#word.all(block, text);
      const own = new Set((rows as unknown as [string][]).flatMap(([entries]) => offsetsOf(entries)));
      matches = matches?.intersection(own) ?? own;
      if (matches.size === 0) return [];
    }
    return [...(matches ?? [])].sort((a, b) => b - a);
  }
}
