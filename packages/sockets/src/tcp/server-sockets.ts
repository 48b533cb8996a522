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

/** Where a listener or server listens, and what it takes. */
export interface ListenOptions extends ConnectionOptions {
  /** A name or an address; `localhost` is both loopback addresses under one port number. @default "localhost" */
  readonly host?: string | undefined;
  /** 0 takes a free port. @default 0 */
  readonly port?: number | undefined;
  /** The path of a Unix socket, instead of `host` and `port`; see {@link ConnectOptions.path}. */
  readonly path?: string | undefined;
  /** Connections that the kernel keeps until they are accepted. @default 511 */
  readonly backlog?: number | undefined;
  /** Several processes share the port (SO_REUSEPORT). @default false */
  readonly reusePort?: boolean | undefined;
  /** Connections open at once; those above are dropped and counted. @default no limit */
  readonly connectionsMax?: number | undefined;
  /** A connection on which nothing moved for this long is closed with a `timeout` error; 0 is never. @default never */
  readonly idleTimeoutMs?: number | undefined;
  /** Send small writes at once (TCP_NODELAY). @default true */
  readonly noDelay?: boolean | undefined;
  /** Probe an idle peer after so many milliseconds (TCP keep-alive), in whole seconds and at least one. @default off */
  readonly keepAliveMs?: number | undefined;
  /** Speak TLS. Connections are handed out when their handshake is done; those that fail are counted. @default off */
  readonly tls?: (TlsServerOptions & { readonly handshakeTimeoutMs?: number | undefined }) | undefined;
  /**
   * Told of what goes wrong beside any one call: a failed accept or TLS handshake (at most one a second), a handler that
   * threw. @default a process warning, at most one a second
   */
  readonly onError?: ((error: Error) => void) | undefined;
}

type OnConnection = (connection: Connection, sockets: ServerSockets) => void;

/** How often a free port for both loopback addresses is looked for. */
const PORT_ATTEMPTS = 16;
/** Addresses that stand for all of this machine's. */
const WILDCARDS: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);
/** How long the whole of a TLS handshake may take. */
const HANDSHAKE_MS = 10_000;

/**
 * The listening sockets of one listener or server: one, or for `localhost` one per loopback address. It owns the limit
 * on connections, and it survives whatever goes wrong while accepting.
 */
export class ServerSockets implements ConnectionKeeper {
  readonly #options: ListenOptions;
  readonly #onConnection: OnConnection;
  readonly #servers: net.Server[] = [];
  /** Those that shake hands too. */
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
   * @throws {SocketError} `address-in-use`, `address-not-available`, `permission`; `tls` when certificate and key are none.
   * @throws {RangeError} when an option is no port, no time, or a number that would hold nothing back.
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

  /** Connections dropped because there were too many. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Accepts that failed, by running out of descriptors for example. */
  get acceptErrors(): number {
    return this.#acceptErrors;
  }

  /** TLS handshakes that failed or took too long. */
  get handshakeErrors(): number {
    return this.#handshakeErrors;
  }

  /** @throws {SocketError} `tls` when they are no secrets, or it speaks no TLS. */
  setSecureContext(secrets: TlsSecrets): void {
    if (this.#acceptor === undefined) {
      throw new SocketError(
        "tls",
        `Cannot set the secure context of ${formatAddress(this.#address)}: it speaks no TLS`,
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

  /** Counts a connection that its taker had no room for. */
  drop(connection: Connection): void {
    this.#dropped += 1;
    connection.reset();
  }

  /** Stops accepting; the connections go on. */
  async close(): Promise<void> {
    if (this.#state === "listening") this.#moveTo("closing");
    // Nobody has been given these.
    for (const connection of this.#connections) {
      if (connection.state !== "connecting") continue;
      this.#connections.delete(connection);
      connection.reset();
    }
    await Promise.all(
      // Node's own close waits for the connections, so only the end of listening is awaited here.
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
        // A machine without IPv6 has one loopback address.
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
      // Every connection to one address has that address, and shares what says so.
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
    // Gone before it was accepted: a connection without a peer is of no use to anyone.
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
    // What it does not know when it is closed it must be asked before.
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
    // Closed meanwhile.
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

/** What Node would only notice in an event, when a connection comes: too late to tell the caller. */
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
