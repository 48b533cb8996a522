import { once } from "node:events";
import {
  type BrotliDecompress,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
} from "node:zlib";
import { SocketError } from "../errors.ts";
import type { BodyReader } from "./body-reader.ts";

/** A coding that can be undone here. */
export type ContentCoding = "gzip" | "deflate" | "br";

/** What is asked for by default. */
export const ACCEPTED_CODINGS = "gzip, deflate, br";

const CODINGS: ReadonlyMap<string, ContentCoding> = new Map<string, ContentCoding>([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
  ["br", "br"],
]);
/** Codings around one another. Each multiplies the work that a byte on the wire can cause. */
const CODINGS_MAX = 4;
const OUTPUT_BYTES = 65_536;

/**
 * The codings of a body in the order in which they were applied; none when one of them is not known, as then the body
 * is best left as it is.
 *
 * @throws {SocketError} `limit` above 4.
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

/** A body as it was before it was compressed: gzip, deflate (zlib's format or the bare one) and Brotli. */
export class DecompressedBody implements BodyReader {
  readonly #compressed: BodyReader;
  readonly #chunks: AsyncGenerator<Uint8Array, void, void>;

  /** Each coding gives `bytesMax` bytes at most. */
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

type Chunks = AsyncGenerator<Uint8Array, void, void>;
/** What the others are too, as far as it is used here. */
type Decompressor = BrotliDecompress;

/** Undoes one coding. No bytes at all are taken for an empty body, as many servers send them. */
async function* decompress(compressed: Chunks, coding: ContentCoding, bytesMax: number): Chunks {
  const first = await firstBytes(compressed);
  if (first.length === 0) return;
  const stream = open(coding, first);
  const feeding = new Feeding(stream, compressed, first);
  let bytes = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw tooLong(bytesMax);
      yield chunk;
    }
    // The data may end before the body does; the rest is read too, as its framing may be broken.
    await feeding.done;
  } catch (error) {
    if (error instanceof SocketError) throw error;
    throw feeding.failure === undefined ? broken(coding, error) : feeding.failure.error;
  } finally {
    feeding.isGivenUp = true;
    stream.destroy();
  }
  if (feeding.failure !== undefined) throw feeding.failure.error;
}

/** What carries the compressed bytes to their decompressor, no faster than that takes them. */
class Feeding {
  /** Never rejects. */
  readonly done: Promise<void>;
  /** Why the compressed bytes could not be read. */
  failure: { readonly error: unknown } | undefined;
  isGivenUp = false;

  constructor(stream: Decompressor, compressed: Chunks, first: Uint8Array) {
    this.done = this.#feed(stream, compressed, first).catch((error: unknown) => {
      this.failure = { error };
      stream.destroy(new Error("the compressed bytes could not be read"));
    });
  }

  async #feed(stream: Decompressor, compressed: Chunks, first: Uint8Array): Promise<void> {
    await put(stream, first);
    for await (const chunk of compressed) {
      if (this.isGivenUp) return;
      await put(stream, chunk);
    }
    if (!stream.destroyed) stream.end();
  }
}

/** A decompressor whose data has ended closes without ever asking for more. */
async function put(stream: Decompressor, chunk: Uint8Array): Promise<void> {
  if (stream.destroyed || stream.write(chunk)) return;
  const controller = new AbortController();
  const { signal } = controller;
  const events = ["drain", "close"].map((event) => once(stream, event, { signal }).catch(() => undefined));
  await Promise.race(events);
  controller.abort();
}

/** As many bytes as show which kind of deflate it is, or all there are. */
async function firstBytes(compressed: Chunks): Promise<Uint8Array> {
  let first: Uint8Array = new Uint8Array(0);
  while (first.length < 2) {
    const { done, value } = await compressed.next();
    if (done) break;
    first = first.length === 0 ? value : Buffer.concat([first, value]);
  }
  return first;
}

function open(coding: ContentCoding, first: Uint8Array): Decompressor {
  const options = { chunkSize: OUTPUT_BYTES };
  switch (coding) {
    case "gzip":
      return createGunzip(options);
    case "br":
      return createBrotliDecompress(options);
    case "deflate":
      return isZlib(first) ? createInflate(options) : createInflateRaw(options);
  }
}

/** RFC 1950, section 2.2. RFC 9110 means zlib's format by `deflate`; some servers have always sent the bare one. */
function isZlib([cmf = 0, flags = 0]: Uint8Array): boolean {
  return (cmf & 0x0f) === 8 && cmf >> 4 <= 7 && (cmf * 256 + flags) % 31 === 0;
}

function tooLong(bytesMax: number): SocketError {
  const text = `Cannot read HTTP response: its body, decompressed, exceeds limit ${bytesMax} bytes (option bodyBytesMax)`;
  return new SocketError("limit", text, { operation: "decompress" });
}

function broken(coding: ContentCoding, cause: unknown): SocketError {
  const { code } = cause as NodeJS.ErrnoException;
  const isCutOff = code === "Z_BUF_ERROR";
  const text = isCutOff ? `its ${coding} data is cut off` : `it is not ${coding} data`;
  return new SocketError(isCutOff ? "end-of-stream" : "malformed", `Cannot read HTTP response: ${text}`, {
    operation: "decompress",
    cause,
  });
}
