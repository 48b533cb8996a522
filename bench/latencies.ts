/** The latencies of many requests, in microseconds. */
export class Latencies {
  readonly #micros: number[] = [];
  #isSorted = true;

  addMs(ms: number): void {
    this.#micros.push(ms * 1_000);
    this.#isSorted = false;
  }

  get count(): number {
    return this.#micros.length;
  }

  /** A quantile of the latencies: 0.5 is the median, 1 the worst. NaN without requests. */
  within(share: number): number {
    if (!this.#isSorted) this.#micros.sort((a, b) => a - b);
    this.#isSorted = true;
    const { length } = this.#micros;
    return this.#micros[Math.min(length - 1, Math.floor(length * share))] ?? Number.NaN;
  }
}
