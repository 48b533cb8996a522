import { checkTimeout } from "../wait.ts";

/**
 * When waiting in one direction of a connection ends, whatever waits then or later (Go's semantics). One timer, however
 * many operations it covers and however often it is put off.
 */
export class Deadline {
  readonly #onPast: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isPast = false;

  constructor(onPast: () => void) {
    this.#onPast = onPast;
  }

  get isPast(): boolean {
    return this.#isPast;
  }

  /** So many milliseconds from now; 0 is past already, `null` is never. */
  set(ms: number | null): void {
    if (ms !== null) checkTimeout(ms, "ms");
    this.#isPast = false;
    this.clear();
    if (ms === 0) this.#pass();
    else if (ms !== null && ms !== Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#pass(), ms);
  }

  /** Stops the timer; a deadline that is past stays so. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #pass(): void {
    this.#timer = undefined;
    this.#isPast = true;
    this.#onPast();
  }
}
