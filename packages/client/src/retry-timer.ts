import { type Backoff, backoffMs } from "./resume.ts";

/** Timers fire at once when they are set to more. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1;

/** See {@link RetryTimer}. */
export interface RetryTimerOptions extends Backoff {
  /** From 0 to 1. */
  random(): number;
  /** The wait is over. */
  retry(): void;
}

/** Decides when a client tries to connect again, and waits for it. */
export class RetryTimer {
  readonly #options: RetryTimerOptions;
  /** Attempts since the last connection that lasted. */
  #attempts = 0;
  #connectedAtMs: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RetryTimerOptions) {
    this.#options = options;
  }

  get isWaiting(): boolean {
    return this.#timer !== undefined;
  }

  /** An attempt succeeded. A connection that breaks at once is no reason to come back faster. */
  connected(): void {
    this.#connectedAtMs = Date.now();
  }

  /** Waits for the next attempt, at least `afterMs`. @returns when it will be, in milliseconds since 1970. */
  start(afterMs: number): number {
    const { maxMs, random, retry } = this.#options;
    const lastedMs = this.#connectedAtMs === undefined ? 0 : Date.now() - this.#connectedAtMs;
    if (lastedMs >= maxMs) this.#attempts = 0;
    this.#connectedAtMs = undefined;
    const delayMs = Math.min(TIMER_MS_MAX, Math.max(afterMs, backoffMs(this.#attempts, this.#options, random())));
    this.#attempts += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      retry();
    }, delayMs);
    return Date.now() + delayMs;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
