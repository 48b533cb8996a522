const MASK = 0x1_0000_0000;

/** A pseudo-random generator. The same seed gives the same numbers, so that a failure can be repeated. */
export class SeededRandom {
  readonly seed: number;
  #state: number;

  /** `seed` is any whole number; only its low 32 bits are used. */
  constructor(seed: number = newSeed()) {
    this.seed = seed >>> 0;
    this.#state = this.seed;
  }

  /** Returns a whole number from 0 to `end - 1`. */
  below(end: number): number {
    return Math.floor((this.#next() / MASK) * end);
  }

  /** Returns true with probability `1 / times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i += 1) bytes[i] = this.#next() >>> 24;
    return bytes;
  }

  /** Hashes a counter, so that neighbouring seeds give unrelated numbers. */
  #next(): number {
    this.#state = (this.#state + 0x9e37_79b9) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 16), 0x85eb_ca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  }
}

function newSeed(): number {
  return Math.floor(Math.random() * MASK);
}
