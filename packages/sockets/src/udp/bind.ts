import type { UdpSocketOptions } from "./udp-options.ts";
import { UdpSocket } from "./udp-socket.ts";

/**
 * Opens a UDP socket. Without a port it takes a free one.
 *
 * @throws {SocketError} `address-in-use`, `address-not-available`, `permission`, `name-not-found`.
 * @throws {RangeError} when an option is no port, or a queue that holds nothing.
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
