import type { WaitOptions } from "@landline/sockets";

/** The other side of `connect` and `listen`: one connection, all accepted connections, or a UDP address. */
export interface Peer {
  /** Its name for notes. */
  readonly name: string;
  /** Sends bytes. Resolves when there is room for more. */
  write(bytes: Uint8Array, options?: WaitOptions): Promise<void>;
  /** Ends the sending side. Resolves when all written bytes are with the kernel. */
  finish(options?: WaitOptions): Promise<void>;
  /** The next received bytes; `null` at the end. */
  read(options: WaitOptions): Promise<Uint8Array | null>;
  /** Closes at once; unsent bytes may be lost. Idempotent. */
  close(): Promise<void>;
}
