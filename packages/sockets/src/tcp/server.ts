import type { Address } from "../address.ts";
import { SocketError, textOf } from "../errors.ts";
import type { ListenerState } from "../state.ts";
import { checkTimeout } from "../wait.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionHandlers } from "./connection-handlers.ts";
import { type ListenOptions, ServerSockets } from "./server-sockets.ts";
import type { TlsSecrets } from "./tls-server.ts";

/**
 * Serves one connection. `signal` aborts when the server shuts down. The server closes the connection when the function
 * has returned and its promise has settled.
 */
export type ConnectionHandler = (connection: Connection, signal: AbortSignal) => Promise<void> | void;

/** The result of a shutdown: how many connections flushed and finished their side, and how many did not. */
export interface ShutdownCounts {
  readonly graceful: number;
  readonly forced: number;
}

/** How long `await using` and `close()` wait for the handlers, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1_000;

/** How long a closed connection waits for the peer's FIN during a shutdown, in milliseconds. */
const SHUTDOWN_LINGER_MS = 250;

/**
 * A listening server that serves every connection with one function or one set of event handlers. See {@link serve}.
 *
 * @example
 * ```ts
 * import { once } from "node:events";
 * import { connect, serve } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * const server = await serve({ port: 0 }, async (connection, signal) => {
 *   await connection.write("wait\n");
 *   if (!signal.aborted) await once(signal, "abort");
 *   await connection.write("bye\n");
 * });
 * const connection = await connect(server.address);
 * await connection.readUntil("\n");
 * const stopped = server.shutdown({ timeoutMs: 5_000 });
 * assert.equal(String(await connection.readUntil("\n")), "bye\n");
 * await connection.close();
 * assert.deepEqual(await stopped, { graceful: 1, forced: 0 });
 * ```
 */
export class Server implements AsyncDisposable {
  readonly #sockets: ServerSockets;
  readonly #controller: AbortController;
  /** Whether a function serves each connection. A shutdown aborts its signal; the connection closes when it returns. */
  readonly #hasFunction: boolean;
  #shutdown: Promise<ShutdownCounts> | undefined;

  private constructor(sockets: ServerSockets, controller: AbortController, hasFunction: boolean) {
    this.#sockets = sockets;
    this.#controller = controller;
    this.#hasFunction = hasFunction;
  }

  /** @internal See {@link serve}. */
  static async open(options: ListenOptions, handler: ConnectionHandler | ConnectionHandlers): Promise<Server> {
    const controller = new AbortController();
    // A connection may arrive on the first address while the second one is still being opened.
    const sockets = await ServerSockets.open(options, (connection, sockets) => {
      if (typeof handler === "function") run(handler, connection, controller.signal, sockets);
      else connection.handleOpen(handler);
    });
    return new Server(sockets, controller, typeof handler === "function");
  }

  /** The address and port it listens on. `host` is `"localhost"` when it listens on both loopback addresses. */
  get address(): Address {
    return this.#sockets.address;
  }

  /** The current state. Each change is also published on a diagnostics channel: see {@link STATE_CHANNELS}. */
  get state(): ListenerState {
    return this.#sockets.state;
  }

  /** Number of open connections, including those in a TLS handshake. */
  get connections(): number {
    return this.#sockets.connections.size;
  }

  /** Number of connections dropped because `connectionsMax` was reached or the server was closing. */
  get dropped(): number {
    return this.#sockets.dropped;
  }

  /** Number of failed accepts. The server continues. */
  get acceptErrors(): number {
    return this.#sockets.acceptErrors;
  }

  /** Number of TLS handshakes that failed or timed out. The server continues. */
  get handshakeErrors(): number {
    return this.#sockets.handshakeErrors;
  }

  /**
   * Replaces the certificate and key for handshakes that begin from now on. An option that is not given keeps its
   * value: `ca`, `crl`, `names`, `ciphers` and the TLS versions. `{}` empties `names` and `[]` empties `crl`. `cert`,
   * `key`, `passphrase` and `pfx` are replaced together. Nothing changes when the new options are invalid.
   *
   * @throws {SocketError} `tls` when the certificate or key is invalid or nothing is given.
   * @throws {SocketError} `tls` when the server does not use TLS.
   * @throws {TypeError} when a key of `names` is not a host name.
   */
  setSecureContext(secrets: TlsSecrets): void {
    this.#sockets.setSecureContext(secrets);
  }

  /**
   * Stops accepting, aborts the signal of the functions and waits for them to finish. Event handlers have no signal:
   * their connections are closed at once. Connections that are still open after `timeoutMs` (default 5000) are reset.
   * Idempotent: a second call returns the result of the first.
   *
   * @throws {RangeError} when `timeoutMs` is not 0 to 2^31 - 1 or `Infinity`.
   */
  shutdown(options: { readonly timeoutMs?: number } = {}): Promise<ShutdownCounts> {
    const { timeoutMs = 5_000 } = options;
    checkTimeout(timeoutMs);
    this.#shutdown ??= this.#stop(timeoutMs);
    return this.#shutdown;
  }

  /** {@link shutdown} with a `timeoutMs` of 1000. */
  async close(): Promise<void> {
    await this.shutdown({ timeoutMs: CLOSE_TIMEOUT_MS });
  }

  /** Keeps the process alive while the server listens (the default). */
  ref(): void {
    this.#sockets.ref();
  }

  /** Lets the process exit while the server listens. */
  unref(): void {
    this.#sockets.unref();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #stop(timeoutMs: number): Promise<ShutdownCounts> {
    const closed = this.#sockets.close();
    const open = [...this.#sockets.connections];
    const force = (): void => {
      for (const connection of open) connection.reset();
    };
    const timer = timeoutMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(force, timeoutMs);
    for (const connection of open) connection.shortenLinger(SHUTDOWN_LINGER_MS);
    this.#controller.abort(new SocketError("closed", "The server is shutting down"));
    if (!this.#hasFunction) for (const connection of open) void connection.close();
    await Promise.all(open.map((connection) => connection.closed));
    clearTimeout(timer);
    await closed;
    // A connection whose own side was flushed counts as graceful, even when its peer never finished and it was reset.
    const graceful = open.filter((connection) => connection.hasFinished).length;
    return { graceful, forced: open.length - graceful };
  }
}

/** Runs the function of one connection. An error ends that connection and is reported. */
function run(handler: ConnectionHandler, connection: Connection, signal: AbortSignal, sockets: ServerSockets): void {
  const end = (): void => void connection.close();
  // Not `async`: this state lives as long as the connection, and a promise with two callbacks holds the least memory.
  Promise.try(handler, connection, signal).then(end, (error: unknown) => {
    if (!isOrdinaryEnd(error, signal)) sockets.report(toError(error));
    end();
  });
}

/**
 * Whether the error is a normal end of a connection and not a failure of the function: the peer left between two
 * messages, reset the connection or timed out, or this server shuts down.
 */
function isOrdinaryEnd(error: unknown, signal: AbortSignal): boolean {
  if (error instanceof SocketError) {
    const { code, operation, partial } = error;
    const hasLeft = code === "end-of-stream" && partial?.length === 0;
    const isOver = operation === "idle" || operation === "send" || operation === "close";
    return code === "reset" || code === "closed" || isOver || hasLeft;
  }
  return signal.aborted && error === signal.reason;
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(textOf(error), { cause: error });
}
