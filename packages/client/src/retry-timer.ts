import { type Backoff, backoffMs } from "./resume.ts";

/** Longest delay of `setTimeout`. A longer one fires at once. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1;

/** See {@link RetryTimer}. */
export interface RetryTimerOptions extends Backoff {
  /** From 0 to 1. */
  random(): number;
  /** Called when the delay is over. */
  retry(): void;
}

/** Schedules reconnect attempts with back-off. */
export class RetryTimer {
  readonly #options: RetryTimerOptions;
  /** Attempts since the last connection that lasted `maxMs`. */
  #attempts = 0;
  #connectedAtMs: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RetryTimerOptions) {
    this.#options = options;
  }

  get isWaiting(): boolean {
    return this.#timer !== undefined;
  }

  /** An attempt succeeded. The back-off resets only when the connection lasts `maxMs`. */
  connected(): void {
    this.#connectedAtMs = Date.now();
  }

  /** Schedules the next attempt, at least `afterMs` from now. @returns its time in milliseconds since 1970. */
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
