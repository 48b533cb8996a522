import { Listener } from "./listener.ts";
import type { ListenOptions } from "./server-sockets.ts";

/**
 * Listens for connections, to be taken one by one: `accept()`, or `for await (const connection of listener)`.
 * For a function per connection, see {@link serve}.
 *
 * @throws {SocketError} `address-in-use`, `address-not-available`, `permission`.
 *
 * @example
 * ```ts
 * import { connect, listen } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * await using listener = await listen({ host: "127.0.0.1" });
 * await using client = await connect(listener.address);
 * await using connection = await listener.accept();
 * await client.write("hello");
 * assert.equal(Buffer.from(await connection.readExactly(5)).toString(), "hello");
 * ```
 */
export function listen(options: ListenOptions = {}): Promise<Listener> {
  return Listener.open(options);
}
