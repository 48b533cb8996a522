/**
 * Splits a stream of bytes only between UTF-8 characters: it buffers an incomplete character. Bytes that are not UTF-8
 * pass unchanged.
 */
export class WholeCharacters {
  #held: Uint8Array = new Uint8Array(0);

  /** Returns the buffered bytes and the chunk, up to the last complete character. May be empty. */
  take(chunk: Uint8Array): Uint8Array {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const end = bytes.length - cutLength(bytes);
    this.#held = bytes.subarray(end);
    return bytes.subarray(0, end);
  }

  /** The buffered bytes at the end of the stream. */
  rest(): Uint8Array {
    return this.#held;
  }
}

/** Length of an incomplete character at the end, 0 to 3 bytes. */
function cutLength(bytes: Uint8Array): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length += 1) {
    const byte = bytes[bytes.length - length] as number;
    if (byte >= 0xc0) return length < characterLength(byte) ? length : 0;
    if (byte < 0x80) return 0;
  }
  return 0;
}

function characterLength(firstByte: number): number {
  if (firstByte >= 0xf0) return firstByte <= 0xf4 ? 4 : 0;
  return firstByte >= 0xe0 ? 3 : 2;
}
