import type { Address } from "../address.ts";
import { SocketError } from "../errors.ts";
import type { ListenerState } from "../state.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import type { Connection } from "./connection.ts";
import { type ListenOptions, ServerSockets } from "./server-sockets.ts";
import type { TlsSecrets } from "./tls-server.ts";

/** Maximum number of accepted connections that wait for `accept()`. Further ones are dropped and counted. */
const ACCEPTED_MAX = 511;

/**
 * Listens for connections and hands them out one by one. At most 511 accepted connections wait for `accept()`; further
 * ones are dropped. Closing the listener does not close connections that were handed out.
 *
 * @example
 * ```ts
 * import { connect, listen } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * await using listener = await listen({ host: "127.0.0.1" });
 * await using client = await connect(listener.address);
 * for await (const connection of listener) {
 *   await connection.write("welcome");
 *   void connection.close();
 *   break; // closes the listener
 * }
 * assert.equal(listener.state, "closed");
 * assert.equal(String(await client.readExactly(7)), "welcome");
 * ```
 */
export class Listener implements AsyncDisposable {
  readonly #accepted: Connection[] = [];
  readonly #accepts: Wait<Connection | undefined>[] = [];
  #sockets!: ServerSockets;

  private constructor() {}

  /** @internal See {@link listen}. */
  static async open(options: ListenOptions): Promise<Listener> {
    const listener = new Listener();
    listener.#sockets = await ServerSockets.open(options, (connection) => listener.#offer(connection));
    return listener;
  }

  /** The address and port it listens on. `host` is `"localhost"` when it listens on both loopback addresses. */
  get address(): Address {
    return this.#sockets.address;
  }

  /** The current state. Each change is also published on a diagnostics channel: see {@link STATE_CHANNELS}. */
  get state(): ListenerState {
    return this.#sockets.state;
  }

  /** Number of connections dropped because too many were open or waiting. */
  get dropped(): number {
    return this.#sockets.dropped;
  }

  /** Number of failed accepts. The listener continues. */
  get acceptErrors(): number {
    return this.#sockets.acceptErrors;
  }

  /** Number of TLS handshakes that failed or timed out. The listener continues. */
  get handshakeErrors(): number {
    return this.#sockets.handshakeErrors;
  }

  /**
   * Replaces the certificate and key for handshakes that begin from now on. An option that is not given keeps its
   * value: `ca`, `crl`, `names`, `ciphers` and the TLS versions. `{}` empties `names` and `[]` empties `crl`. `cert`,
   * `key`, `passphrase` and `pfx` are replaced together. Nothing changes when the new options are invalid.
   *
   * @throws {SocketError} `tls` when the certificate or key is invalid or nothing is given.
   * @throws {SocketError} `tls` when the listener does not use TLS.
   * @throws {TypeError} when a key of `names` is not a host name.
   */
  setSecureContext(secrets: TlsSecrets): void {
    this.#sockets.setSecureContext(secrets);
  }

  /**
   * Waits for a connection and returns it. A call that is aborted or times out takes no connection.
   *
   * @throws {SocketError} `timeout` when `timeoutMs` has passed.
   * @throws {SocketError} `closed` when the listener is closed.
   */
  async accept(options?: WaitOptions): Promise<Connection> {
    const connection = await this.#next(options);
    if (connection === undefined) throw new SocketError("closed", "Cannot accept: the listener is closed");
    return connection;
  }

  /** Yields connections until the listener is closed. Leaving the loop closes the listener. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Connection, void, void> {
    try {
      for (let next = await this.#next(); next !== undefined; next = await this.#next()) yield next;
    } finally {
      await this.close();
    }
  }

  /**
   * Stops listening and resets the connections that wait for `accept()`. Pending calls of `accept()` reject with
   * `closed`. Idempotent.
   */
  async close(): Promise<void> {
    for (const connection of this.#accepted.splice(0)) connection.reset();
    const closed = this.#sockets.close();
    for (const wait of this.#accepts.splice(0)) wait.resolve(undefined);
    await closed;
  }

  /** Keeps the process alive while the listener is open (the default). */
  ref(): void {
    this.#sockets.ref();
  }

  /** Lets the process exit while the listener is open. */
  unref(): void {
    this.#sockets.unref();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #offer(connection: Connection): void {
    const wait = this.#accepts.shift();
    if (wait !== undefined) wait.resolve(connection);
    else if (this.#accepted.length < ACCEPTED_MAX) this.#accepted.push(connection);
    else this.#sockets.drop(connection);
  }

  #next(options?: WaitOptions): Promise<Connection | undefined> {
    const refusal = refusalOf(options);
    if (refusal !== undefined) return refusal;
    let ready = this.#accepted.shift();
    while (ready?.state === "closed") ready = this.#accepted.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.state !== "listening") return Promise.resolve(undefined);
    const wait = new Wait<Connection | undefined>(
      options,
      () => "Cannot accept a connection",
      () => this.#accepts.splice(this.#accepts.indexOf(wait), 1),
    );
    this.#accepts.push(wait);
    return wait.promise;
  }
}
