import { TIMER_MS_MAX } from "./retry-timer.ts";

/** A pause in sending after `rate-limited`. */
export class RatePause {
  readonly #over: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #endsAtMs = 0;

  constructor(over: () => void) {
    this.#over = over;
  }

  get isOn(): boolean {
    return this.#timer !== undefined;
  }

  /** Starts the pause, or extends it to `ms` from now. Never shortens it. */
  extend(ms: number): void {
    const endsAtMs = Date.now() + ms;
    if (this.isOn && endsAtMs <= this.#endsAtMs) return;
    this.stop();
    this.#endsAtMs = endsAtMs;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#over();
      },
      Math.min(ms, TIMER_MS_MAX),
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
