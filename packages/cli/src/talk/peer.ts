import type { WaitOptions } from "@landline/sockets";

/** Whom a user talks to from the terminal: one connection, everyone who called, or the other end of UDP. */
export interface Peer {
  /** Who it is, for people. */
  readonly name: string;
  /** Sends bytes; waits for room. */
  write(bytes: Uint8Array, options?: WaitOptions): Promise<void>;
  /** Our side has nothing more to say. Resolves when all that was written is on its way. */
  finish(options?: WaitOptions): Promise<void>;
  /** What comes next; `null` at the end. */
  read(options: WaitOptions): Promise<Uint8Array | null>;
  /** Closes; what has not left yet may be lost. Idempotent. */
  close(): Promise<void>;
}
