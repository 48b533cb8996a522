import type { Address } from "../address.ts";
import { SocketError, textOf } from "../errors.ts";
import type { ListenerState } from "../state.ts";
import { checkTimeout } from "../wait.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionHandlers } from "./connection-handlers.ts";
import { type ListenOptions, ServerSockets } from "./server-sockets.ts";
import type { TlsSecrets } from "./tls-server.ts";

/** Serves one connection; `signal` aborts when the server shuts down. The connection is closed when it returns. */
export type ConnectionHandler = (connection: Connection, signal: AbortSignal) => Promise<void> | void;

/** How a shutdown went: connections that were flushed and finished, and those that had to be reset. */
export interface ShutdownCounts {
  readonly graceful: number;
  readonly forced: number;
}

/** How long `await using` and `close()` wait for the handlers, in milliseconds. */
const CLOSE_TIMEOUT_MS = 1_000;

/** How long a connection that said its last waits for the peer's end while the server shuts down, in milliseconds. */
const SHUTDOWN_LINGER_MS = 250;

/**
 * A listening server with one function, or one set of event handlers, for every connection.
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
  /** Whether a function serves each connection: it is told by its signal, and closes its connection by returning. */
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
    // A connection may come while the second of two addresses is still being opened, before there is a server.
    const sockets = await ServerSockets.open(options, (connection, sockets) => {
      if (typeof handler === "function") run(handler, connection, controller.signal, sockets);
      else connection.handleOpen(handler);
    });
    return new Server(sockets, controller, typeof handler === "function");
  }

  /** Where it listens: the address, or for `localhost` that name, and the port. */
  get address(): Address {
    return this.#sockets.address;
  }

  /** Where it is in its life. Each change is published too; see {@link STATE_CHANNELS}. */
  get state(): ListenerState {
    return this.#sockets.state;
  }

  /** Connections open now. */
  get connections(): number {
    return this.#sockets.connections.size;
  }

  /** Connections dropped because there were more than `connectionsMax`. */
  get dropped(): number {
    return this.#sockets.dropped;
  }

  /** Accepts that failed; the server goes on. */
  get acceptErrors(): number {
    return this.#sockets.acceptErrors;
  }

  /** TLS handshakes that failed or took too long; the server goes on. */
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
   * Stops accepting, aborts the handlers' signal and lets them finish. Handlers of events have no such signal: their
   * connections are closed at once. What is left after `timeoutMs` (default 5000) is reset. Idempotent.
   *
   * @throws {RangeError} when `timeoutMs` is no time.
   */
  shutdown(options: { readonly timeoutMs?: number } = {}): Promise<ShutdownCounts> {
    const { timeoutMs = 5_000 } = options;
    checkTimeout(timeoutMs);
    this.#shutdown ??= this.#stop(timeoutMs);
    return this.#shutdown;
  }

  /** {@link shutdown} with a short time: 1 second. */
  async close(): Promise<void> {
    await this.shutdown({ timeoutMs: CLOSE_TIMEOUT_MS });
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
    // Where only the peer's own end was missing, it did not matter how it came to an end.
    const graceful = open.filter((connection) => connection.hasFinished).length;
    return { graceful, forced: open.length - graceful };
  }
}

/** Runs the function of one connection; what it throws ends that connection and is reported. */
function run(handler: ConnectionHandler, connection: Connection, signal: AbortSignal, sockets: ServerSockets): void {
  const end = (): void => void connection.close();
  // Not `async`: what waits for the function lives as long as the connection, and a promise is the least that can wait.
  Promise.try(handler, connection, signal).then(end, (error: unknown) => {
    if (!isOrdinaryEnd(error, signal)) sockets.report(toError(error));
    end();
  });
}

/** A peer that left between two messages, broke the connection or fell silent, or our own shutdown: the handler did nothing wrong. */
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
