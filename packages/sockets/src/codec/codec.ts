/**
 * Decodes the bytes of one stream into frames. It does no I/O and never waits. Frames and errors do not depend on how
 * the bytes are split into chunks.
 */
export interface Decoder<T> {
  /**
   * Consumes a chunk and returns the complete frames, at most `framesMax`. Further frames stay for the next call, which
   * may pass an empty chunk. Frames may share memory with the chunk.
   *
   * @throws {SocketError} once, when the bytes violate the framing. Frames that are ready are returned first, and the
   * next call throws. After the error nothing is decoded.
   */
  decode(chunk: Uint8Array, framesMax?: number): readonly T[];
  /**
   * Signals the end of the stream and returns the frames that it completes. An error after those frames is thrown by
   * the next call. After that `decode` and `end` return nothing and throw nothing, for any input.
   *
   * @throws {SocketError} `frame-truncated` when the stream ended inside a frame.
   */
  end(): readonly T[];
  /** Returns the bytes that were consumed but not decoded, for the next codec. Must be the last call. */
  rest(): Uint8Array;
}

/**
 * Encodes frames as bytes and decodes them again. To build a codec on top of another one, use {@link mapped} if
 * converting a frame can fail.
 *
 * @example
 * ```ts
 * import { type Codec, lines } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * const numbers: Codec<number> = {
 *   decoder: () => {
 *     const decoder = lines().decoder();
 *     return {
 *       decode: (chunk, framesMax) => decoder.decode(chunk, framesMax).map(Number),
 *       end: () => decoder.end().map(Number),
 *       rest: () => decoder.rest(),
 *     };
 *   },
 *   encode: (frame) => `${frame}\n`,
 * };
 * assert.deepEqual(numbers.decoder().decode(Buffer.from("1\n22\n3")), [1, 22]);
 * ```
 */
export interface Codec<In, Out = In> {
  /** Creates a decoder for one stream. */
  decoder(): Decoder<In>;
  /** Returns the bytes of one frame, in one or several parts. */
  encode(frame: Out): Uint8Array | string | readonly (Uint8Array | string)[];
  /**
   * Returns the bytes of several frames in order. Only for codecs that can encode a batch faster than single frames.
   * Throws what {@link encode} throws for any of them.
   */
  encodeBatch?(frames: readonly Out[]): Uint8Array | string | readonly (Uint8Array | string)[];
}
