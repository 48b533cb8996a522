import type { Position } from "@landline/protocol";

/** The server is told at most this often how far the person has read, in milliseconds. */
const READ_PAUSE_MS = 2_000;

/** Tells the server how far a person has read: at once, and what follows together after a pause. */
export class ReadMarker {
  readonly #mark: (seq: number) => Promise<void>;
  #epoch = "";
  #seenSeq = 0;
  /** The last one told. */
  #toldSeq = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(mark: (seq: number) => Promise<void>) {
    this.#mark = mark;
  }

  /** The person has seen the room up to here. */
  seen({ epoch, seq }: Position): void {
    if (epoch !== this.#epoch) this.#toldSeq = 0;
    this.#epoch = epoch;
    this.#seenSeq = seq;
    if (this.#timer === undefined) this.flush();
  }

  /** Tells now what was not told yet. */
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
      // Told again with what is seen next, at the latest when the connection is back.
      this.#toldSeq = 0;
      this.#stop();
    });
  }

  /** Tells what is left, and leaves no timer. */
  close(): void {
    this.flush();
    this.#stop();
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
