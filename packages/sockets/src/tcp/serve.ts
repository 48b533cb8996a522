import type { ConnectionHandlers } from "./connection-handlers.ts";
import { type ConnectionHandler, Server } from "./server.ts";
import type { ListenOptions } from "./server-sockets.ts";

/**
 * Serves every connection with one asynchronous function (simple to write: read, answer, return), or with one set of
 * event handlers (no promise per read; for servers where speed counts).
 *
 * A function that throws, or a handler that throws, ends its own connection and is reported to `onError`; never the
 * process. A peer that resets its connection is no failure of the handler and is not reported.
 *
 * @throws {SocketError} `address-in-use`, `address-not-available`, `permission`; `tls` when certificate and key are none.
 * @throws {TypeError} when the path is empty or contains NUL.
 * @throws {RangeError} when an option is no port, no time, or a number that would hold nothing back, or the path is too long.
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
