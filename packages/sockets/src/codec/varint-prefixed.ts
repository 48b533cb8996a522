import { SocketError } from "../errors.ts";
import type { Codec } from "./codec.ts";
import { copiedIf } from "./copied.ts";
import { frameTooLong, SizedDecoder, type SizedOptions, sizedOptions } from "./sized-decoder.ts";

/** Seven bits a byte: eight bytes hold all lengths that a number can count exactly. */
const HEADER_BYTES_MAX = 8;

/**
 * Frames with their length in front as a variable-length integer, seven bits a byte, the lowest first (LEB128), as
 * Protocol Buffers and libp2p delimit messages. Received frames share memory with what arrived.
 *
 * The decoder throws `frame-too-long` at the length, before anything of the frame is stored; `malformed` for a length
 * of more than 8 bytes or 53 bits; `frame-truncated` with `partial` when the stream ends inside a frame.
 *
 * @throws {RangeError} for a limit that is no whole number of bytes.
 *
 * @example
 * ```ts
 * import { varintPrefixed } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * const [frame] = varintPrefixed().decoder().decode(Buffer.from("\x05hello"));
 * assert.equal(String(frame), "hello");
 * ```
 */
export function varintPrefixed(options: SizedOptions = {}): Codec<Uint8Array> {
  const sized = sizedOptions(options);
  return copiedIf(options.copy, {
    decoder: () => new VarintPrefixedDecoder(sized),
    encode: (frame) => {
      if (frame.length > sized.bytesMax) throw frameTooLong("write", frame.length, sized.bytesMax);
      return [encodeVarint(frame.length), frame];
    },
  });
}

class VarintPrefixedDecoder extends SizedDecoder {
  protected override readHeader(bytes: Buffer, at: number): number {
    let length = 0;
    // Multiplied, not shifted: shifts are 32 bits wide.
    for (let i = 0, factor = 1; i < HEADER_BYTES_MAX; i += 1, factor *= 128) {
      const byte = bytes[at + i];
      if (byte === undefined) return 0;
      length += (byte & 0x7f) * factor;
      if (byte >= 0x80) continue;
      if (!Number.isSafeInteger(length)) break;
      this.bodyBytes = length;
      return i + 1;
    }
    throw new SocketError("malformed", "Cannot read frame: its length has more than 53 bits", { operation: "decode" });
  }
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
