import { Listener } from "./listener.ts";
import type { ListenOptions } from "./server-sockets.ts";

/**
 * Listens for connections and returns a listener that hands them out one by one, through `accept()` or `for await
 * (const connection of listener)`. {@link serve} calls a function for each connection instead.
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
