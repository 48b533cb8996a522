/** How often something may happen. */
export interface Rate {
  /** In the long run, per second; more than 0, `Infinity` for no limit. */
  readonly perSecond: number;
  /** At once, after a pause; at least 1. */
  readonly burst: number;
}

/**
 * Whoever is refused waits at least this long, in milliseconds, or until the bucket is full. What a client sent before it
 * could know is refused too, so that all of it can be sent again in its order, and the next refusal is not one token away.
 */
const WAIT_MS_MIN = 1_000;

/** As much as sums of fractions are off at most. */
const EPSILON = 1e-6;

/** Tokens that come back at a steady rate, up to a burst. It knows no clock: the caller tells the time, in milliseconds. */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #filledAtMs: number;
  #closedUntilMs = Number.NEGATIVE_INFINITY;

  /** A full one. */
  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#filledAtMs = Math.floor(nowMs);
  }

  /** 0 if there is a token to {@link take}; else how long to wait, and until then there is none. */
  waitMs(nowMs: number): number {
    const { perSecond, burst } = this.#rate;
    if (perSecond === Number.POSITIVE_INFINITY) return 0;
    // Whole milliseconds, so that who waits as long as it was told is not a fraction early.
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

  /** Whether it is as good as a new one. */
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
