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

  write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    return this.#connection.write(bytes, options);
  }

  async finish(options?: WaitOptions): Promise<void> {
    await this.#connection.flush(options);
    // Only a write tells that the peer is gone, be it an empty one; the end of our side does not.
    await this.#connection.write("", options);
    await this.#connection.flush(options);
    this.#connection.closeWrite();
    await this.#connection.flush(options);
  }

  read(options: WaitOptions): Promise<Uint8Array | null> {
    return this.#connection.read(options);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}
