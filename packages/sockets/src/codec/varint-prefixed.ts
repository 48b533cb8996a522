import { SocketError } from "../errors.ts";
import { checkChoice, checkLimit } from "./check-limit.ts";
import type { Codec } from "./codec.ts";
import { copiedIf } from "./copied.ts";
import {
  frameTooLong,
  offsetUnsupported,
  SizedDecoder,
  type SizedLimits,
  type SizedOptions,
  sizedOptions,
} from "./sized-decoder.ts";

/** Options for {@link varintPrefixed}. */
export interface VarintPrefixedOptions extends SizedOptions {
  /** Number of bytes before the length. @default 0 */
  readonly offset?: number | undefined;
  /** Number of bytes to remove from the front of each frame; 0 keeps its header. @default `offset` and the length */
  readonly skip?: number | undefined;
  /**
   * What to do with a length that uses more bytes than needed, such as `85 00` for 5. `fail`: `malformed`, as in MQTT
   * and multiformats. `accept`: as in Protocol Buffers.
   *
   * @default "fail"
   */
  readonly overlong?: "fail" | "accept" | undefined;
}

/** Seven bits per byte: eight bytes hold every length that a number represents exactly. */
const LENGTH_BYTES_MAX = 8;

/**
 * Frames after their length as a variable-length integer: seven bits per byte, lowest first (LEB128), as in Protocol
 * Buffers, libp2p and MQTT. Decoded frames share memory with the chunk, unless `copy` is set.
 *
 * The decoder throws `frame-too-long` at the length, before it buffers the frame. It throws `malformed` for a length of
 * more than 8 bytes or 53 bits, for a length of more bytes than needed, and for a frame shorter than `skip`. It throws
 * `frame-truncated` with `partial` when the stream ends inside a frame.
 *
 * With an `offset` the codec only decodes, because the header before the length is unknown.
 *
 * @throws {RangeError} when a number is not whole or below 0.
 * @throws {TypeError} when `tooLong` or `overlong` has an unknown value.
 *
 * @example
 * ```ts
 * import { varintPrefixed } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * const [frame] = varintPrefixed().decoder().decode(Buffer.from("\x05hello"));
 * assert.equal(String(frame), "hello");
 *
 * // MQTT: a byte of type and flags, then the length of the rest.
 * const packets = varintPrefixed({ offset: 1, skip: 0, bytesMax: 65_536 });
 * const [ping] = packets.decoder().decode(Buffer.from("c000", "hex"));
 * assert.equal(Buffer.from(ping ?? []).toString("hex"), "c000");
 * ```
 */
export function varintPrefixed(options: VarintPrefixedOptions = {}): Codec<Uint8Array> {
  const { offset = 0, skip, overlong = "fail" } = options;
  const layout: VarintLayout = { ...sizedOptions(options), offset, skip, acceptsOverlong: overlong === "accept" };
  checkLimit("offset", offset);
  if (skip !== undefined) checkLimit("skip", skip);
  checkChoice("overlong", overlong, "fail", "accept");
  return copiedIf(options.copy, {
    decoder: () => new VarintPrefixedDecoder(layout),
    encode: (frame) => {
      if (offset > 0) throw offsetUnsupported();
      if (frame.length > layout.bytesMax) throw frameTooLong("write", frame.length, layout.bytesMax);
      return [encodeVarint(frame.length), frame];
    },
  });
}

interface VarintLayout extends SizedLimits {
  readonly offset: number;
  readonly skip: number | undefined;
  readonly acceptsOverlong: boolean;
}

class VarintPrefixedDecoder extends SizedDecoder {
  readonly #layout: VarintLayout;

  constructor(layout: VarintLayout) {
    super(layout);
    this.#layout = layout;
  }

  protected override get headerBytesMax(): number {
    return this.#layout.offset + LENGTH_BYTES_MAX;
  }

  protected override readHeader(bytes: Buffer, at: number): number {
    const { offset, skip = 0 } = this.#layout;
    const start = at + offset;
    let length = 0;
    // Multiply: shifts are limited to 32 bits.
    for (let i = 0, factor = 1; i < LENGTH_BYTES_MAX; i += 1, factor *= 128) {
      const byte = bytes[start + i];
      if (byte === undefined) return 0;
      length += (byte & 0x7f) * factor;
      if (byte >= 0x80) continue;
      if (!Number.isSafeInteger(length)) break;
      if (byte === 0 && i > 0 && !this.#layout.acceptsOverlong) {
        throw malformed("its length has more bytes than it needs (option overlong)");
      }
      const headerBytes = offset + i + 1;
      if (headerBytes + length < skip) throw malformed(`length ${length} is below the ${skip} bytes to skip`);
      this.bodyBytes = length;
      return headerBytes;
    }
    throw malformed("its length has more than 53 bits");
  }

  protected override frameAt(bytes: Buffer, at: number, headerBytes: number): Uint8Array {
    return bytes.subarray(at + (this.#layout.skip ?? headerBytes), at + headerBytes + this.bodyBytes);
  }
}

function malformed(what: string): SocketError {
  return new SocketError("malformed", `Cannot read frame: ${what}`, { operation: "decode" });
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
