import net from "node:net";
import { type Address, formatAddress } from "../address.ts";
import { fromNodeError, SocketError } from "../errors.ts";
import { Wait, type WaitOptions } from "../wait.ts";
import { localAddressOf } from "./addresses-of.ts";
import { ConnectRace } from "./connect-race.ts";
import { Connection } from "./connection.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import { lookupAddresses } from "./lookup-addresses.ts";
import { clientHandshake, type TlsClientOptions } from "./tls-client.ts";
import { checkPath, unixPathError } from "./unix-path.ts";

/** Options for {@link connect}. */
export interface ConnectOptions extends ConnectionOptions, WaitOptions {
  /** A host name or an IP address. @default "localhost" */
  readonly host?: string | undefined;
  /** The port, 1 to 65535. Required without `path`. */
  readonly port?: number | undefined;
  /**
   * The path of a Unix socket, instead of `host` and `port`: at most 108 bytes on Linux and 104 on macOS. On Linux a
   * path that begins with NUL names an abstract socket.
   */
  readonly path?: string | undefined;
  /** The address family to use; 0 for both. @default 0 */
  readonly family?: 0 | 4 | 6 | undefined;
  /** The local address to connect from. */
  readonly localAddress?: string | undefined;
  /** Looks names up instead of `dns.lookup`. */
  readonly lookup?: net.LookupFunction | undefined;
  /**
   * Called with each IP address of the host before any connection attempt. Only addresses for which it returns `true`
   * are used. An IP address given as `host` is checked too, in any spelling. Pass `isPublicAddress` when someone else
   * chooses the host. Cannot be combined with `path`.
   *
   * @default all addresses
   */
  readonly allowAddress?: ((address: string) => boolean) | undefined;
  /** Sends small writes at once (TCP_NODELAY). @default true */
  readonly noDelay?: boolean | undefined;
  /**
   * Sends TCP keep-alive probes after this many idle milliseconds, rounded down to whole seconds, at least one.
   *
   * @default off
   */
  readonly keepAliveMs?: number | undefined;
  /** Uses TLS; `true` for the default options. @default off */
  readonly tls?: true | TlsClientOptions | undefined;
}

/**
 * Connects to a TCP or Unix socket, with `tls` over TLS. `timeoutMs` covers the name lookup, all attempts and the TLS
 * handshake. An abort rejects at once, also during the lookup.
 *
 * The addresses of a host race (Happy Eyeballs, RFC 8305). IPv6 and IPv4 addresses alternate. The next attempt starts
 * when the previous one failed or after 250 ms. The first connection wins and the others are closed. If all fail,
 * `cause` is an `AggregateError` with one error per address.
 *
 * @throws {SocketError} `refused` when nothing listens there.
 * @throws {SocketError} `unreachable` when there is no route to the host.
 * @throws {SocketError} `name-not-found` when the host has no address of the family.
 * @throws {SocketError} `name-lookup-failed` when the lookup failed for now.
 * @throws {SocketError} `timeout` when `timeoutMs` has passed, or the kernel gave up.
 * @throws {SocketError} `permission` when `allowAddress` refuses all addresses, or the system refuses the connection.
 * @throws {SocketError} `address-not-available` when this machine does not have `localAddress`.
 * @throws {SocketError} `tls` when the handshake fails or the certificate is refused.
 * @throws {SocketError} `reset` when the peer breaks the connection during the TLS handshake.
 * @throws {TypeError} when the path is empty or contains NUL, or is combined with `allowAddress`.
 * @throws {TypeError} when `tls.servername` is not a host name.
 * @throws {RangeError} when the path is too long, `port` is not 1 to 65535, a time is not 0 to 2^31 - 1 or `Infinity`,
 * or a mark is out of range.
 *
 * @example
 * ```ts
 * import { connect, serve } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * await using server = await serve({ port: 0 }, async (connection) => {
 *   for await (const chunk of connection) await connection.write(chunk);
 * });
 * await using connection = await connect({ ...server.address, timeoutMs: 10_000 });
 * await connection.write("hello");
 * assert.equal(Buffer.from(await connection.readExactly(5)).toString(), "hello");
 * ```
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const { signal, path, port, host = "localhost", family = 0, lookup, allowAddress } = options;
  if (path !== undefined) checkPath(path);
  const target: Address = path === undefined ? { host, port: checkPort(port) } : { path };
  const action = `Cannot connect to ${formatAddress(target)}`;
  if (path !== undefined && allowAddress !== undefined) throw new TypeError("allowAddress cannot be given with a path");
  signal?.throwIfAborted();
  const tls = options.tls === true ? {} : options.tls;
  // It may throw, so create it before anything is opened.
  const handshake = tls === undefined ? undefined : clientHandshake(path === undefined ? host : undefined, tls);

  let cancel = (): void => undefined;
  const wait = new Wait<Connection>(
    options,
    () => action,
    () => cancel(),
    () => ({ operation: "connect" }),
  );
  const run = async (): Promise<Connection> => {
    const found = path === undefined ? await lookupAddresses(host, family, lookup, action) : [];
    // The wait ended during the lookup: do not connect.
    if (wait.isSettled) return wait.promise;
    const addresses = found.map(({ address }) => ({ host: address, port: port as number }));
    const targets = path === undefined ? allowedOf(addresses, action, allowAddress) : [target];
    const race = new ConnectRace(targets, action, (address) => attempt(address, action, options));
    cancel = () => race.cancel();
    const connection = await race.run();
    if (handshake === undefined) return connection;
    cancel = () => connection.reset();
    await connection.secure(handshake, { action, operation: "connect" }, {});
    if (!wait.isSettled) connection.opened("established");
    return connection;
  };
  run().then(
    (connection) => {
      // The wait ended just before: nobody will use this connection.
      if (wait.isSettled) connection.reset();
      else wait.resolve(connection);
    },
    (error) => wait.reject(error),
  );
  return await wait.promise;
}

/** @throws {SocketError} `permission` when no address is allowed. @throws what `allowAddress` throws. */
function allowedOf(
  addresses: readonly { readonly host: string; readonly port: number }[],
  action: string,
  allowAddress: ConnectOptions["allowAddress"],
): readonly Address[] {
  if (allowAddress === undefined) return addresses;
  // An async `allowAddress` returns a promise, which must not count as `true`.
  const allowed = addresses.filter(({ host }) => allowAddress(host) === true);
  if (allowed.length > 0) return allowed;
  const text = `${action}: allowAddress refused every address of the host`;
  const [remote] = addresses;
  throw new SocketError("permission", text, { operation: "connect", ...(remote === undefined ? {} : { remote }) });
}

/** One attempt to connect to one address. */
function attempt(
  address: Address,
  action: string,
  options: ConnectOptions,
): { connection: Connection; connected: Promise<void> } {
  const { noDelay = true, keepAliveMs, localAddress, host = "localhost" } = options;
  const socket = new net.Socket({ allowHalfOpen: true });
  const connection = new Connection(socket, options, { remote: address, host });
  const { promise: connected, resolve, reject } = Promise.withResolvers<void>();
  const ready = (): void => {
    settled();
    if (noDelay) socket.setNoDelay(true);
    if (keepAliveMs !== undefined) socket.setKeepAlive(true, Math.max(keepAliveMs, 1_000));
    connection.opened(options.tls === undefined ? "established" : "connecting", localAddressOf(socket));
    resolve();
  };
  const fields = { operation: "connect", remote: address };
  const failed = (error: Error): void => {
    settled();
    const { path } = address;
    reject(
      path === undefined ? fromNodeError(error, action, fields) : unixPathError("connect", error, action, path, fields),
    );
  };
  const closed = (): void => failed(new SocketError("closed", `${action}: closed`, fields));
  const settled = (): void => {
    socket.off("connect", ready).off("error", failed).off("close", closed);
  };
  socket.on("connect", ready).on("error", failed).on("close", closed);
  connection.opened("connecting");
  try {
    socket.connect({ ...address, ...(localAddress === undefined ? {} : { localAddress }) } as net.TcpSocketConnectOpts);
  } catch (error) {
    // Node throws for wrong arguments. They do not depend on this address.
    connected.catch(() => undefined);
    socket.destroy();
    return { connection, connected: Promise.reject(error) };
  }
  return { connection, connected };
}

function checkPort(port: number | undefined): number {
  if (Number.isInteger(port) && (port as number) > 0 && (port as number) <= 65_535) return port as number;
  throw new RangeError(`port must be 1 to 65535: ${port}`);
}
