const CR = 0x0d;
const LF = 0x0a;

/**
 * Finds where the heads of requests end: behind an empty line, but for those in front of a request (RFC 9112, section 2.2).
 * A line may end without CR here, so that no head is passed by; the parser behind it is the judge of that.
 */
export class HeadEnd {
  #hasBegun = false;
  #isLineEmpty = true;

  /** Whether a head has begun and not ended. */
  get isInside(): boolean {
    return this.#hasBegun;
  }

  /** Reads on in the next bytes: the index behind the first head that ends in them; -1 if none does. */
  find(bytes: Uint8Array): number {
    for (let i = 0; i < bytes.length; i += 1) {
      const byte = bytes[i];
      if (byte === CR) continue;
      if (byte !== LF) {
        this.#hasBegun = true;
        this.#isLineEmpty = false;
      } else if (this.#hasBegun && this.#isLineEmpty) {
        this.#hasBegun = false;
        return i + 1;
      } else {
        this.#isLineEmpty = true;
      }
    }
    return -1;
  }
}
