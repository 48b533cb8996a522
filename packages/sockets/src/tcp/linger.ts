/** What the wait at the end of a connection has to know of it. */
export interface LingerOwner {
  /** Falls with every byte that leaves. */
  unsentBytes(): number;
  /** A whole linger time passed without progress. */
  expired(): void;
}

/**
 * How long a connection that was closed waits, in milliseconds: for its own bytes as long as some of them leave, then for
 * the peer's end.
 */
export class Linger {
  readonly #owner: LingerOwner;
  readonly #lingerMs: number;
  /** How long the peer's end is waited for when all of ours has left. */
  #endLingerMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(owner: LingerOwner, lingerMs: number) {
    this.#owner = owner;
    this.#lingerMs = lingerMs;
    this.#endLingerMs = lingerMs;
  }

  start(): void {
    clearTimeout(this.#timer);
    this.#wait(this.#owner.unsentBytes(), 0);
  }

  /** Waits no longer than this for the peer's end; what has been started must be started again. */
  shorten(lingerMs: number): void {
    this.#endLingerMs = Math.min(this.#endLingerMs, lingerMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** `stalledMs` of the time have passed without a byte leaving. */
  #wait(unsentBefore: number, stalledMs: number): void {
    const waitMs = this.#endLingerMs;
    if (waitMs === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => {
      const unsent = this.#owner.unsentBytes();
      // Only the wait for the peer's end can be shortened, not the time that our own bytes have to leave.
      const stallMs = unsent > 0 ? this.#lingerMs : waitMs;
      if (unsent < unsentBefore) this.#wait(unsent, 0);
      else if (stalledMs + waitMs < stallMs) this.#wait(unsent, stalledMs + waitMs);
      else this.#owner.expired();
    }, waitMs);
  }
}
