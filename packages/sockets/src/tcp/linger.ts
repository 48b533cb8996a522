/** Maximum number of bytes that are read and discarded while closing. A peer that sends more is cut off. */
const DISCARD_BYTES_MAX = 1024 * 1024;

/** What {@link Linger} needs from its connection. */
export interface LingerOwner {
  /** Bytes that are not sent yet. */
  readonly bufferedBytes: number;
  /** Number of bytes sent so far. */
  readonly sentBytes: number;
  destroy(): void;
}

/**
 * Ends a closed connection. It waits as long as its own bytes are being sent, then for the peer's FIN, and destroys the
 * connection after `lingerMs` milliseconds without progress. What the peer still sends is discarded.
 */
export class Linger {
  readonly #owner: LingerOwner;
  readonly #lingerMs: number;
  /** How long to wait for the peer's FIN after all our bytes are sent. */
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

  /** Lowers the wait for the peer's FIN, before or after the start. */
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

  /** `stalledMs` is how long no byte was sent. */
  #wait(sentBefore: number, stalledMs: number): void {
    const waitMs = this.#endLingerMs;
    this.#timer = setTimeout(() => {
      const { bufferedBytes, sentBytes } = this.#owner;
      // `shorten` applies only to the wait for the peer's FIN, not to the sending of our own bytes.
      const stallMs = bufferedBytes > 0 ? this.#lingerMs : waitMs;
      if (sentBytes > sentBefore) this.#wait(sentBytes, 0);
      else if (stalledMs + waitMs < stallMs) this.#wait(sentBytes, stalledMs + waitMs);
      else this.#owner.destroy();
    }, waitMs);
  }
}
