import { SocketError } from "../errors.ts";
import type { Codec, Decoder } from "./codec.ts";
import { encodeBatch } from "./encode-batch.ts";

/** How {@link mapped} sees the frames of another codec. */
export interface Mapping<In, Out, ToIn, ToOut = ToIn> {
  /** What a frame that was read means. It may throw; a `SocketError` passes as it is, anything else is `malformed`. */
  decode(frame: In): ToIn;
  /** The frame that says it. What it throws comes out of `write` and `send`. */
  encode(frame: ToOut): Out;
}

/**
 * A codec on top of another one: its frames are turned into others, in both directions, one for one. For checksums,
 * versions, and bytes that are texts or records.
 *
 * An error of `decode` comes in the place of its frame and ends the stream: the frames before it are given first, then
 * the error once, `malformed` with what was thrown as its `cause`.
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

/** What a function of the caller's threw. Its text stays with the cause, as it may quote the peer's bytes. */
function asMalformed(cause: unknown): SocketError {
  if (cause instanceof SocketError) return cause;
  const text = "Cannot read frame: it was refused (see cause)";
  return new SocketError("malformed", text, { operation: "decode", cause });
}
