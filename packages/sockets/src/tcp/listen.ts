import { Listener } from "./listener.ts";
import type { ListenOptions } from "./server-sockets.ts";

/**
 * Listens for connections, to be taken one by one: `accept()`, or `for await (const connection of listener)`.
 * For a function per connection, see {@link serve}.
 *
 * @throws {SocketError} `address-in-use`, `address-not-available`, `permission`; `tls` when certificate and key are none.
 * @throws {TypeError} when the path is empty or contains NUL.
 * @throws {RangeError} when an option is no port, no time, or a number that would hold nothing back, or the path is too long.
 *
 * @example
 * ```ts
 * import { connect, listen } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * await using listener = await listen({ host: "127.0.0.1" });
 * const client = await connect(listener.address);
 * const connection = await listener.accept({ timeoutMs: 5_000 });
 * await client.write("hello");
 * assert.equal(Buffer.from(await connection.readExactly(5)).toString(), "hello");
 * await Promise.all([client.close(), connection.close()]);
 * ```
 */
export function listen(options: ListenOptions = {}): Promise<Listener> {
  return Listener.open(options);
}
