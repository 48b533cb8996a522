import type { UdpSocketOptions } from "./udp-options.ts";
import { UdpSocket } from "./udp-socket.ts";

/**
 * Opens a UDP socket, on a free port unless `port` is given.
 *
 * @throws {SocketError} `address-in-use` when another socket has the address.
 * @throws {SocketError} `address-not-available` when this machine does not have the address, or there is no such
 * interface.
 * @throws {SocketError} `permission` when the system refuses the address.
 * @throws {SocketError} `name-not-found` or `name-lookup-failed` when `host` cannot be looked up.
 * @throws {RangeError} when an option is out of range.
 *
 * @example
 * ```ts
 * import { bind } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * await using one = await bind({ host: "127.0.0.1" });
 * await using other = await bind({ host: "127.0.0.1" });
 * await one.send("hello", other.address);
 * const { data, from } = await other.receive({ timeoutMs: 5_000 });
 * assert.equal(Buffer.from(data).toString(), "hello");
 * assert.equal(from.port, one.address.port);
 * ```
 */
export function bind(options: UdpSocketOptions = {}): Promise<UdpSocket> {
  return UdpSocket.open(options);
}
