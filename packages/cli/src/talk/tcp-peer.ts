import type { Connection, WaitOptions } from "@landline/sockets";
import type { Peer } from "./peer.ts";

/** Time to wait for the peer's end before the connection is reset, in milliseconds. */
export const LINGER_MS = 500;

/** A TCP connection as a {@link Peer}. */
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
    // A write, even an empty one, rejects when the peer has reset the connection; closeWrite() alone does not.
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
