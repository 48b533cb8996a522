import { addressKey } from "./address-key.ts";
import { KeyedBuckets } from "./keyed-buckets.ts";
import type { ChatLimits } from "./limits.ts";
import { type Rate, TokenBucket } from "./token-bucket.ts";

/** What is counted. */
export type RateKind = "message" | "join" | "request";

interface SharedBuckets {
  readonly rate: Rate;
  readonly users: KeyedBuckets;
  readonly addresses: KeyedBuckets;
}

/** How often a connection, a user on any connection, and an address may say something, join a room or ask. */
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

  /** The limits of one new connection, whose peer is at this address. */
  of(address: string, nowMs: number): ConnectionRates {
    return new ConnectionRates(this.#shared, addressKey(address), nowMs);
  }
}

/** See {@link RateLimits.of}. */
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
   * Takes a token of the connection, the user, where it has a name, and the address: 0. Or none, and says how many
   * milliseconds to wait.
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
