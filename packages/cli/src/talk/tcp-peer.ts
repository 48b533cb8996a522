import type { Connection, WaitOptions } from "@landline/sockets";
import type { Peer } from "./peer.ts";

/** How long a peer may take to close its side before it is left, in milliseconds. */
export const LINGER_MS = 500;

/** The other end of one connection. */
export class TcpPeer implements Peer {
  readonly name: string;
  readonly #connection: Connection;

  constructor(connection: Connection, name: string) {
    this.#connection = connection;
    this.name = name;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#connection.write(bytes);
  }

  finish(): void {
    this.#connection.closeWrite();
  }

  read(options: WaitOptions): Promise<Uint8Array | null> {
    return this.#connection.read(options);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}
