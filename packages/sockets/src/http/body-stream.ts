import type { Readable } from "node:stream";

/** What can be sent in chunks. A Node stream is an async iterable, too. */
export type StreamSource = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

/** The ways to read a stream and to give it up. */
interface Chunks {
  next(): Promise<IteratorResult<unknown, unknown>>;
  cancel(): unknown;
}

type OnFailure = (error: unknown) => void;

/**
 * The body of a request as a stream. It belongs to the request from the start: it is read to its end, or fails, or is
 * cancelled once. A stream may fail before it is read, as a file that does not exist while the request still connects.
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

  /** Calls `tell` when the stream fails, also when nobody reads it. */
  onFailure(tell: OnFailure): void {
    this.#onFailure = tell;
  }

  /**
   * The next chunk, or `undefined` at the end.
   *
   * @throws what the stream throws; {@link TypeError} for a chunk that is not bytes.
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
    if (!(step.value instanceof Uint8Array)) throw new TypeError("body must give Uint8Array chunks");
    return step.value;
  }

  /** Tells the source that no more is wanted. Does not wait: the source may be busy for long. Idempotent. */
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

/** By its reader: a Web stream's iterator cannot be left while it waits. */
function webChunks(source: ReadableStream<Uint8Array>, onFailure: OnFailure): Chunks {
  const reader = source.getReader();
  reader.closed.catch(onFailure);
  return {
    next: () => reader.read() as Promise<IteratorResult<unknown, unknown>>,
    cancel: () => reader.cancel(),
  };
}

/** A Node stream's iterator does not listen before it is read, and does not destroy a stream that it has not read. */
function nodeChunks(source: Readable, onFailure: OnFailure): Chunks {
  // Also for an error that comes after the end: it must not be an uncaught one.
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
