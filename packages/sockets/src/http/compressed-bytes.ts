import { ByteQueue } from "../byte-queue.ts";
import { SocketError } from "../errors.ts";

/** Chunks of bytes, from the connection or from an inner decompressor. */
export type Chunks = AsyncGenerator<Uint8Array, void, void>;

/** The compressed bytes of a body. Reads only as many as needed. Bytes after the compressed data can be put back. */
export class CompressedBytes {
  /** For error texts, such as `its gzip data`. */
  readonly what: string;
  readonly #chunks: Chunks;
  readonly #queue = new ByteQueue();

  constructor(chunks: Chunks, what: string) {
    this.#chunks = chunks;
    this.what = what;
  }

  /** Returns the first bytes without taking them: `length`, or fewer at the end. */
  async peek(length: number): Promise<Uint8Array> {
    while (this.#queue.length < length && (await this.#more()));
    const bytes = this.#queue.take(Math.min(length, this.#queue.length));
    this.#queue.unshift(bytes);
    return bytes;
  }

  /** @throws {SocketError} `end-of-stream` when fewer bytes are left. */
  async take(length: number): Promise<Uint8Array> {
    while (this.#queue.length < length) if (!(await this.#more())) throw this.cutOff();
    return this.#queue.take(length);
  }

  /** Returns the next chunk, or `undefined` at the end. */
  async next(): Promise<Uint8Array | undefined> {
    if (this.#queue.length === 0 && !(await this.#more())) return undefined;
    return this.#queue.takeChunk();
  }

  /** Puts bytes back in front. */
  unread(bytes: Uint8Array): void {
    this.#queue.unshift(bytes);
  }

  cutOff(cause?: unknown): SocketError {
    const text = `Cannot read HTTP response: ${this.what} is cut off`;
    return new SocketError("end-of-stream", text, {
      operation: "decompress",
      ...(cause === undefined ? {} : { cause }),
    });
  }

  malformed(reason: string, cause?: unknown): SocketError {
    const text = `Cannot read HTTP response: ${this.what} ${reason}`;
    return new SocketError("malformed", text, { operation: "decompress", ...(cause === undefined ? {} : { cause }) });
  }

  /** Reads one more non-empty chunk. Returns false at the end. */
  async #more(): Promise<boolean> {
    for (;;) {
      const { done, value } = await this.#chunks.next();
      if (done) return false;
      if (value.length === 0) continue;
      this.#queue.push(value);
      return true;
    }
  }
}
