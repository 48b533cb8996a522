import type { Readable } from "node:stream";

/** A stream that can be sent in chunks. A Node stream is an async iterable too. */
export type StreamSource = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/** How to read a stream and to cancel it. */
interface Chunks {
  next(): Promise<IteratorResult<unknown, unknown>>;
  cancel(): unknown;
}

type OnFailure = (error: unknown) => void;

/**
 * The body of a request as a stream. The request owns it from the start: it is read to its end, fails, or is cancelled,
 * exactly once. A stream may fail before it is read, for example a missing file while the request still connects.
 */
export class BodyStream {
  readonly #chunks: Chunks;
  #isOver = false;
  #onFailure: OnFailure | undefined;

  constructor(source: StreamSource) {
    this.#chunks = chunksOf(source, (error) => {
      if (this.#isOver) return;
      this.#isOver = true;
      this.#onFailure?.(error);
    });
  }

  /** Calls `listener` when the stream fails, even when nobody reads it. */
  onFailure(listener: OnFailure): void {
    this.#onFailure = listener;
  }

  /**
   * Returns the next chunk, or `undefined` at the end.
   *
   * @throws what the stream throws.
   * @throws {TypeError} for a chunk that is not a `Uint8Array`.
   */
  async next(): Promise<Uint8Array | undefined> {
    let step: IteratorResult<unknown, unknown>;
    try {
      step = await this.#chunks.next();
    } catch (error) {
      this.#isOver = true;
      throw error;
    }
    if (step.done) {
      this.#isOver = true;
      return undefined;
    }
    if (!(step.value instanceof Uint8Array)) throw new TypeError("body must yield Uint8Array chunks");
    return step.value;
  }

  /** Cancels the source. Does not wait for it, because it may be blocked. Idempotent. */
  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    void (async () => this.#chunks.cancel())().catch(() => undefined);
  }
}

function chunksOf(source: StreamSource, onFailure: OnFailure): Chunks {
  if (source instanceof ReadableStream) return webChunks(source, onFailure);
  return isNodeStream(source) ? nodeChunks(source, onFailure) : iterableChunks(source);
}

/** Uses the reader: the iterator of a Web stream cannot be left while a read is pending. */
function webChunks(source: ReadableStream<Uint8Array>, onFailure: OnFailure): Chunks {
  const reader = source.getReader();
  reader.closed.catch(onFailure);
  return {
    next: () => reader.read() as Promise<IteratorResult<unknown, unknown>>,
    cancel: () => reader.cancel(),
  };
}

/**
 * Listens for errors itself: a Node stream's iterator does not listen before the first read. Destroys the stream
 * itself: the iterator does not destroy a stream that it never read.
 */
function nodeChunks(source: Readable, onFailure: OnFailure): Chunks {
  // The listener stays for errors after the end, which would be uncaught otherwise.
  source.on("error", onFailure);
  const iterator = source[Symbol.asyncIterator]();
  return { next: () => iterator.next(), cancel: () => source.destroy() };
}

function iterableChunks(source: AsyncIterable<unknown>): Chunks {
  let iterator: AsyncIterator<unknown> | undefined;
  const begun = (): AsyncIterator<unknown> => (iterator ??= source[Symbol.asyncIterator]());
  return { next: async () => await begun().next(), cancel: () => begun().return?.() };
}

function isNodeStream(source: unknown): source is Readable {
  const { on, destroy } = source as Partial<Readable>;
  return typeof on === "function" && typeof destroy === "function";
}
