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

/** Where {@link connect} goes, and how. */
export interface ConnectOptions extends ConnectionOptions, WaitOptions {
  /** A name or an IP address. @default "localhost" */
  readonly host?: string | undefined;
  /** 1 to 65535; needed unless there is a `path`. */
  readonly port?: number | undefined;
  /**
   * The path of a Unix socket, instead of `host` and `port`: at most 108 bytes on Linux and 104 on macOS. On Linux a path that
   * begins with NUL is an abstract socket.
   */
  readonly path?: string | undefined;
  /** Which family of addresses to use; 0: both. @default 0 */
  readonly family?: 0 | 4 | 6 | undefined;
  /** The local address to connect from. */
  readonly localAddress?: string | undefined;
  /** Looks names up, instead of `dns.lookup`. */
  readonly lookup?: net.LookupFunction | undefined;
  /**
   * Called with each IP address of the host before any is connected to; only those for which it returns `true` are. A
   * host that is an address itself is checked too, in any spelling. When somebody else chooses the host, give
   * `isPublicAddress`. Cannot be given with a `path`.
   *
   * @default all are
   */
  readonly allowAddress?: ((address: string) => boolean) | undefined;
  /** Send small writes at once (TCP_NODELAY). @default true */
  readonly noDelay?: boolean | undefined;
  /** Probe an idle peer after so many milliseconds (TCP keep-alive), in whole seconds and at least one. @default off */
  readonly keepAliveMs?: number | undefined;
  /** Speak TLS; `true` with the defaults. @default off */
  readonly tls?: true | TlsClientOptions | undefined;
}

/**
 * Connects to a TCP or Unix socket, with `tls` over TLS. `timeoutMs` is one budget for the name lookup, all attempts and
 * the TLS handshake; an abort rejects at once, during the lookup too.
 *
 * The addresses of a name race (RFC 8305): its families take turns, each address gets a start of 250 ms before the next
 * one is tried too, and the first to connect wins. If all fail, the error's `cause` has one error per address.
 *
 * @throws {SocketError} `refused`, `unreachable`, `name-not-found`, `name-lookup-failed`, `timeout`, `permission`, `tls`
 * and `reset` in the TLS handshake, `address-not-available` for a `localAddress` that this machine does not have, and
 * `permission` when `allowAddress` refuses all addresses of the host.
 * @throws {TypeError} when the path is empty or contains NUL.
 * @throws {RangeError} when an option is no port, no time, or a mark that would let nothing through, or the path is too long.
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
  // Before anything is opened, as it may throw.
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
    // Aborted during the lookup: its late answer is nobody's any more.
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
      // Aborted when it was just ready: it is nobody's.
      if (wait.isSettled) connection.reset();
      else wait.resolve(connection);
    },
    (error) => wait.reject(error),
  );
  return await wait.promise;
}

/** @throws {SocketError} `permission` when none is allowed; what `allowAddress` throws. */
function allowedOf(
  addresses: readonly { readonly host: string; readonly port: number }[],
  action: string,
  allowAddress: ConnectOptions["allowAddress"],
): readonly Address[] {
  if (allowAddress === undefined) return addresses;
  // The promise of an async function is not `true`.
  const allowed = addresses.filter(({ host }) => allowAddress(host) === true);
  if (allowed.length > 0) return allowed;
  const text = `${action}: none of its addresses is allowed (option allowAddress)`;
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
    // Wrong arguments are the caller's, and no matter of this address.
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
