import type { Connection } from "../tcp/mod.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { turns } from "./turns.ts";

/** The settings of a bad link. See {@link RoughLinkOptions}. */
export interface Roughness {
  readonly pieceBytesMax: number;
  readonly delayMs: number;
  readonly bytesPerSecond: number;
  readonly resetAfterBytes: number;
}

/** One connection through a rough link: the incoming end, the outgoing end, and the forwarding between them. */
export class RoughPath {
  readonly #near: Connection;
  readonly #far: Connection;
  readonly #roughness: Roughness;
  readonly #broken = new AbortController();
  /** Bytes that may still pass, both directions together, before the path breaks. */
  #bytesLeft: number;
  #held: PromiseWithResolvers<void> | undefined;
  #isCut = false;

  constructor(near: Connection, far: Connection, roughness: Roughness) {
    this.#near = near;
    this.#far = far;
    this.#roughness = roughness;
    this.#bytesLeft = roughness.resetAfterBytes;
  }

  /** Forwards bytes until both sides have finished or one broke. Each direction has its own random numbers. */
  async run(random: readonly [SeededRandom, SeededRandom]): Promise<void> {
    await Promise.all([this.#carry(this.#near, this.#far, random[0]), this.#carry(this.#far, this.#near, random[1])]);
  }

  hold(): void {
    this.#held ??= Promise.withResolvers<void>();
  }

  release(): void {
    if (this.#isCut) return;
    this.#held?.resolve();
    this.#held = undefined;
  }

  /** Holds all bytes and ends permanently. */
  cut(): void {
    this.#isCut = true;
    this.hold();
  }

  /** Resets both sides. */
  break(): void {
    this.#broken.abort();
    this.#held?.resolve();
    this.#near.reset();
    this.#far.reset();
  }

  async #carry(from: Connection, to: Connection, random: SeededRandom): Promise<void> {
    try {
      // The splits depend only on the seed, not on how the bytes arrive.
      let pieceBytes = this.#pieceBytes(random);
      let freeAt = 0;
      for await (const chunk of from) {
        for (let at = 0; at < chunk.length; ) {
          const piece = chunk.subarray(at, at + Math.min(pieceBytes, this.#bytesLeft));
          freeAt = await this.#wait(piece.length, freeAt, random);
          // Flush and wait a turn, so that the reader receives the piece by itself and backpressure passes on.
          await to.write(piece);
          await to.flush();
          await turns(1);
          at += piece.length;
          this.#bytesLeft -= piece.length;
          if (this.#bytesLeft <= 0) return this.break();
          pieceBytes -= piece.length;
          if (pieceBytes === 0) pieceBytes = this.#pieceBytes(random);
        }
      }
      await this.#held?.promise;
      to.closeWrite();
    } catch {
      // One side broke, so break the other.
      this.break();
    }
  }

  /** Waits until a piece may be sent. Returns the time at which its bytes have passed at this speed. */
  async #wait(bytes: number, freeAt: number, random: SeededRandom): Promise<number> {
    await this.#held?.promise;
    const { delayMs, bytesPerSecond } = this.#roughness;
    const now = performance.now();
    const waitMs = Math.max(0, freeAt - now) + (delayMs === 0 ? 0 : random.below(delayMs + 1));
    // Timers are no finer than 1 ms. A shorter wait is added to that of later pieces.
    if (waitMs >= 1) await this.#sleep(waitMs);
    await this.#held?.promise;
    return Math.max(now, freeAt) + (bytes / bytesPerSecond) * 1_000;
  }

  /** Waits until the time has passed or the path breaks. */
  async #sleep(ms: number): Promise<void> {
    if (this.#broken.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    const { signal } = this.#broken;
    const wake = (): void => resolve();
    signal.addEventListener("abort", wake);
    await promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", wake);
  }

  /** Half of the pieces are tiny, to split headers in the middle. */
  #pieceBytes(random: SeededRandom): number {
    const { pieceBytesMax } = this.#roughness;
    return 1 + random.below(random.oneIn(2) ? Math.min(4, pieceBytesMax) : pieceBytesMax);
  }
}
