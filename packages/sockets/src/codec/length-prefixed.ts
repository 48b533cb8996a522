import { SocketError } from "../errors.ts";
import { JOINED_BYTES_MAX } from "../joined-parts.ts";
import { checkChoice, checkLimit } from "./check-limit.ts";
import type { Codec } from "./codec.ts";
import { copiedIf } from "./copied.ts";
import { frameTooLong, offsetUnsupported, SizedDecoder, type SizedLimits, type SizedOptions } from "./sized-decoder.ts";

/**
 * The layout of a frame: `offset` bytes of other header fields, a length field of `lengthBytes`, then length +
 * `adjustment` bytes. By default a frame is a 4-byte length in network byte order and the payload.
 */
export interface LengthPrefixedOptions extends SizedOptions {
  /** Size of the length field, in bytes. @default 4 */
  readonly lengthBytes?: 1 | 2 | 3 | 4 | 8 | undefined;
  /** Byte order of the length field; "big" is network byte order. @default "big" */
  readonly endian?: "big" | "little" | undefined;
  /** Number of bytes before the length field. @default 0 */
  readonly offset?: number | undefined;
  /** Added to the value of the length field. Negative when the length includes the header. @default 0 */
  readonly adjustment?: number | undefined;
  /** Number of bytes to remove from the front of each frame. @default offset + lengthBytes */
  readonly skip?: number | undefined;
  /** Largest length + `adjustment`, in bytes. @default 8388608 */
  readonly bytesMax?: number | undefined;
}

interface Layout extends SizedLimits {
  readonly lengthBytes: number;
  readonly endian: "big" | "little";
  readonly offset: number;
  readonly adjustment: number;
  readonly skip: number;
  /** Whether the length is 4 bytes in network byte order. */
  readonly isUInt32BE: boolean;
  /** Whether the layout also has no other parts. */
  readonly isPlain: boolean;
}

const UINT32_BYTES = 4;

/**
 * Frames after a length field. Decoded frames share memory with the chunk, unless `copy` is set.
 *
 * The decoder throws `frame-too-long` at the header, before it buffers the frame. It throws `malformed` for a length
 * that is smaller than its own header, and `frame-truncated` with `partial` when the stream ends inside a frame.
 *
 * With an `offset` the codec only decodes, because the header before the length is unknown.
 *
 * @throws {RangeError} when a number is not whole or out of range, or when no frame can have the layout: every frame
 * would be above `bytesMax` or shorter than `skip`.
 * @throws {TypeError} when `endian` or `tooLong` has an unknown value.
 *
 * @example
 * ```ts
 * import { lengthPrefixed } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * const decoder = lengthPrefixed().decoder();
 * assert.deepEqual(decoder.decode(Buffer.from("0000000361", "hex")), []);
 * const [frame] = decoder.decode(Buffer.from("bc"));
 * assert.deepEqual(frame, Buffer.from("abc"));
 * ```
 */
export function lengthPrefixed(options: LengthPrefixedOptions = {}): Codec<Uint8Array> {
  const layout = toLayout(options);
  return copiedIf(options.copy, {
    decoder: () => (layout.isPlain ? new UInt32PrefixedDecoder(layout) : new LengthPrefixedDecoder(layout)),
    encode: (frame) => encode(layout, frame),
    encodeBatch: (frames) => encodeAll(layout, frames),
  });
}

class LengthPrefixedDecoder extends SizedDecoder {
  readonly #layout: Layout;
  readonly #headerBytes: number;

  constructor(layout: Layout) {
    super(layout);
    this.#layout = layout;
    this.#headerBytes = layout.offset + layout.lengthBytes;
  }

  protected override get headerBytesMax(): number {
    return this.#headerBytes;
  }

  protected override readHeader(bytes: Buffer, at: number): number {
    if (at + this.#headerBytes > bytes.length) return 0;
    const { adjustment, skip } = this.#layout;
    this.bodyBytes = this.#readLength(bytes, at + this.#layout.offset) + adjustment;
    if (this.bodyBytes < 0 || this.#headerBytes + this.bodyBytes < skip) {
      throw new SocketError("malformed", `Cannot read frame: length ${this.bodyBytes} is below its own header`, {
        operation: "decode",
      });
    }
    return this.#headerBytes;
  }

  /** `skip` may be smaller or larger than the header. */
  protected override frameAt(bytes: Buffer, at: number, headerBytes: number): Uint8Array {
    return bytes.subarray(at + this.#layout.skip, at + headerBytes + this.bodyBytes);
  }

  #readLength(bytes: Buffer, at: number): number {
    const { lengthBytes, isUInt32BE, endian } = this.#layout;
    if (isUInt32BE) return bytes.readUInt32BE(at);
    let length = 0;
    for (let i = 0; i < lengthBytes; i += 1) {
      const byte = bytes[at + (endian === "big" ? i : lengthBytes - 1 - i)] as number;
      // Multiply: shifts are limited to 32 bits, and a length can have 53.
      length = length * 256 + byte;
    }
    return length;
  }
}

/**
 * A special loop for the default layout, which takes two thirds of the time. It leaves all other frames to the general
 * decoder.
 */
class UInt32PrefixedDecoder extends LengthPrefixedDecoder {
  readonly #bytesMax: number;

  constructor(layout: Layout) {
    super(layout);
    this.#bytesMax = layout.bytesMax;
  }

  protected override scan(chunk: Buffer, start: number, frames: Uint8Array[], framesMax: number): void {
    if (this.isSkipping) return;
    const bytesMax = this.#bytesMax;
    const last = chunk.length - UINT32_BYTES;
    let at = start;
    while (at <= last && frames.length < framesMax) {
      const bodyBytes = chunk.readUInt32BE(at);
      const end = at + UINT32_BYTES + bodyBytes;
      if (bodyBytes > bytesMax || end > chunk.length) break;
      frames.push(chunk.subarray(at + UINT32_BYTES, end));
      at = end;
    }
    this.queue.drop(at - start);
  }
}

function encode(layout: Layout, frame: Uint8Array): Uint8Array | readonly Uint8Array[] {
  const { lengthBytes } = layout;
  const value = lengthOf(layout, frame);
  const isJoined = frame.length <= JOINED_BYTES_MAX;
  const header = Buffer.allocUnsafe(isJoined ? lengthBytes + frame.length : lengthBytes);
  writeLength(layout, header, 0, value);
  if (!isJoined) return [header, frame];
  header.set(frame, lengthBytes);
  return header;
}

function encodeAll(layout: Layout, frames: readonly Uint8Array[]): Uint8Array | readonly Uint8Array[] {
  const { lengthBytes } = layout;
  let bytes = 0;
  for (const frame of frames) bytes += lengthBytes + frame.length;
  if (bytes > frames.length * JOINED_BYTES_MAX) return frames.flatMap((frame) => encode(layout, frame));
  const joined = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const frame of frames) {
    writeLength(layout, joined, at, lengthOf(layout, frame));
    joined.set(frame, at + lengthBytes);
    at += lengthBytes + frame.length;
  }
  return joined;
}

/** Returns the value of a frame's length field. It fits into the field, because `bytesMax` does. */
function lengthOf({ offset, adjustment, bytesMax }: Layout, frame: Uint8Array): number {
  const value = frame.length - adjustment;
  if (offset > 0 || value < 0 || frame.length > bytesMax) throw cannotEncode(offset, adjustment, bytesMax, frame);
  return value;
}

function cannotEncode(offset: number, adjustment: number, bytesMax: number, { length }: Uint8Array): Error {
  if (offset > 0) return offsetUnsupported();
  if (length > bytesMax) return frameTooLong("write", length, bytesMax);
  const text = `Cannot write frame: length ${length} is below its adjustment ${adjustment}`;
  return new SocketError("malformed", text, { operation: "encode" });
}

function writeLength({ lengthBytes, endian, isUInt32BE }: Layout, bytes: Buffer, at: number, value: number): void {
  if (isUInt32BE) {
    bytes.writeUInt32BE(value, at);
    return;
  }
  for (let i = 0, rest = value; i < lengthBytes; i += 1, rest = Math.floor(rest / 256)) {
    bytes[at + (endian === "big" ? lengthBytes - 1 - i : i)] = rest % 256;
  }
}

function toLayout(options: LengthPrefixedOptions): Layout {
  const { lengthBytes = 4, endian = "big", offset = 0, adjustment = 0, tooLong = "fail" } = options;
  const { skip = offset + lengthBytes, bytesMax = 8 * 1024 * 1024 } = options;
  if (![1, 2, 3, 4, 8].includes(lengthBytes))
    throw new RangeError(`lengthBytes must be 1, 2, 3, 4 or 8: ${lengthBytes}`);
  for (const [name, value] of Object.entries({ offset, skip, bytesMax })) checkLimit(name, value);
  if (!Number.isSafeInteger(adjustment)) throw new RangeError(`adjustment must be a whole number: ${adjustment}`);
  // The length field limits the size of a frame.
  const fieldMax = Math.min(256 ** lengthBytes - 1, Number.MAX_SAFE_INTEGER) + adjustment;
  const limits = { bytesMax: Math.min(bytesMax, fieldMax), tooLong };
  if (limits.bytesMax < Math.max(0, adjustment)) {
    throw new RangeError(`adjustment must leave frames of 0 to ${bytesMax} bytes: ${adjustment}`);
  }
  if (skip > offset + lengthBytes + limits.bytesMax) {
    throw new RangeError(`skip must not exceed the longest frame and its header: ${skip}`);
  }
  checkChoice("endian", endian, "big", "little");
  checkChoice("tooLong", tooLong, "fail", "skip");
  const isUInt32BE = lengthBytes === UINT32_BYTES && endian === "big";
  const isPlain = isUInt32BE && offset === 0 && adjustment === 0 && skip === UINT32_BYTES;
  return { lengthBytes, endian, offset, adjustment, skip, isUInt32BE, isPlain, ...limits };
}
