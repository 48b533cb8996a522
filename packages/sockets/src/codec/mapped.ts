import { SocketError } from "../errors.ts";
import type { Codec, Decoder } from "./codec.ts";
import { encodeBatch } from "./encode-batch.ts";

/** The conversion between the frames of a codec and those of {@link mapped}. */
export interface Mapping<In, Out, ToIn, ToOut = ToIn> {
  /** Converts a decoded frame. It may throw: a `SocketError` is passed on, any other error becomes `malformed`. */
  decode(frame: In): ToIn;
  /** Converts a value to a frame. `write` and `send` fail with its error. */
  encode(frame: ToOut): Out;
}

/**
 * A codec on top of another one. It converts each frame to another value, in both directions. Use it for checksums,
 * versions, and bytes that contain text or records.
 *
 * An error of `decode` takes the place of its frame and ends the stream. The frames before it are returned first; then
 * the error is thrown once, as `malformed` with the original error as its `cause`.
 *
 * @example
 * ```ts
 * import { lengthPrefixed, mapped } from "@landline/sockets";
 * import assert from "node:assert/strict";
 * import { crc32 } from "node:zlib";
 *
 * const checked = mapped(lengthPrefixed(), {
 *   decode: (frame: Uint8Array) => {
 *     const bytes = Buffer.from(frame);
 *     if (bytes.readUInt32BE() !== crc32(bytes.subarray(4))) throw new Error("the checksum is wrong");
 *     return bytes.toString("utf8", 4);
 *   },
 *   encode: (text: string) => {
 *     const bytes = Buffer.from(`\0\0\0\0${text}`);
 *     bytes.writeUInt32BE(crc32(text));
 *     return bytes;
 *   },
 * });
 * const sent = Buffer.concat([checked.encode("hello")].flat().map((part) => Buffer.from(part)));
 * assert.deepEqual(checked.decoder().decode(sent), ["hello"]);
 * sent[10] = 0x21;
 * assert.throws(() => checked.decoder().decode(sent), { code: "malformed" });
 * ```
 */
export function mapped<In, Out, ToIn, ToOut = ToIn>(
  codec: Codec<In, Out>,
  mapping: Mapping<In, Out, ToIn, ToOut>,
): Codec<ToIn, ToOut> {
  return {
    decoder: () => new MappedDecoder(codec.decoder(), (frame) => mapping.decode(frame)),
    encode: (frame) => codec.encode(mapping.encode(frame)),
    encodeBatch: (frames) =>
      encodeBatch(
        codec,
        frames.map((frame) => mapping.encode(frame)),
      ),
  };
}

class MappedDecoder<In, ToIn> implements Decoder<ToIn> {
  readonly #decoder: Decoder<In>;
  readonly #map: (frame: In) => ToIn;
  #error: SocketError | undefined;
  #isOver = false;

  constructor(decoder: Decoder<In>, map: (frame: In) => ToIn) {
    this.#decoder = decoder;
    this.#map = map;
  }

  decode(chunk: Uint8Array, framesMax?: number): readonly ToIn[] {
    return this.#isOver ? this.#throwOnce() : this.#mapAll(this.#decoder.decode(chunk, framesMax));
  }

  end(): readonly ToIn[] {
    return this.#isOver ? this.#throwOnce() : this.#mapAll(this.#decoder.end());
  }

  rest(): Uint8Array {
    return this.#decoder.rest();
  }

  #mapAll(frames: readonly In[]): readonly ToIn[] {
    const all: ToIn[] = [];
    try {
      for (const frame of frames) all.push(this.#map(frame));
    } catch (error) {
      this.#isOver = true;
      this.#error = asMalformed(error);
      if (all.length === 0) return this.#throwOnce();
    }
    return all;
  }

  #throwOnce(): readonly ToIn[] {
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
    return [];
  }
}

/** Converts an error of the caller's function. Its text is only in the cause, because it may quote the peer's bytes. */
function asMalformed(cause: unknown): SocketError {
  if (cause instanceof SocketError) return cause;
  const text = "Cannot read frame: it was refused (see cause)";
  return new SocketError("malformed", text, { operation: "decode", cause });
}
