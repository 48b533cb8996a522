import { SocketError } from "../errors.ts";
import { checkLimit } from "./check-limit.ts";
import type { Codec } from "./codec.ts";
import { QueueDecoder } from "./queue-decoder.ts";

/**
 * The layout of a frame: `offset` bytes of a header of its own, a length of `lengthBytes`, then length + `adjustment`
 * bytes. The defaults are a 4-byte length in network order in front of the payload.
 */
export interface LengthPrefixedOptions {
  /** Bytes of the length field. @default 4 */
  readonly lengthBytes?: 1 | 2 | 3 | 4 | 8;
  /** @default "big" */
  readonly endian?: "big" | "little";
  /** Bytes before the length field. @default 0 */
  readonly offset?: number;
  /** Added to the field's value: negative when the length counts its own header. @default 0 */
  readonly adjustment?: number;
  /** Bytes left out at the front of each frame. @default offset + lengthBytes */
  readonly skip?: number;
  /** Largest value + adjustment accepted, in bytes. @default 8388608 */
  readonly bytesMax?: number;
  /** A longer frame is an error that ends the stream, or it is left out. @default "fail" */
  readonly tooLong?: "fail" | "skip";
}

type Layout = Required<LengthPrefixedOptions>;

/**
 * Frames with their length in front. Received frames share memory with what arrived.
 *
 * The decoder throws `frame-too-long` at the header, before anything of the frame is stored; `malformed` for a length
 * below its own header; `frame-truncated` with `partial` when the stream ends inside a frame.
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
  return {
    decoder: () => new LengthPrefixedDecoder(layout),
    encode: (frame) => encode(layout, frame),
  };
}

class LengthPrefixedDecoder extends QueueDecoder<Uint8Array> {
  readonly #layout: Layout;
  readonly #headerBytes: number;
  /** Bytes of the frame whose header was read; 0: no header yet. */
  #frameBytes = 0;
  /** Bytes of a frame that is too long and still to be left out. */
  #skipBytes = 0;

  constructor(layout: Layout) {
    super();
    this.#layout = layout;
    this.#headerBytes = layout.offset + layout.lengthBytes;
  }

  protected override next(frames: Uint8Array[]): boolean {
    if (this.#skipBytes > 0) {
      const skipped = Math.min(this.#skipBytes, this.queue.length);
      this.queue.drop(skipped);
      this.#skipBytes -= skipped;
      return this.#skipBytes === 0;
    }
    if (this.#frameBytes === 0) {
      if (this.queue.length < this.#headerBytes) return false;
      const bodyBytes = this.#readLength() + this.#layout.adjustment;
      if (bodyBytes < 0 || this.#headerBytes + bodyBytes < this.#layout.skip) {
        throw new SocketError("malformed", `Cannot read frame: length ${bodyBytes} is below its own header`, {
          operation: "decode",
        });
      }
      if (bodyBytes > this.#layout.bytesMax) return this.#tooLong(bodyBytes);
      this.#frameBytes = this.#headerBytes + bodyBytes;
    }
    if (this.queue.length < this.#frameBytes) return false;
    this.queue.drop(this.#layout.skip);
    frames.push(this.queue.take(this.#frameBytes - this.#layout.skip));
    this.#frameBytes = 0;
    return true;
  }

  protected override last(): void {
    const missing = this.#skipBytes > 0 || this.queue.length > 0;
    if (!missing) return;
    const part = this.#frameBytes === 0 && this.#skipBytes === 0 ? "header" : "payload";
    throw new SocketError("frame-truncated", `Cannot read frame: the stream ended inside its ${part}`, {
      operation: "decode",
      partial: this.rest(),
    });
  }

  #tooLong(bodyBytes: number): boolean {
    const { bytesMax, tooLong } = this.#layout;
    if (tooLong === "skip") {
      this.#skipBytes = this.#headerBytes + bodyBytes;
      return true;
    }
    throw new SocketError(
      "frame-too-long",
      `Cannot read frame: length ${bodyBytes} exceeds limit ${bytesMax} bytes (option bytesMax)`,
      { operation: "decode" },
    );
  }

  #readLength(): number {
    const { offset, lengthBytes, endian } = this.#layout;
    let length = 0;
    for (let i = 0; i < lengthBytes; i += 1) {
      const byte = this.queue.at(offset + (endian === "big" ? i : lengthBytes - 1 - i)) as number;
      // Not shifts: they are 32 bits wide, and a length may have 53.
      length = length * 256 + byte;
    }
    return length;
  }
}

function encode(layout: Layout, frame: Uint8Array): readonly Uint8Array[] {
  const { lengthBytes, endian, offset, adjustment, bytesMax } = layout;
  if (offset > 0) throw new TypeError("Cannot encode frames with an offset: the header before the length is not known");
  const value = frame.length - adjustment;
  if (value < 0) {
    throw new SocketError(
      "malformed",
      `Cannot write frame: length ${frame.length} is below its adjustment ${adjustment}`,
      { operation: "encode" },
    );
  }
  if (frame.length > bytesMax || value >= 256 ** lengthBytes) {
    throw new SocketError(
      "frame-too-long",
      `Cannot write frame: length ${frame.length} exceeds limit ${bytesMax} bytes (option bytesMax)`,
      { operation: "encode" },
    );
  }
  const header = Buffer.allocUnsafe(lengthBytes);
  for (let i = 0, rest = value; i < lengthBytes; i += 1, rest = Math.floor(rest / 256)) {
    header[endian === "big" ? lengthBytes - 1 - i : i] = rest % 256;
  }
  return [header, frame];
}

function toLayout(options: LengthPrefixedOptions): Layout {
  const { lengthBytes = 4, endian = "big", offset = 0, adjustment = 0, tooLong = "fail" } = options;
  const { skip = offset + lengthBytes, bytesMax = 8 * 1024 * 1024 } = options;
  if (![1, 2, 3, 4, 8].includes(lengthBytes))
    throw new RangeError(`lengthBytes must be 1, 2, 3, 4 or 8: ${lengthBytes}`);
  for (const [name, value] of Object.entries({ offset, skip, bytesMax })) checkLimit(name, value);
  if (!Number.isSafeInteger(adjustment)) throw new RangeError(`adjustment must be a whole number: ${adjustment}`);
  // A frame of more than the field can say cannot be written.
  const sayable = Math.min(256 ** lengthBytes - 1, Number.MAX_SAFE_INTEGER) + adjustment;
  return { lengthBytes, endian, offset, adjustment, skip, bytesMax: Math.min(bytesMax, sayable), tooLong };
}
