import type { Link } from "./link.ts";

/**
 * What leaves for one client, in order and bounded. While an answer is being made, `hold` keeps its place: what comes
 * after waits behind it.
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

  /** From now on everything waits. */
  hold(): void {
    this.#held ??= [];
  }

  /** Sends the answer, if there is one, and then all that waited. */
  release(answer: Uint8Array | undefined): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#heldBytes = 0;
    if (answer !== undefined) this.send(answer);
    for (const bytes of held) this.send(bytes);
  }

  /** Sends one last thing past all bounds; nothing can be sent after it. */
  close(last: Uint8Array | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#held = undefined;
    if (last !== undefined) this.#link.send(last);
  }

  /** Whether the client keeps up; if not, it is let go. One batch, however long, says nothing about its reader. */
  #hasRoom(): boolean {
    if (this.#link.bufferedBytes + this.#heldBytes <= this.#bytesMax) return true;
    this.#onFull();
    return false;
  }
}
