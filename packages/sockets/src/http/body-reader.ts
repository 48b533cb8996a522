/** Where the bytes of an answer's body come from, as they are asked for. */
export interface BodyReader {
  /** The next bytes; `null` at the end. One call at a time. */
  read(): Promise<Uint8Array | null>;
  /** Gives up what was not read. Idempotent. */
  close(): void;
}
