import type { BrotliDecompress, InflateRaw } from "node:zlib";
import type { Chunks, CompressedBytes } from "./compressed-bytes.ts";

/** A stream of `node:zlib`'s that decompresses one piece of data and ends where that ends. */
export type Decompressor = BrotliDecompress | InflateRaw;

/**
 * Decompresses one piece of data and leaves in `source` what follows it.
 *
 * @throws {SocketError} `end-of-stream`, `malformed`; what reading `source` throws.
 */
export async function* decompressOne(source: CompressedBytes, stream: Decompressor): Chunks {
  const feeding = new Feeding(source, stream);
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) yield chunk;
    await feeding.done;
  } catch (error) {
    if (feeding.failure !== undefined) throw feeding.failure.error;
    const isCutOff = (error as NodeJS.ErrnoException).code === "Z_BUF_ERROR";
    throw isCutOff ? source.cutOff(error) : source.malformed("is damaged, or of another coding", error);
  } finally {
    feeding.isGivenUp = true;
    stream.destroy();
  }
  if (feeding.failure !== undefined) throw feeding.failure.error;
}

/** Carries compressed bytes to their decompressor, one chunk at a time and no faster than it takes them. */
class Feeding {
  /** Never rejects. */
  readonly done: Promise<void>;
  /** Why the compressed bytes could not be read. */
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
      // The data has ended; the stream may have been given up as well, and then nobody reads on.
      source.unread(chunk.subarray(chunk.length - leftBytes));
      return;
    }
    if (!stream.destroyed) stream.end();
  }
}

/** Resolves when the stream has taken the chunk as far as it wants it, or is destroyed. */
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
