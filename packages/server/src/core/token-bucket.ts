/** How often something may happen. */
export interface Rate {
  /** The average, per second. More than 0; `Infinity` means no limit. */
  readonly perSecond: number;
  /** How many at once, after a pause. At least 1. */
  readonly burst: number;
}

/**
 * Shortest wait after a refusal, in milliseconds, unless the bucket is full sooner. All that the client sent before
 * it read the refusal is refused too, so the client can resend everything in order. It also keeps the client from
 * spending each single token on the next refusal.
 */
const WAIT_MS_MIN = 1_000;

/** Tolerance for rounding errors in sums of fractions. */
const EPSILON = 1e-6;

/**
 * A token bucket: tokens return at a steady rate, up to a burst. It has no clock; the caller passes the time in
 * milliseconds.
 */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #filledAtMs: number;
  #closedUntilMs = Number.NEGATIVE_INFINITY;

  /** Starts full. */
  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#filledAtMs = Math.floor(nowMs);
  }

  /** Returns 0 if {@link take} may be called. Otherwise closes the bucket and returns how long, in milliseconds. */
  waitMs(nowMs: number): number {
    const { perSecond, burst } = this.#rate;
    if (perSecond === Number.POSITIVE_INFINITY) return 0;
    // Use whole milliseconds: a client that waits exactly as long as told must not be a fraction early.
    const now = Math.floor(nowMs);
    if (now < this.#closedUntilMs) return this.#closedUntilMs - now;
    this.#fill(now);
    if (this.#tokens >= 1 - EPSILON) return 0;
    const tokenMs = ((1 - this.#tokens) * 1_000) / perSecond;
    const fullMs = ((burst - this.#tokens) * 1_000) / perSecond;
    const waitMs = Math.ceil(Math.max(tokenMs, Math.min(WAIT_MS_MIN, fullMs)));
    this.#closedUntilMs = now + waitMs;
    return waitMs;
  }

  take(): void {
    this.#tokens -= 1;
  }

  /** Whether the bucket equals a new one. */
  isFull(nowMs: number): boolean {
    if (this.#rate.perSecond === Number.POSITIVE_INFINITY) return true;
    this.#fill(Math.floor(nowMs));
    return this.#tokens >= this.#rate.burst && nowMs >= this.#closedUntilMs;
  }

  #fill(now: number): void {
    const { perSecond, burst } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAtMs) * perSecond) / 1_000);
    this.#filledAtMs = now;
  }
}
