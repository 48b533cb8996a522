import { addressKey, KeyedBuckets, type Rate } from "../core/mod.ts";

/** Limits on the connections of one address. `Infinity` means no limit. */
export interface AddressLimitOptions {
  /** Most connections open at once. */
  readonly connectionsPerAddressMax: number;
  /** New connections per second, on average. */
  readonly connectionRatePerAddress: number;
  /** New connections at once after a pause. */
  readonly connectionBurstPerAddress: number;
}

/** Counts connections by address. */
export class AddressLimits {
  readonly #max: number;
  readonly #arrivals: KeyedBuckets;
  readonly #open = new Map<string, number>();

  constructor(limits: AddressLimitOptions) {
    this.#max = limits.connectionsPerAddressMax;
    const rate: Rate = { perSecond: limits.connectionRatePerAddress, burst: limits.connectionBurstPerAddress };
    this.#arrivals = new KeyedBuckets(rate);
  }

  /** Whether another connection from this address is within the limits. If so, counts it against the rate. */
  mayEnter(address: string, nowMs: number): boolean {
    const key = addressKey(address);
    if ((this.#open.get(key) ?? 0) >= this.#max) return false;
    const bucket = this.#arrivals.of(key, nowMs);
    if (bucket.waitMs(nowMs) > 0) return false;
    bucket.take();
    return true;
  }

  /** Counts an open connection. Pair it with {@link left}. */
  entered(address: string): void {
    const key = addressKey(address);
    this.#open.set(key, (this.#open.get(key) ?? 0) + 1);
  }

  left(address: string): void {
    const key = addressKey(address);
    const open = this.#open.get(key) ?? 0;
    if (open > 1) this.#open.set(key, open - 1);
    else this.#open.delete(key);
  }
}
