import { addressKey } from "./address-key.ts";
import { KeyedBuckets } from "./keyed-buckets.ts";
import type { ChatLimits } from "./limits.ts";
import { type Rate, TokenBucket } from "./token-bucket.ts";

/** What a limit counts. */
export type RateKind = "message" | "join" | "request";

interface SharedBuckets {
  readonly rate: Rate;
  readonly users: KeyedBuckets;
  readonly addresses: KeyedBuckets;
}

/** Limits messages, joins and other requests: per connection, per user on all connections, and per address. */
export class RateLimits {
  readonly #shared: Readonly<Record<RateKind, SharedBuckets>>;

  constructor(limits: ChatLimits) {
    this.#shared = {
      message: shared(
        { perSecond: limits.messageRate, burst: limits.messageBurst },
        { perSecond: limits.messageRatePerAddress, burst: limits.messageBurstPerAddress },
      ),
      join: shared(
        { perSecond: limits.joinRate, burst: limits.joinBurst },
        { perSecond: limits.joinRatePerAddress, burst: limits.joinBurstPerAddress },
      ),
      request: shared(
        { perSecond: limits.requestRate, burst: limits.requestBurst },
        { perSecond: limits.requestRatePerAddress, burst: limits.requestBurstPerAddress },
      ),
    };
  }

  /** Returns the limits of a new connection from this address. */
  of(address: string, nowMs: number): ConnectionRates {
    return new ConnectionRates(this.#shared, addressKey(address), nowMs);
  }
}

/** The limits of one connection; see {@link RateLimits.of}. */
export class ConnectionRates {
  readonly #shared: Readonly<Record<RateKind, SharedBuckets>>;
  readonly #address: string;
  readonly #own: Readonly<Record<RateKind, TokenBucket>>;

  constructor(buckets: Readonly<Record<RateKind, SharedBuckets>>, address: string, nowMs: number) {
    this.#shared = buckets;
    this.#address = address;
    this.#own = {
      message: new TokenBucket(buckets.message.rate, nowMs),
      join: new TokenBucket(buckets.join.rate, nowMs),
      request: new TokenBucket(buckets.request.rate, nowMs),
    };
  }

  /**
   * Takes one token each from the connection, its user (if it has a name) and its address, and returns 0. If any of
   * them has no token, takes none and returns how long to wait, in milliseconds.
   */
  take(kind: RateKind, user: string | undefined, nowMs: number): number {
    const { users, addresses } = this.#shared[kind];
    const own = this.#own[kind];
    const ofUser = user === undefined ? own : users.of(user, nowMs);
    const ofAddress = addresses.of(this.#address, nowMs);
    const waitMs = Math.max(own.waitMs(nowMs), ofUser.waitMs(nowMs), ofAddress.waitMs(nowMs));
    if (waitMs > 0) return waitMs;
    own.take();
    if (ofUser !== own) ofUser.take();
    ofAddress.take();
    return 0;
  }
}

function shared(rate: Rate, addressRate: Rate): SharedBuckets {
  return { rate, users: new KeyedBuckets(rate), addresses: new KeyedBuckets(addressRate) };
}
