/**
 * A chunk this long is a sign of more: Node reads a socket up to 32 times in a row, 64 KiB each, before it looks at the next
 * one. A connection rests after such a chunk until its turn comes, so that one which floods does not hold the others up.
 */
export const LONG_CHUNK_BYTES = 16_384;
/** Long chunks read per turn of the event loop, over all connections of a gateway. */
export const LONG_CHUNKS_PER_TURN = 16;

/** Runs at most a fixed number of tasks per turn of the event loop, in order. */
export class Turns {
  readonly #perTurn: number;
  readonly #waiting: (() => void)[] = [];

  constructor(perTurn: number) {
    this.#perTurn = perTurn;
  }

  /** Queues `work` for one of the next turns. */
  take(work: () => void): void {
    this.#waiting.push(work);
    if (this.#waiting.length === 1) setImmediate(() => this.#next());
  }

  #next(): void {
    const works = this.#waiting.slice(0, this.#perTurn);
    for (const work of works) work();
    this.#waiting.splice(0, works.length);
    if (this.#waiting.length > 0) setImmediate(() => this.#next());
  }
}
