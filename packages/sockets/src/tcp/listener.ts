import type { Address } from "../address.ts";
import { SocketError } from "../errors.ts";
import type { ListenerState } from "../state.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import type { Connection } from "./connection.ts";
import { type ListenOptions, ServerSockets } from "./server-sockets.ts";
import type { TlsSecrets } from "./tls-server.ts";

/** Accepted connections that wait to be taken; those above are dropped and counted. */
const ACCEPTED_MAX = 511;

/**
 * Listens for connections and hands them out one by one. Connections that were taken outlive the listener; at most 511
 * wait to be taken.
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

  /** Where it listens: the address, or for `localhost` that name, and the port. */
  get address(): Address {
    return this.#sockets.address;
  }

  /** Where it is in its life. Each change is published too; see {@link STATE_CHANNELS}. */
  get state(): ListenerState {
    return this.#sockets.state;
  }

  /** Connections dropped because there were too many. */
  get dropped(): number {
    return this.#sockets.dropped;
  }

  /** Accepts that failed; the listener goes on. */
  get acceptErrors(): number {
    return this.#sockets.acceptErrors;
  }

  /** TLS handshakes that failed or took too long; the listener goes on. */
  get handshakeErrors(): number {
    return this.#sockets.handshakeErrors;
  }

  /**
   * Takes another certificate and key, for handshakes that begin from now on. What is not given stays as it was: `ca` and
   * `crl`, `names`, `ciphers` and the versions; `names` and `crl` can be emptied with `{}` and `[]`. A certificate and its key
   * (`cert`, `key`, `passphrase`, `pfx`) are replaced together. All stays where the new secrets are invalid.
   *
   * @throws {SocketError} `tls` when they are none, or when it speaks no TLS.
   */
  setSecureContext(secrets: TlsSecrets): void {
    this.#sockets.setSecureContext(secrets);
  }

  /**
   * Waits for a connection. A wait that is aborted or times out takes none.
   *
   * @throws {SocketError} `timeout`; `closed` when the listener is closed.
   */
  async accept(options?: WaitOptions): Promise<Connection> {
    const connection = await this.#next(options);
    if (connection === undefined) throw new SocketError("closed", "Cannot accept: the listener is closed");
    return connection;
  }

  /** Connection after connection until the listener is closed. Leaving the loop closes it. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Connection, void, void> {
    try {
      for (let next = await this.#next(); next !== undefined; next = await this.#next()) yield next;
    } finally {
      await this.close();
    }
  }

  /** Stops listening and resets connections that nobody took. Idempotent. */
  async close(): Promise<void> {
    for (const connection of this.#accepted.splice(0)) connection.reset();
    const closed = this.#sockets.close();
    for (const wait of this.#accepts.splice(0)) wait.resolve(undefined);
    await closed;
  }

  /** Keeps the process alive while it listens (the default). */
  ref(): void {
    this.#sockets.ref();
  }

  /** Lets the process end although it listens. */
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
