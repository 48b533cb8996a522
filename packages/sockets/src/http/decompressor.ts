import type { BrotliDecompress, InflateRaw } from "node:zlib";
import type { Chunks, CompressedBytes } from "./compressed-bytes.ts";

/** A `node:zlib` stream that decompresses one member and stops at its end. */
export type Decompressor = BrotliDecompress | InflateRaw;

/**
 * Decompresses one member. The bytes after it stay in `source`.
 *
 * @throws {SocketError} `end-of-stream` when the data is cut off.
 * @throws {SocketError} `malformed` when the data is damaged.
 * @throws what reading `source` throws.
 */
export async function* decompressOne(source: CompressedBytes, stream: Decompressor): Chunks {
  const feeding = new Feeding(source, stream);
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) yield chunk;
    await feeding.done;
  } catch (error) {
    if (feeding.failure !== undefined) throw feeding.failure.error;
    const isCutOff = (error as NodeJS.ErrnoException).code === "Z_BUF_ERROR";
    throw isCutOff ? source.cutOff(error) : source.malformed("is damaged or uses another coding", error);
  } finally {
    feeding.isGivenUp = true;
    stream.destroy();
  }
  if (feeding.failure !== undefined) throw feeding.failure.error;
}

/** Feeds compressed bytes to the decompressor, one chunk at a time, and waits for it to take them. */
class Feeding {
  /** Never rejects. */
  readonly done: Promise<void>;
  /** Set when reading the compressed bytes failed. */
  failure: { readonly error: unknown } | undefined;
  isGivenUp = false;

  constructor(source: CompressedBytes, stream: Decompressor) {
    this.done = this.#feed(source, stream).catch((error: unknown) => {
      this.failure = { error };
      stream.destroy(new Error("the compressed bytes could not be read"));
    });
  }

  async #feed(source: CompressedBytes, stream: Decompressor): Promise<void> {
    let fedBytes = 0;
    for (let chunk = await source.next(); chunk !== undefined; chunk = await source.next()) {
      if (this.isGivenUp) return;
      await written(stream, chunk);
      fedBytes += chunk.length;
      const leftBytes = fedBytes - stream.bytesWritten;
      if (leftBytes === 0) continue;
      // The data has ended. Put the rest back.
      source.unread(chunk.subarray(chunk.length - leftBytes));
      return;
    }
    if (!stream.destroyed) stream.end();
  }
}

/** Resolves when the stream has consumed what it needs of the chunk, or is destroyed. */
function written(stream: Decompressor, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("close", done);
      resolve();
    };
    stream.once("close", done);
    stream.write(chunk, done);
  });
}
