import { type Rate, TokenBucket } from "./token-bucket.ts";

/** Buckets kept at a time; above, the oldest is forgotten, and whoever it was for starts with a full one. */
const BUCKETS_MAX = 20_000;

/** A bucket for each key. Full ones are as good as new ones and are forgotten a few at a time, as new keys come. */
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

  /** Forgets the oldest one, or puts it at the end if it is still needed and there is room. */
  #review(nowMs: number): void {
    const oldest = this.#buckets.entries().next().value;
    if (oldest === undefined) return;
    const [key, bucket] = oldest;
    const hasRoom = this.#buckets.size < this.#bucketsMax;
    this.#buckets.delete(key);
    if (hasRoom && !bucket.isFull(nowMs)) this.#buckets.set(key, bucket);
  }
}
