import { createBrotliDecompress, createInflate, createInflateRaw } from "node:zlib";
import { SocketError } from "../errors.ts";
import type { BodyReader } from "./body-reader.ts";
import { type Chunks, CompressedBytes } from "./compressed-bytes.ts";
import { decompressOne } from "./decompressor.ts";
import { gunzip } from "./gzip.ts";

/** A supported content coding. */
export type ContentCoding = "gzip" | "deflate" | "br";

/** The default value of `accept-encoding`. */
export const ACCEPTED_CODINGS = "gzip, deflate, br";

const CODINGS: ReadonlyMap<string, ContentCoding> = new Map<string, ContentCoding>([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
  ["br", "br"],
]);
/** Maximum number of nested codings. Each level multiplies the work that one byte on the wire can cause. */
const CODINGS_MAX = 4;
const OUTPUT_BYTES = 65_536;

/**
 * Returns the codings of a body in the order in which they were applied. Empty when one of them is unknown: the body is
 * then returned as it is.
 *
 * @throws {SocketError} `limit` for more than 4 codings.
 */
export function contentCodings(headers: Headers): readonly ContentCoding[] {
  const names = (headers.get("content-encoding") ?? "").split(",").map((name) => name.trim().toLowerCase());
  const applied = names.filter((name) => name !== "" && name !== "identity");
  const known = applied.flatMap((name) => CODINGS.get(name) ?? []);
  if (known.length < applied.length) return [];
  if (known.length > CODINGS_MAX) {
    const text = `Cannot read HTTP response: more than ${CODINGS_MAX} content codings`;
    throw new SocketError("limit", text, { operation: "decompress" });
  }
  return known;
}

/** Decompresses a body: gzip, deflate (with or without the zlib header) and Brotli. */
export class DecompressedBody implements BodyReader {
  readonly #compressed: BodyReader;
  readonly #chunks: AsyncGenerator<Uint8Array, void, void>;

  /** The output of each coding is limited to `bytesMax` bytes. */
  constructor(compressed: BodyReader, codings: readonly ContentCoding[], bytesMax: number) {
    this.#compressed = compressed;
    let chunks = readAll(compressed);
    for (const coding of codings.toReversed()) chunks = decompress(chunks, coding, bytesMax);
    this.#chunks = chunks;
  }

  async read(): Promise<Uint8Array | null> {
    try {
      const { done, value } = await this.#chunks.next();
      return done ? null : value;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    this.#compressed.close();
    void this.#chunks.return().catch(() => undefined);
  }
}

async function* readAll(body: BodyReader): AsyncGenerator<Uint8Array, void, void> {
  for (let chunk = await body.read(); chunk !== null; chunk = await body.read()) yield chunk;
}

/** Undoes one coding. An empty body is accepted, because many servers send one in place of empty compressed data. */
async function* decompress(compressed: Chunks, coding: ContentCoding, bytesMax: number): Chunks {
  const source = new CompressedBytes(compressed, `its ${coding} data`);
  if ((await source.peek(1)).length === 0) return;
  let bytes = 0;
  for await (const chunk of open(source, coding)) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLong(bytesMax);
    yield chunk;
  }
  // Discard the bytes after the data, but read them: their framing may be broken.
  while ((await source.next()) !== undefined);
}

async function* open(source: CompressedBytes, coding: ContentCoding): Chunks {
  const options = { chunkSize: OUTPUT_BYTES };
  switch (coding) {
    case "gzip":
      return yield* gunzip(source, OUTPUT_BYTES);
    case "br":
      return yield* decompressOne(source, createBrotliDecompress(options));
    case "deflate": {
      const isWrapped = isZlib(await source.peek(2));
      return yield* decompressOne(source, isWrapped ? createInflate(options) : createInflateRaw(options));
    }
  }
}

/**
 * Checks for a zlib header (RFC 1950, section 2.2). RFC 9110 requires it for `deflate`, but some servers send raw
 * deflate.
 */
function isZlib([cmf = 0, flags = 0]: Uint8Array): boolean {
  return (cmf & 0x0f) === 8 && cmf >> 4 <= 7 && (cmf * 256 + flags) % 31 === 0;
}

function tooLong(bytesMax: number): SocketError {
  const text = `Cannot read HTTP response: its body, decompressed, exceeds limit ${bytesMax} bytes (option bodyBytesMax)`;
  return new SocketError("limit", text, { operation: "decompress" });
}
