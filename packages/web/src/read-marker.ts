import type { Position } from "@landline/protocol";

/** Minimum time between two `read` requests, in milliseconds. */
const READ_PAUSE_MS = 2_000;

/** Sends the read position to the server: the first at once, later ones combined after a pause. */
export class ReadMarker {
  readonly #mark: (seq: number) => Promise<void>;
  #epoch = "";
  #seenSeq = 0;
  /** The last position sent. */
  #toldSeq = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(mark: (seq: number) => Promise<void>) {
    this.#mark = mark;
  }

  /** The user has seen the room up to this position. */
  seen({ epoch, seq }: Position): void {
    if (epoch !== this.#epoch) this.#toldSeq = 0;
    this.#epoch = epoch;
    this.#seenSeq = seq;
    if (this.#timer === undefined) this.flush();
  }

  /** Sends a pending position now. */
  flush(): void {
    const seq = this.#seenSeq;
    if (seq <= this.#toldSeq) return;
    this.#toldSeq = seq;
    this.#stop();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, READ_PAUSE_MS);
    this.#mark(seq).catch(() => {
      // The next position is sent again, at the latest after the reconnect.
      this.#toldSeq = 0;
      this.#stop();
    });
  }

  /** Sends a pending position and stops the timer. */
  close(): void {
    this.flush();
    this.#stop();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
