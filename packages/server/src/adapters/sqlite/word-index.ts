import type { DatabaseSync, StatementSync } from "node:sqlite";
import { wordsIn } from "../../hub/mod.ts";
import { type Durability, transactLazily } from "./database.ts";
import type { Task } from "./housekeeping.ts";
import { KINDS, SEQ_BITS, SEQ_MAX } from "./schema.ts";

/** A block has this many entries, or fewer if the texts of more would exceed this many bytes. */
const BLOCK_ENTRIES = 512;
const BLOCK_BYTES = 32_768;
/** Most rooms queued. The next sweep finds the others. */
const ROOMS_MAX = 10_000;

/**
 * Indexes the words of rooms in the background, a block of entries at a time. The entries after a room's last block are
 * not indexed: a search reads their texts. So no search waits for the index, and a small room needs none.
 */
export class WordIndex implements Task {
  readonly #db: DatabaseSync;
  readonly #durability: Durability;
  /** Rooms that may have entries for another block, or a block to remove. */
  readonly #rooms = new Set<number>();
  /** Whether rooms were left out of the queue. A sweep must find them. */
  hasMissed = false;
  readonly #readRoom: StatementSync;
  readonly #readOldest: StatementSync;
  readonly #measure: StatementSync;
  readonly #read: StatementSync;
  readonly #insertBlock: StatementSync;
  readonly #insertWord: StatementSync;
  readonly #mark: StatementSync;
  readonly #deleteBlock: StatementSync;
  readonly #deleteWords: StatementSync;

  constructor(db: DatabaseSync, durability: Durability) {
    this.#db = db;
    this.#durability = durability;
    this.#readRoom = db.prepare("SELECT words_seq, forgotten_seq FROM rooms WHERE no = ?");
    this.#readOldest = db.prepare(`SELECT no, last & ${SEQ_MAX} AS last FROM blocks
      WHERE first BETWEEN ?1 << ${SEQ_BITS} AND (?1 << ${SEQ_BITS}) | ${SEQ_MAX} ORDER BY first LIMIT 1`);
    const next = `FROM entries WHERE place > (?1 << ${SEQ_BITS}) | ?2
      AND place <= (?1 << ${SEQ_BITS}) | ${SEQ_MAX} ORDER BY place LIMIT ${BLOCK_ENTRIES}`;
    this.#measure = db.prepare(
      `SELECT count(*) AS entries, total(octet_length(body)) AS bytes FROM (SELECT body ${next})`,
    );
    this.#read = db.prepare(`SELECT place & ${SEQ_MAX} AS seq, kind, body, octet_length(body) AS bytes ${next}`);
    this.#insertBlock = db.prepare(`INSERT INTO blocks (first, last)
      VALUES ((?1 << ${SEQ_BITS}) | ?2, (?1 << ${SEQ_BITS}) | ?3)`);
    this.#insertWord = db.prepare("INSERT INTO words (block, word, entries) VALUES (?, ?, ?)");
    this.#mark = db.prepare("UPDATE rooms SET words_seq = ? WHERE no = ?");
    this.#deleteBlock = db.prepare("DELETE FROM blocks WHERE no = ?");
    this.#deleteWords = db.prepare("DELETE FROM words WHERE block = ?");
  }

  /** Queues a room that has grown by some hundred entries, or has lost some. */
  add(no: number): void {
    if (this.#rooms.size < ROOMS_MAX) this.#rooms.add(no);
    else this.hasMissed = true;
  }

  /** Writes or removes one block. */
  step(): boolean {
    const no = this.#rooms.values().next().value;
    if (no === undefined) return false;
    const mayHaveMore = transactLazily(this.#db, this.#durability, () => this.#tend(no));
    this.#rooms.delete(no);
    // The other rooms have their turns first.
    if (mayHaveMore) this.#rooms.add(no);
    return true;
  }

  #tend(no: number): boolean {
    const { words_seq: mark = 0, forgotten_seq: forgotten = 0 } = this.#readRoom.get(no) ?? {};
    const oldest = this.#readOldest.get(no);
    if (oldest !== undefined && (oldest.last as number) <= (forgotten as number)) {
      this.#deleteWords.run(oldest.no as number);
      this.#deleteBlock.run(oldest.no as number);
      return true;
    }
    const { entries, bytes } = this.#measure.get(no, mark as number) as { entries: number; bytes: number };
    if (entries < BLOCK_ENTRIES && bytes < BLOCK_BYTES) return false;
    this.#write(no, mark as number);
    return true;
  }

  #write(no: number, mark: number): void {
    // Retention may have removed the entries after the mark.
    let first: number | undefined;
    let last = mark;
    let bytesLeft = BLOCK_BYTES;
    const entriesOf = new Map<string, string>();
    for (const { seq, kind, body, bytes } of this.#read.iterate(no, mark)) {
      bytesLeft -= bytes as number;
      if (first !== undefined && bytesLeft < 0) break;
      last = seq as number;
      first ??= last;
      const entry = characterOf(last - first);
      const words = kind === KINDS.message ? new Set(wordsIn(body as string)) : [];
      for (const word of words) entriesOf.set(word, (entriesOf.get(word) ?? "") + entry);
    }
    const { lastInsertRowid: block } = this.#insertBlock.run(no, first ?? last, last);
    // In the table's order, so that its pages are filled one after the other.
    for (const word of [...entriesOf.keys()].sort()) this.#insertWord.run(block, word, entriesOf.get(word) as string);
    this.#mark.run(last, no);
  }
}

/** In the index, an entry is one character: its offset in the block, plus 1 because a text may not contain U+0000. */
function characterOf(offset: number): string {
  return String.fromCharCode(offset + 1);
}

/** Returns the offsets of the entries. */
export function offsetsOf(entries: string): readonly number[] {
  return Array.from(entries, (entry) => entry.charCodeAt(0) - 1);
}
