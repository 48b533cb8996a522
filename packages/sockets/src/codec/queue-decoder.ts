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
    try {
      this.#decodeAll(frames, framesMax);
    } catch (error) {
      this.#fail(frames, error);
    }
    this.queue.compact();
    return frames;
  }

  end(): readonly T[] {
    const frames: T[] = [];
    if (this.#isOver) {
      this.#throwOnce();
      return frames;
    }
    try {
      this.#decodeAll(frames, Number.POSITIVE_INFINITY);
      this.last(frames);
    } catch (error) {
      this.#fail(frames, error);
    }
    this.#isOver = true;
    return frames;
  }

  rest(): Uint8Array {
    return this.queue.length === 0 ? EMPTY : this.queue.take(this.queue.length);
  }

  /**
   * Decodes frames that lie whole in `chunk`, which from `start` on is all of the queue, and drops them from the queue.
   * This is where the speed is: a loop over one piece of memory. What is not a plain frame it may leave to {@link next}.
   */
  protected scan(_chunk: Buffer, _start: number, _frames: T[], _framesMax: number): void {}

  /** Decodes one frame if it is there, however it lies in the queue; false when more bytes are needed. */
  protected abstract next(frames: T[]): boolean;

  /** Decodes what the end of the stream completes, or throws `frame-truncated`. */
  protected abstract last(frames: T[]): void;

  #decodeAll(frames: T[], framesMax: number): void {
    do {
      const chunk = this.queue.onlyChunk;
      if (chunk !== undefined) this.scan(chunk, this.queue.offset, frames, framesMax);
    } while (frames.length < framesMax && this.next(frames));
  }

  #fail(frames: T[], error: unknown): void {
    this.#isOver = true;
    if (frames.length === 0) throw error;
    this.#error = error;
  }

  #throwOnce(): void {
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
  }
}
