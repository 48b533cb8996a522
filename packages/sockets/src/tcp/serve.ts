import type { ConnectionHandlers } from "./connection-handlers.ts";
import { type ConnectionHandler, Server } from "./server.ts";
import type { ListenOptions } from "./server-sockets.ts";

/**
 * Accepts connections and serves each one with a function or with event handlers. A function reads, answers and
 * returns: it is simple to write. Event handlers need no promise per read: use them where speed counts.
 *
 * A function or handler that throws ends its own connection and is reported to `onError`. It never ends the process. A
 * peer that resets its connection is not a failure of the function and is not reported.
 *
 * @throws {SocketError} `address-in-use` when another socket has the address.
 * @throws {SocketError} `address-not-available` when this machine does not have the address.
 * @throws {SocketError} `name-not-found` or `name-lookup-failed` when `host` is a name that cannot be looked up.
 * @throws {SocketError} `permission` when the system refuses the address.
 * @throws {SocketError} `tls` when the certificate or key is missing or invalid.
 * @throws {TypeError} when the path is empty or contains NUL.
 * @throws {RangeError} when the path is too long, `port` is not 0 to 65535, a time is not 0 to 2^31 - 1 or `Infinity`,
 * or a limit is out of range.
 *
 * @example
 * ```ts
 * import { connect, serve } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * await using server = await serve({ port: 0 }, { data: (connection, chunk) => void connection.send(chunk) });
 * await using connection = await connect(server.address);
 * await connection.write("hello");
 * assert.equal(Buffer.from(await connection.readExactly(5)).toString(), "hello");
 * ```
 */
export function serve(options: ListenOptions, handler: ConnectionHandler | ConnectionHandlers): Promise<Server> {
  return Server.open(options, handler);
}
