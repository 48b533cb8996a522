import { SocketError } from "../errors.ts";
import type { Codec } from "./codec.ts";
import { copiedIf } from "./copied.ts";
import { frameTooLong, SizedDecoder, type SizedOptions, sizedOptions } from "./sized-decoder.ts";

const COLON = 0x3a;
const COMMA = Buffer.from(",");

/**
 * Netstrings (D. J. Bernstein, 1997): the length in decimal digits, a colon, the bytes, a comma. Decoded frames share
 * memory with the chunk, unless `copy` is set.
 *
 * The decoder throws `frame-too-long` at the length, before it buffers the frame. It throws `malformed` for an invalid
 * length, a leading zero and a missing comma, and `frame-truncated` with `partial` when the stream ends inside a frame.
 *
 * @throws {RangeError} when `bytesMax` is not a whole number of 0 or more.
 * @throws {TypeError} when `tooLong` has an unknown value.
 *
 * @example
 * ```ts
 * import { netstrings } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * const [frame] = netstrings().decoder().decode(Buffer.from("5:hello,"));
 * assert.equal(String(frame), "hello");
 * ```
 */
export function netstrings(options: SizedOptions = {}): Codec<Uint8Array> {
  const sized = sizedOptions(options);
  return copiedIf(options.copy, {
    decoder: () => new NetstringsDecoder(sized),
    encode: (frame) => {
      if (frame.length > sized.bytesMax) throw frameTooLong("write", frame.length, sized.bytesMax);
      return [Buffer.from(`${frame.length}:`), frame, COMMA];
    },
  });
}

class NetstringsDecoder extends SizedDecoder {
  protected override get trailerBytes(): number {
    return COMMA.length;
  }

  protected override readHeader(bytes: Buffer, at: number): number {
    let length = 0;
    for (let i = 0; ; i += 1) {
      const byte = bytes[at + i];
      if (byte === undefined) return 0;
      if (byte === COLON && i > 0) {
        this.bodyBytes = length;
        return i + 1;
      }
      const isDigit = byte >= 0x30 && byte <= 0x39;
      const isAfterZero = i > 0 && length === 0;
      length = length * 10 + (byte - 0x30);
      if (!isDigit || isAfterZero || !Number.isSafeInteger(length)) throw malformed("invalid length");
    }
  }

  protected override frameAt(bytes: Buffer, at: number, headerBytes: number): Uint8Array {
    if (bytes[at + headerBytes + this.bodyBytes] !== COMMA[0]) throw malformed("no comma after the bytes");
    return super.frameAt(bytes, at, headerBytes);
  }
}

function malformed(what: string): SocketError {
  return new SocketError("malformed", `Cannot read netstring: ${what}`, { operation: "decode" });
}
