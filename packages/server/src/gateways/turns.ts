/** Lets a bounded number of works through in each turn of the event loop, in their order; the loop then serves the others. */
export class Turns {
  readonly #perTurn: number;
  readonly #waiting: (() => void)[] = [];

  constructor(perTurn: number) {
    this.#perTurn = perTurn;
  }

  /** Calls `work` in one of the next turns. */
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
