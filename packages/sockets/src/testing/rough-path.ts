import type { Connection } from "../tcp/mod.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { turns } from "./turns.ts";

/** What is wrong with a link; see {@link RoughLinkOptions}. */
export interface Roughness {
  readonly pieceBytesMax: number;
  readonly delayMs: number;
  readonly bytesPerSecond: number;
  readonly resetAfterBytes: number;
}

/** One connection through a rough link: the end that came in, the end that goes on, and what happens in between. */
export class RoughPath {
  readonly #near: Connection;
  readonly #far: Connection;
  readonly #roughness: Roughness;
  readonly #broken = new AbortController();
  /** Bytes that may pass, both ways together, before the path breaks. */
  #bytesLeft: number;
  #held: PromiseWithResolvers<void> | undefined;
  #isCut = false;

  constructor(near: Connection, far: Connection, roughness: Roughness) {
    this.#near = near;
    this.#far = far;
    this.#roughness = roughness;
    this.#bytesLeft = roughness.resetAfterBytes;
  }

  /** Carries bytes until both sides have finished or one broke; `random` decides for one direction each. */
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

  /** Holds for good: neither side hears of the other any more. */
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
      // Where the stream is cut depends on the seed alone, not on how the bytes arrive.
      let pieceBytes = this.#pieceBytes(random);
      let freeAt = 0;
      for await (const chunk of from) {
        for (let at = 0; at < chunk.length; ) {
          const piece = chunk.subarray(at, at + Math.min(pieceBytes, this.#bytesLeft));
          freeAt = await this.#wait(piece.length, freeAt, random);
          // Flushed, and a turn later: so that it is a piece of its own to whoever reads, and backpressure passes on.
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
      // One side broke, so the other does.
      this.break();
    }
  }

  /** Waits until a piece may go on; gives when its bytes are through at this speed. */
  async #wait(bytes: number, freeAt: number, random: SeededRandom): Promise<number> {
    await this.#held?.promise;
    const { delayMs, bytesPerSecond } = this.#roughness;
    const now = performance.now();
    const waitMs = Math.max(0, freeAt - now) + (delayMs === 0 ? 0 : random.below(delayMs + 1));
    // Timers are no finer; what is due is waited for with the next pieces.
    if (waitMs >= 1) await this.#sleep(waitMs);
    await this.#held?.promise;
    return Math.max(now, freeAt) + (bytes / bytesPerSecond) * 1_000;
  }

  /** Until the time has passed or the path breaks. */
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

  /** Half of the pieces are tiny: borders in the middle of a header are what is looked for. */
  #pieceBytes(random: SeededRandom): number {
    const { pieceBytesMax } = this.#roughness;
    return 1 + random.below(random.oneIn(2) ? Math.min(4, pieceBytesMax) : pieceBytesMax);
  }
}
