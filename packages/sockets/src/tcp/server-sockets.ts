import net from "node:net";
import { type Address, formatAddress } from "../address.ts";
import { ErrorReporter } from "../error-reporter.ts";
import { fromNodeError, SocketError, toOrFrom } from "../errors.ts";
import { type ListenerState, nextSocketId, publishStateChange } from "../state.ts";
import { checkTimeout } from "../wait.ts";
import { localAddressOf } from "./addresses-of.ts";
import { Connection } from "./connection.ts";
import {
  type ConnectionKeeper,
  type ConnectionOptions,
  type ConnectionOrigin,
  checkConnectionOptions,
} from "./connection-options.ts";
import { descriptorShortage } from "./descriptors.ts";
import { resetStream } from "./reset-stream.ts";
import { TlsAcceptor, type TlsSecrets, type TlsServerOptions } from "./tls-server.ts";
import { checkPath, unixPathError } from "./unix-path.ts";

/** Options for {@link listen} and {@link serve}. */
export interface ListenOptions extends ConnectionOptions {
  /**
   * A host name or an IP address. `"localhost"` is both loopback addresses with one port number.
   *
   * @default "localhost"
   */
  readonly host?: string | undefined;
  /** The port; 0 for a free one. @default 0 */
  readonly port?: number | undefined;
  /** The path of a Unix socket, instead of `host` and `port`. See {@link ConnectOptions.path}. */
  readonly path?: string | undefined;
  /** Maximum number of connections that the kernel queues until they are accepted. @default 511 */
  readonly backlog?: number | undefined;
  /** Lets several processes listen on the same port (SO_REUSEPORT). @default false */
  readonly reusePort?: boolean | undefined;
  /** Maximum number of open connections. Further ones are dropped and counted. @default no limit */
  readonly connectionsMax?: number | undefined;
  /**
   * Closes a connection with a `timeout` error when no byte was read or written for this long; 0 for never.
   *
   * @default never
   */
  readonly idleTimeoutMs?: number | undefined;
  /** Sends small writes at once (TCP_NODELAY). @default true */
  readonly noDelay?: boolean | undefined;
  /**
   * Sends TCP keep-alive probes after this many idle milliseconds, rounded down to whole seconds, at least one.
   *
   * @default off
   */
  readonly keepAliveMs?: number | undefined;
  /**
   * Uses TLS. A connection is handed out after its handshake. Failed handshakes are counted. `handshakeTimeoutMs`
   * limits the whole handshake (default 10000).
   *
   * @default off
   */
  readonly tls?: (TlsServerOptions & { readonly handshakeTimeoutMs?: number | undefined }) | undefined;
  /**
   * Receives errors that belong to no call: failed accepts and TLS handshakes (at most one per second), and what a
   * function or handler threw.
   *
   * @default a process warning, at most one per second
   */
  readonly onError?: ((error: Error) => void) | undefined;
}

type OnConnection = (connection: Connection, sockets: ServerSockets) => void;

/** How often to look for a port that is free on both loopback addresses. */
const PORT_ATTEMPTS = 16;
/** Addresses that mean every address of this machine. */
const WILDCARDS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);
/** Default time limit of a whole TLS handshake. */
const HANDSHAKE_MS = 10_000;

/**
 * The listening sockets of one listener or server: one, or for `localhost` one per loopback address. Enforces
 * `connectionsMax` and survives every error while accepting.
 */
export class ServerSockets implements ConnectionKeeper {
  readonly #options: ListenOptions;
  readonly #onConnection: OnConnection;
  readonly #servers: net.Server[] = [];
  /** Open connections, including those in a TLS handshake. */
  readonly #connections = new Set<Connection>();
  readonly #acceptor: TlsAcceptor | undefined;
  readonly #reporter: ErrorReporter;
  readonly #id: number = nextSocketId();
  #address: Address = { host: "", port: 0 };
  #state: ListenerState = "created";
  #dropped = 0;
  #acceptErrors = 0;
  #handshakeErrors = 0;

  private constructor(options: ListenOptions, onConnection: OnConnection) {
    this.#options = options;
    this.#onConnection = onConnection;
    this.#reporter = new ErrorReporter(options.onError);
    this.#acceptor = options.tls === undefined ? undefined : new TlsAcceptor(options.tls);
  }

  /**
   * @throws {SocketError} `address-in-use`, `address-not-available`, `name-not-found`, `name-lookup-failed`,
   * `permission`.
   * @throws {SocketError} `tls` when the certificate or key is missing or invalid.
   * @throws {TypeError} when the path is empty or contains NUL.
   * @throws {RangeError} when the path is too long, or a port, time or limit is out of range.
   */
  static async open(options: ListenOptions, onConnection: OnConnection): Promise<ServerSockets> {
    checkOptions(options);
    const sockets = new ServerSockets(options, onConnection);
    await sockets.#open();
    sockets.#moveTo("listening");
    return sockets;
  }

  get address(): Address {
    return this.#address;
  }

  get state(): ListenerState {
    return this.#state;
  }

  get connections(): ReadonlySet<Connection> {
    return this.#connections;
  }

  /** Connections dropped because too many were open or waiting. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Failed accepts, for example without free file descriptors. */
  get acceptErrors(): number {
    return this.#acceptErrors;
  }

  /** TLS handshakes that failed or timed out. */
  get handshakeErrors(): number {
    return this.#handshakeErrors;
  }

  /** @throws {SocketError} `tls` when the certificate or key is invalid, or when this does not use TLS. */
  setSecureContext(secrets: TlsSecrets): void {
    if (this.#acceptor === undefined) {
      throw new SocketError(
        "tls",
        `Cannot set the secure context of ${formatAddress(this.#address)}: it does not use TLS`,
      );
    }
    this.#acceptor.setSecureContext(secrets);
  }

  gone(connection: Connection): void {
    this.#connections.delete(connection);
  }

  report(error: Error): void {
    this.#reporter.report(error);
  }

  /** Counts and resets a connection that the listener has no room for. */
  drop(connection: Connection): void {
    this.#dropped += 1;
    connection.reset();
  }

  /** Stops accepting. Open connections stay open; those in a TLS handshake are reset. */
  async close(): Promise<void> {
    if (this.#state === "listening") this.#moveTo("closing");
    // Connections in a handshake were not handed out yet, so they have no owner.
    for (const connection of this.#connections) {
      if (connection.state !== "connecting") continue;
      this.#connections.delete(connection);
      connection.reset();
    }
    await Promise.all(
      // The callback of Node's `close` waits for the connections too. Wait only until the sockets no longer listen.
      this.#servers.splice(0).map((server) => {
        server.close();
        return new Promise<void>((resolve) => setImmediate(resolve));
      }),
    );
    this.#moveTo("closed");
  }

  ref(): void {
    for (const server of this.#servers) server.ref();
  }

  unref(): void {
    for (const server of this.#servers) server.unref();
  }

  async #open(): Promise<void> {
    const { path, host = "localhost", port = 0 } = this.#options;
    if (path !== undefined) {
      await this.#listen({ path });
      this.#address = { path };
      return;
    }
    if (host !== "localhost") {
      const bound = await this.#listen({ host, port });
      this.#address = { host: bound.address, port: bound.port };
      return;
    }
    for (let attempt = 1; ; attempt += 1) {
      const bound = await this.#listen({ host: "127.0.0.1", port });
      this.#address = { host, port: bound.port };
      try {
        await this.#listen({ host: "::1", port: bound.port });
        return;
      } catch (error) {
        // Without IPv6 there is only one loopback address.
        if (isWithoutIpv6(error as SocketError)) return;
        if ((error as SocketError).code !== "address-in-use" || port !== 0 || attempt === PORT_ATTEMPTS) {
          await this.close();
          throw error;
        }
        this.#servers.pop()?.close();
      }
    }
  }

  #listen(address: { host: string; port: number } | { path: string }): Promise<net.AddressInfo> {
    const { backlog = 511, reusePort = false, noDelay = true, keepAliveMs } = this.#options;
    const server = net.createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay,
      ...(keepAliveMs === undefined ? {} : { keepAlive: true, keepAliveInitialDelay: Math.max(keepAliveMs, 1_000) }),
    });
    const { promise, resolve, reject } = Promise.withResolvers<net.AddressInfo>();
    const action = `Cannot listen on ${formatAddress(address)}`;
    const fields = { operation: "listen", local: address };
    const refuse = (error: Error): void =>
      reject(
        "path" in address
          ? unixPathError("listen", error, action, address.path, fields)
          : fromNodeError(error, action, fields),
      );
    server.once("error", refuse);
    server.once("listening", () => {
      server.off("error", refuse);
      server.on("error", (error) => this.#acceptFailed(error));
      this.#servers.push(server);
      const bound = server.address() as net.AddressInfo;
      // All connections to one address share one object with their local address.
      const local = WILDCARDS.has(bound.address) ? {} : { local: { host: bound.address, port: bound.port } };
      const origin = "path" in address ? { keeper: this } : { keeper: this, ...local };
      server.on("connection", (socket) => this.#accept(socket, origin));
      resolve(bound);
    });
    server.listen({ ...address, backlog, ...(reusePort ? { reusePort } : {}) });
    return promise;
  }

  #accept(socket: net.Socket, shared: ConnectionOrigin): void {
    const { connectionsMax = Number.POSITIVE_INFINITY, idleTimeoutMs = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#connections.size >= connectionsMax || this.#state === "closing") {
      this.#dropped += 1;
      socket.on("error", () => undefined);
      resetStream(socket);
      return;
    }
    // The peer reset the connection before it was accepted.
    if (socket.remoteAddress === undefined && this.#options.path === undefined) {
      socket.on("error", () => undefined);
      socket.destroy();
      return;
    }
    const shortage = descriptorShortage(socket);
    if (shortage !== undefined) {
      this.#acceptFailed(shortage);
      socket.on("error", () => undefined);
      resetStream(socket);
      return;
    }
    // Node forgets the local address when the socket closes, so read it now.
    const local = shared.local ?? localAddressOf(socket);
    const origin = local === shared.local ? shared : { ...shared, local };
    const connection = new Connection(socket, this.#options, origin);
    this.#connections.add(connection);
    if (idleTimeoutMs !== Number.POSITIVE_INFINITY) connection.closeWhenIdle(idleTimeoutMs);
    if (this.#acceptor !== undefined) void this.#secure(connection, this.#acceptor);
    else this.#opened(connection);
  }

  async #secure(connection: Connection, acceptor: TlsAcceptor): Promise<void> {
    const { handshakeTimeoutMs: timeoutMs = HANDSHAKE_MS } = this.#options.tls ?? {};
    connection.opened("connecting");
    const action = `Cannot accept TLS${toOrFrom("from", connection.remote)}`;
    try {
      await connection.secure(acceptor.handshake, { action, operation: "accept" }, { timeoutMs });
    } catch (error) {
      this.#handshakeErrors += 1;
      const { code } = error as { code?: string };
      if (code !== "reset" && code !== "closed") this.#reporter.reportSeldom(() => error as Error);
      return;
    }
    // The connection was closed during the handshake.
    if (!this.#connections.has(connection)) return;
    this.#opened(connection);
  }

  #opened(connection: Connection): void {
    connection.opened("established");
    this.#onConnection(connection, this);
  }

  #acceptFailed(error: Error): void {
    this.#acceptErrors += 1;
    this.#reporter.reportSeldom(() =>
      fromNodeError(error, `Cannot accept a connection on ${formatAddress(this.#address)}`),
    );
  }

  #moveTo(to: ListenerState): void {
    const from = this.#state;
    if (from === to) return;
    this.#state = to;
    publishStateChange<ListenerState>("listener", () => ({
      id: this.#id,
      from,
      to,
      at: Date.now(),
      local: this.#address,
      remote: undefined,
      reason: undefined,
    }));
  }
}

/** Checks what Node would report only when a connection arrives, too late for the caller. */
function checkOptions(options: ListenOptions): void {
  const { connectionsMax = 0, idleTimeoutMs = 0, tls } = options;
  checkConnectionOptions(options);
  if (options.path !== undefined) checkPath(options.path);
  checkTimeout(tls?.handshakeTimeoutMs ?? 0, "handshakeTimeoutMs");
  checkTimeout(idleTimeoutMs, "idleTimeoutMs");
  if (!(connectionsMax >= 0)) throw new RangeError(`connectionsMax must be 0 or more: ${connectionsMax}`);
}

function isWithoutIpv6(error: SocketError): boolean {
  if (error.code === "address-not-available") return true;
  return (error.cause as NodeJS.ErrnoException | undefined)?.code === "EAFNOSUPPORT";
}
