/**
 * Turns the bytes of one stream into frames. It does no input or output and never waits: `decode` gives what the chunk
 * completed. However the bytes are cut into chunks, frames and errors are the same.
 */
export interface Decoder<T> {
  /**
   * Takes a chunk and gives the frames that are complete, at most `framesMax`; the others stay for the next call, which
   * may bring an empty chunk. Frames may share memory with the chunk.
   *
   * @throws {SocketError} once, when the bytes break the framing: at once if no frame is ready, else on the next call.
   * After that nothing is decoded any more.
   */
  decode(chunk: Uint8Array, framesMax?: number): readonly T[];
  /**
   * The stream ended: gives what the end completes. It may be called again, for the error that comes after those frames.
   * After that `decode` and `end` give nothing and throw nothing, whatever is put in.
   *
   * @throws {SocketError} `frame-truncated` when it ended inside a frame.
   */
  end(): readonly T[];
  /** What was taken and not decoded, for another codec to go on with. Call it last. */
  rest(): Uint8Array;
}

/**
 * How frames are written into bytes and found again. One on top of another codec is a {@link mapped} one, where reading a
 * frame can fail.
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
  /** A decoder for one stream. */
  decoder(): Decoder<In>;
  /** The bytes of one frame, in one or several parts. */
  encode(frame: Out): Uint8Array | string | readonly (Uint8Array | string)[];
  /**
   * The bytes of several frames, behind one another, where that can be had for less than theirs one by one. Throws what
   * {@link encode} throws for any of them.
   */
  encodeBatch?(frames: readonly Out[]): Uint8Array | string | readonly (Uint8Array | string)[];
}
