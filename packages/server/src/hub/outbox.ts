import type { Link } from "./link.ts";

/**
 * A client's bounded, ordered output. `hold` reserves the place of an answer that is still being made: later bytes
 * wait behind it.
 */
export class Outbox {
  readonly #link: Link;
  readonly #bytesMax: number;
  readonly #onFull: () => void;
  #held: Uint8Array[] | undefined;
  #heldBytes = 0;
  #isClosed = false;

  constructor(link: Link, bytesMax: number, onFull: () => void) {
    this.#link = link;
    this.#bytesMax = bytesMax;
    this.#onFull = onFull;
  }

  send(bytes: Uint8Array): void {
    if (this.#isClosed || !this.#hasRoom()) return;
    if (this.#held === undefined) {
      this.#link.send(bytes);
    } else {
      this.#held.push(bytes);
      this.#heldBytes += bytes.length;
    }
  }

  /** Buffers everything until {@link release}. */
  hold(): void {
    this.#held ??= [];
  }

  /** Sends the answer, if any, then the held bytes. */
  release(answer: Uint8Array | undefined): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#heldBytes = 0;
    if (answer !== undefined) this.send(answer);
    for (const bytes of held) this.send(bytes);
  }

  /** Sends the last bytes, ignoring the limit, and drops held bytes. Later calls of `send` do nothing. */
  close(last: Uint8Array | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#held = undefined;
    if (last !== undefined) this.#link.send(last);
  }

  /**
   * Whether the buffered bytes are within the limit; if not, calls `onFull`. Checked before adding: one batch,
   * however long, says nothing about its reader.
   */
  #hasRoom(): boolean {
    if (this.#link.bufferedBytes + this.#heldBytes <= this.#bytesMax) return true;
    this.#onFull();
    return false;
  }
}
