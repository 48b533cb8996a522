/** Source of the bytes of a response body. Reads only on demand. */
export interface BodyReader {
  /** Returns the next bytes, or `null` at the end. One call at a time. */
  read(): Promise<Uint8Array | null>;
  /** Discards the rest of the body. Idempotent. */
  close(): void;
}
