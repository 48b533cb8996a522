const CR = 0x0d;
const LF = 0x0a;

/**
 * Finds the end of each request head: an empty line, except for those before a request (RFC 9112, section 2.2). It
 * accepts a line that ends without CR, so that it never misses a head; the HTTP parser behind it judges the form.
 */
export class HeadEnd {
  #hasBegun = false;
  #isLineEmpty = true;

  /** Whether a head has begun and not ended. */
  get isInside(): boolean {
    return this.#hasBegun;
  }

  /** Scans the next bytes. Returns the index after the first head that ends in them, or -1. */
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
