import { ByteQueue } from "../byte-queue.ts";
import type { Decoder } from "./codec.ts";

const EMPTY = new Uint8Array(0);

/**
 * Base class of codecs: the queue of undecoded bytes, and the rule that an error is thrown once, after the frames
 * before it, and ends the stream.
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
   * Decodes frames that lie completely in `chunk` and drops them from the queue. `chunk` holds all bytes of the queue,
   * from `start` on. This is the fast path: a loop over one piece of memory. It may leave any frame to {@link next}.
   */
  protected scan(_chunk: Buffer, _start: number, _frames: T[], _framesMax: number): void {}

  /** Decodes one frame, which may lie in several chunks. Returns false when more bytes are needed. */
  protected abstract next(frames: T[]): boolean;

  /** Decodes the frame that the end of the stream completes, or throws `frame-truncated`. */
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
