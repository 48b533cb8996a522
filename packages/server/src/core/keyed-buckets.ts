import { type Rate, TokenBucket } from "./token-bucket.ts";

/** Most buckets kept. Past this, the oldest is evicted; its key starts again with a full bucket. */
const BUCKETS_MAX = 20_000;

/** A token bucket for each key. A full bucket equals a new one, so each new key removes up to two old full ones. */
export class KeyedBuckets {
  readonly #rate: Rate;
  readonly #bucketsMax: number;
  /** Oldest first. */
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(rate: Rate, bucketsMax: number = BUCKETS_MAX) {
    this.#rate = rate;
    this.#bucketsMax = bucketsMax;
  }

  get size(): number {
    return this.#buckets.size;
  }

  of(key: string, nowMs: number): TokenBucket {
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      this.#review(nowMs);
      this.#review(nowMs);
      bucket = new TokenBucket(this.#rate, nowMs);
      this.#buckets.set(key, bucket);
    }
    return bucket;
  }

  /** Removes the oldest bucket. Moves it to the end instead if it is not full and the limit is not reached. */
  #review(nowMs: number): void {
    const oldest = this.#buckets.entries().next().value;
    if (oldest === undefined) return;
    const [key, bucket] = oldest;
    const hasRoom = this.#buckets.size < this.#bucketsMax;
    this.#buckets.delete(key);
    if (hasRoom && !bucket.isFull(nowMs)) this.#buckets.set(key, bucket);
  }
}
