import { ByteQueue } from "../byte-queue.ts";
import type { Decoder } from "./codec.ts";

const EMPTY = new Uint8Array(0);

/**
 * What the codecs share: the bytes that are not decoded yet, and the rule that an error comes after the frames before
 * it, once, and ends the stream.
 */
export abstract class QueueDecoder<T> implements Decoder<T> {
  protected readonly queue: ByteQueue = new ByteQueue();
  #error: unknown;
  #isOver = false;

  decode(chunk: Uint8Array, framesMax: number = Number.POSITIVE_INFINITY): readonly T[] {
    const frames: T[] = [];
    if (this.#isOver) {
      this.#throwOnce();
      return frames;
    }
    this.queue.push(chunk);
    this.#collect(frames, () => {
      while (frames.length < framesMax && this.next(frames));
    });
    return frames;
  }

  end(): readonly T[] {
    const frames: T[] = [];
    if (this.#isOver) {
      this.#throwOnce();
      return frames;
    }
    this.#collect(frames, () => {
      while (this.next(frames));
      this.last(frames);
    });
    this.#isOver = true;
    return frames;
  }

  rest(): Uint8Array {
    return this.queue.length === 0 ? EMPTY : this.queue.take(this.queue.length);
  }

  /** Decodes one frame if it is there; false when more bytes are needed. */
  protected abstract next(frames: T[]): boolean;

  /** Decodes what the end of the stream completes, or throws `frame-truncated`. */
  protected abstract last(frames: T[]): void;

  #collect(frames: T[], decodeAll: () => void): void {
    try {
      decodeAll();
    } catch (error) {
      this.#isOver = true;
      if (frames.length === 0) throw error;
      this.#error = error;
    }
  }

  #throwOnce(): void {
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
  }
}
