import { SocketError } from "../errors.ts";
import { checkChoice, checkLimit } from "./check-limit.ts";
import type { Codec } from "./codec.ts";
import { copiedIf } from "./copied.ts";
import {
  frameTooLong,
  offsetNotSayable,
  SizedDecoder,
  type SizedLimits,
  type SizedOptions,
  sizedOptions,
} from "./sized-decoder.ts";

/** Options for {@link varintPrefixed}. */
export interface VarintPrefixedOptions extends SizedOptions {
  /** Bytes before the length. @default 0 */
  readonly offset?: number | undefined;
  /** Bytes left out at the front of each frame: 0 keeps its header. @default `offset` and those of the length */
  readonly skip?: number | undefined;
  /**
   * What becomes of a length in more bytes than it needs, as `85 00` for 5: `malformed`, as in MQTT and multiformats, or
   * it is taken, as Protocol Buffers do. @default "fail"
   */
  readonly overlong?: "fail" | "accept" | undefined;
}

/** Seven bits a byte: eight bytes hold all lengths that a number can count exactly. */
const LENGTH_BYTES_MAX = 8;

/**
 * Frames with their length in front as a variable-length integer, seven bits a byte, the lowest first (LEB128), as
 * Protocol Buffers, libp2p and MQTT delimit messages. Received frames share memory with what arrived.
 *
 * The decoder throws `frame-too-long` at the length, before anything of the frame is stored; `malformed` for a length
 * of more than 8 bytes or 53 bits, or of more bytes than it needs, and for a frame shorter than `skip`; `frame-truncated`
 * with `partial` when the stream ends inside a frame. Frames with an `offset` are only read: what stands before the length
 * is not known when one is written.
 *
 * @throws {RangeError} when a number is not whole or below 0.
 * @throws {TypeError} when `tooLong` or `overlong` is none of those that there are.
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
      if (offset > 0) throw offsetNotSayable();
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
    // Multiplied, not shifted: shifts are 32 bits wide.
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
