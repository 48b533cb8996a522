import { checkTimeout } from "../wait.ts";

/**
 * A deadline for one direction of a connection, with Go's semantics: it ends the current wait and every later one until
 * it is set again. One timer serves any number of operations.
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

  /** Sets the deadline to `ms` milliseconds from now; 0 is already past, `null` is never. */
  set(ms: number | null): void {
    if (ms !== null) checkTimeout(ms, "ms");
    this.#isPast = false;
    this.clear();
    if (ms === 0) this.#pass();
    else if (ms !== null && ms !== Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#pass(), ms);
  }

  /** Stops the timer. A deadline that is past stays past. */
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
