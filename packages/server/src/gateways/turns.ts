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
