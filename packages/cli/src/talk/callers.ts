import {
  type Address,
  type Connection,
  formatAddress,
  type Listener,
  listen,
  type WaitOptions,
} from "@landline/sockets";
import { describeError, note } from "../terminal/mod.ts";
import type { Peer } from "./peer.ts";
import { LINGER_MS } from "./tcp-peer.ts";

/** A caller that takes nothing for this long is disconnected, so that the others get the input. */
const SEND_TIMEOUT_MS = 30_000;

/** A chunk that arrived, and what lets its connection go on. */
interface Arrival {
  readonly chunk: Uint8Array;
  readonly taken: () => void;
}

/**
 * All callers of a listener, as one peer. What is written goes to all of them. What they send is read in the order of
 * arrival. A caller that finishes its side leaves; what was written to it before still arrives. The peer never ends by
 * itself.
 */
export class Callers implements Peer {
  readonly name = "the callers";
  readonly #listener: Listener;
  readonly #connections = new Set<Connection>();
  readonly #arrivals: Arrival[] = [];
  readonly #closing = new AbortController();
  #hasCaller = Promise.withResolvers<void>();
  #hasArrival = Promise.withResolvers<void>();
  #isFinished = false;

  private constructor(listener: Listener) {
    this.#listener = listener;
    void this.#accept();
  }

  /** @throws {SocketError} as `listen` does. */
  static async listen(options: { readonly host: string; readonly port: number }): Promise<Callers> {
    return new Callers(await listen({ ...options, lingerMs: LINGER_MS, sendTimeoutMs: SEND_TIMEOUT_MS }));
  }

  get address(): Address {
    return this.#listener.address;
  }

  /**
   * Waits for the first connection. A slow reader slows down all of them, and one that reads nothing is disconnected.
   */
  async write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    await this.#hasCaller.promise;
    await Promise.allSettled([...this.#connections].map((connection) => connection.write(bytes, options)));
  }

  async finish(): Promise<void> {
    this.#isFinished = true;
    for (const connection of this.#connections) connection.closeWrite();
  }

  async read({ signal }: WaitOptions): Promise<Uint8Array | null> {
    for (;;) {
      signal?.throwIfAborted();
      const arrival = this.#arrivals.shift();
      if (arrival !== undefined) {
        arrival.taken();
        return arrival.chunk;
      }
      this.#hasArrival = Promise.withResolvers<void>();
      const wake = () => this.#hasArrival.resolve();
      signal?.addEventListener("abort", wake, { once: true });
      await this.#hasArrival.promise;
      signal?.removeEventListener("abort", wake);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#hasCaller.resolve();
    await this.#listener.close();
    await Promise.all([...this.#connections].map((connection) => connection.close()));
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) void this.#listen(connection);
  }

  async #listen(connection: Connection): Promise<void> {
    const name = connection.remote === undefined ? "a caller" : formatAddress(connection.remote);
    note(`Connection from ${name}`);
    this.#connections.add(connection);
    this.#hasCaller.resolve();
    if (this.#isFinished) connection.closeWrite();
    try {
      for await (const chunk of connection) await this.#offer(chunk);
      note(`Connection from ${name} ended`);
    } catch (error) {
      if (!this.#closing.signal.aborted) note(`Connection from ${name} ended: ${describeError(error)}`);
    }
    this.#connections.delete(connection);
    if (this.#connections.size === 0 && !this.#closing.signal.aborted) this.#hasCaller = Promise.withResolvers<void>();
    connection.closeWrite();
    await connection.flush({ signal: this.#closing.signal }).catch(() => undefined);
    await connection.close();
  }

  #offer(chunk: Uint8Array): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#arrivals.push({ chunk, taken: resolve });
    this.#hasArrival.resolve();
    return promise;
  }
}
