import { type AppendResult, charactersOf, type NewEntry, RoomLogError } from "../../hub/mod.ts";

/** Most entries and UTF-16 units in one commit. A single call is never split. */
const BATCH_ENTRIES_MAX = 4_096;
const BATCH_CHARACTERS_MAX = 4_194_304;
/** The cost of an entry besides its text, in UTF-16 units. */
const ENTRY_CHARACTERS = 256;

/** A call of `append` that waits for its commit. */
export interface Append {
  readonly entries: readonly NewEntry[];
  readonly characters: number;
  readonly resolve: (results: readonly AppendResult[]) => void;
}

/** Most entries and UTF-16 units in the queue, including the commit under way. */
export interface QueueLimits {
  readonly waitingEntriesMax: number;
  readonly waitingCharactersMax: number;
}

/** The uncommitted calls of `append`, in order. */
export class AppendQueue {
  readonly #limits: QueueLimits;
  #waiting: Append[] = [];
  #entries = 0;
  #characters = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Queues a call. Its entries fail with `busy` when the queue is full. An empty queue accepts a call of any size. */
  add(entries: readonly NewEntry[]): Promise<readonly AppendResult[]> {
    const { waitingEntriesMax, waitingCharactersMax } = this.#limits;
    let characters = entries.length * ENTRY_CHARACTERS;
    for (const entry of entries) characters += charactersOf(entry);
    const isFull =
      this.#entries + entries.length > waitingEntriesMax || this.#characters + characters > waitingCharactersMax;
    if (isFull && this.#entries > 0) {
      const text = `Cannot store messages: ${this.#entries} are waiting already`;
      return Promise.resolve(allFailed(entries, new RoomLogError("busy", text)));
    }
    this.#entries += entries.length;
    this.#characters += characters;
    return new Promise((resolve) => this.#waiting.push({ entries, characters, resolve }));
  }

  /** Takes the calls of the next commit; none if the queue is empty. They count as queued until {@link done}. */
  take(): readonly Append[] {
    let entries = 0;
    let characters = 0;
    let count = 0;
    for (const append of this.#waiting) {
      entries += append.entries.length;
      characters += append.characters;
      if (count > 0 && (entries > BATCH_ENTRIES_MAX || characters > BATCH_CHARACTERS_MAX)) break;
      count += 1;
    }
    const taken = this.#waiting;
    this.#waiting = count === taken.length ? [] : taken.slice(count);
    return count === taken.length ? taken : taken.slice(0, count);
  }

  done(appends: readonly Append[]): void {
    for (const { entries, characters } of appends) {
      this.#entries -= entries.length;
      this.#characters -= characters;
    }
  }
}

export function allFailed(entries: readonly NewEntry[], error: RoomLogError): readonly AppendResult[] {
  return entries.map(() => ({ type: "failed", error }));
}
