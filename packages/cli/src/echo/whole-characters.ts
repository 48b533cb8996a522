/**
 * Cuts a stream of bytes only between UTF-8 characters: the beginning of a character waits for its rest. Bytes that are
 * not UTF-8 pass as they are.
 */
export class WholeCharacters {
  #held: Uint8Array = new Uint8Array(0);

  /** The chunk up to its last whole character, after what was held; may be empty. */
  take(chunk: Uint8Array): Uint8Array {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const end = bytes.length - cutLength(bytes);
    this.#held = bytes.subarray(end);
    return bytes.subarray(0, end);
  }

  /** What was held when the stream ended. */
  rest(): Uint8Array {
    return this.#held;
  }
}

/** How many bytes at the end begin a character that lacks its rest: 0 to 3. */
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
