/** At most this much is read and thrown away while closing; a peer that sends more is cut off. */
const DISCARD_BYTES_MAX = 1024 * 1024;

/** What the end of a connection has to know of it. */
export interface LingerOwner {
  /** Bytes that have not left. */
  readonly bufferedBytes: number;
  /** Rises with every byte that leaves. */
  readonly sentBytes: number;
  destroy(): void;
}

/**
 * How long a connection that was closed waits, in milliseconds: for its own bytes as long as some of them leave, then for
 * the peer's end. What the peer still sends is thrown away.
 */
export class Linger {
  readonly #owner: LingerOwner;
  readonly #lingerMs: number;
  /** How long the peer's end is waited for when all of ours has left. */
  #endLingerMs: number;
  #discardedBytes = 0;
  #hasStarted = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(owner: LingerOwner, lingerMs: number) {
    this.#owner = owner;
    this.#lingerMs = lingerMs;
    this.#endLingerMs = lingerMs;
  }

  start(): void {
    this.#hasStarted = true;
    clearTimeout(this.#timer);
    if (this.#endLingerMs !== Number.POSITIVE_INFINITY) this.#wait(this.#owner.sentBytes, 0);
  }

  /** Waits no longer than this for the peer's end, now or when it is started. */
  shorten(lingerMs: number): void {
    this.#endLingerMs = Math.min(this.#endLingerMs, lingerMs);
    if (this.#hasStarted) this.start();
  }

  stop(): void {
    this.#hasStarted = false;
    clearTimeout(this.#timer);
  }

  discard(chunk: Uint8Array): void {
    this.#discardedBytes += chunk.length;
    if (this.#discardedBytes > DISCARD_BYTES_MAX) this.#owner.destroy();
  }

  /** `stalledMs` have passed without a byte leaving. */
  #wait(sentBefore: number, stalledMs: number): void {
    const waitMs = this.#endLingerMs;
    this.#timer = setTimeout(() => {
      const { bufferedBytes, sentBytes } = this.#owner;
      // Only the wait for the peer's end can be shortened, not the time that our own bytes have to leave.
      const stallMs = bufferedBytes > 0 ? this.#lingerMs : waitMs;
      if (sentBytes > sentBefore) this.#wait(sentBytes, 0);
      else if (stalledMs + waitMs < stallMs) this.#wait(sentBytes, stalledMs + waitMs);
      else this.#owner.destroy();
    }, waitMs);
  }
}
