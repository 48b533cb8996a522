import net from "node:net";
import { type Address, formatAddress } from "../address.ts";
import { fromNodeError, SocketError } from "../errors.ts";
import type { WaitOptions } from "../wait.ts";
import { Wait } from "../wait.ts";
import { addressesOf } from "./addresses-of.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";

/** Where {@link connect} goes, and how. */
export interface ConnectOptions extends ConnectionOptions, WaitOptions {
  /** A name or an IP address. @default "localhost" */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** The path of a Unix socket, instead of `host` and `port`. */
  readonly path?: string | undefined;
  /** Which family of addresses to use; 0: both. @default 0 */
  readonly family?: 0 | 4 | 6 | undefined;
  /** The local address to connect from. */
  readonly localAddress?: string | undefined;
  /** Looks names up, instead of `dns.lookup`. */
  readonly lookup?: net.LookupFunction | undefined;
  /** Send small writes at once (TCP_NODELAY). @default true */
  readonly noDelay?: boolean | undefined;
  /** Probe an idle peer after this many milliseconds (TCP keep-alive). @default off */
  readonly keepAliveMs?: number | undefined;
}

/**
 * Connects to a TCP or Unix socket. `timeoutMs` is one budget for the name lookup and all attempts; an abort rejects at
 * once, during the lookup too.
 *
 * @throws {SocketError} `refused`, `unreachable`, `name-not-found`, `name-lookup-failed`, `timeout`, `permission`.
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
  const { signal, path, port, host = "localhost", keepAliveMs } = options;
  const target: Address = path === undefined ? { host, port: checkPort(port) } : { path };
  const action = `Cannot connect to ${formatAddress(target)}`;
  signal?.throwIfAborted();

  const socket = new net.Socket({ allowHalfOpen: true });
  const connection = new Connection(socket, options, { remote: target });
  const wait = new Wait<Connection>(
    options,
    () => action,
    () => socket.destroy(),
  );
  connection.opened("connecting");
  const established = (): void => {
    if (options.noDelay ?? true) socket.setNoDelay(true);
    if (keepAliveMs !== undefined) socket.setKeepAlive(true, keepAliveMs);
    connection.opened("established", addressesOf(socket));
    wait.resolve(connection);
  };
  const failed = (error: Error): void => {
    wait.reject(fromNodeError(error, action, { operation: "connect", remote: target }));
  };
  const closed = (): void => wait.reject(new SocketError("closed", `${action}: closed`, { operation: "connect" }));
  socket.once("connect", established).once("error", failed).once("close", closed);
  try {
    socket.connect({
      ...(target.path !== undefined ? { path: target.path } : { host: target.host, port: target.port }),
      family: options.family ?? 0,
      autoSelectFamily: (options.family ?? 0) === 0,
      ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
      ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
    } as net.TcpSocketConnectOpts);
  } catch (error) {
    socket.destroy();
    wait.reject(error);
  }
  try {
    return await wait.promise;
  } finally {
    socket.off("connect", established).off("error", failed).off("close", closed);
  }
}

function checkPort(port: number | undefined): number {
  if (Number.isInteger(port) && (port as number) > 0 && (port as number) <= 65_535) return port as number;
  throw new RangeError(`port must be 1 to 65535: ${port}`);
}
