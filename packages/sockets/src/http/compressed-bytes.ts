import { ByteQueue } from "../byte-queue.ts";
import { SocketError } from "../errors.ts";

/** Bytes as they arrive, or as a coding inside gives them. */
export type Chunks = AsyncGenerator<Uint8Array, void, void>;

/** The compressed bytes of a body, read as far as they are needed; those behind the data can be put back. */
export class CompressedBytes {
  /** `its gzip data`, for errors. */
  readonly what: string;
  readonly #chunks: Chunks;
  readonly #queue = new ByteQueue();

  constructor(chunks: Chunks, what: string) {
    this.#chunks = chunks;
    this.what = what;
  }

  /** The first bytes, up to this many: fewer at the end only. They stay. */
  async peek(length: number): Promise<Uint8Array> {
    while (this.#queue.length < length && (await this.#more()));
    const bytes = this.#queue.take(Math.min(length, this.#queue.length));
    this.#queue.unshift(bytes);
    return bytes;
  }

  /** @throws {SocketError} `end-of-stream` when there are not as many. */
  async take(length: number): Promise<Uint8Array> {
    while (this.#queue.length < length) if (!(await this.#more())) throw this.cutOff();
    return this.#queue.take(length);
  }

  /** Whatever comes next; `undefined` at the end. */
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

  /** Empty chunks are passed over. */
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
