import type dgram from "node:dgram";
import type { LookupFunction } from "node:net";
import { attempt, interfaceAddressOf } from "./multicast.ts";

/** Options for {@link bind}. */
export interface UdpSocketOptions {
  /**
   * A host name or an IP address, which decides the family. `0.0.0.0` and `::` are all interfaces.
   *
   * @default "localhost"
   */
  readonly host?: string | undefined;
  /** The port; 0 for a free one. @default 0 */
  readonly port?: number | undefined;
  /** Maximum number of queued datagrams. When it is reached, the oldest is dropped and counted. @default 1024 */
  readonly queueMax?: number | undefined;
  /** Lets several sockets share the port. @default false */
  readonly reuseAddress?: boolean | undefined;
  /** A socket on `::` uses IPv6 only: other sockets can use the port on IPv4. @default false */
  readonly ipv6Only?: boolean | undefined;
  /** Looks names up instead of `dns.lookup`. */
  readonly lookup?: LookupFunction | undefined;
  /** Allows sending to a broadcast address, which otherwise fails with `permission`. IPv4 only. @default false */
  readonly broadcast?: boolean | undefined;
  /** Maximum number of hops of a datagram, 1 to 255. @default the system's, usually 64 */
  readonly ttl?: number | undefined;
  /**
   * Maximum number of hops of a datagram to a multicast group, 0 (this machine) to 255.
   *
   * @default 1 (the local network)
   */
  readonly multicastTtl?: number | undefined;
  /** Whether members of the group on this machine receive what this socket sends. @default true */
  readonly multicastLoopback?: boolean | undefined;
  /**
   * The interface for datagrams to multicast groups: its name, or one of its addresses.
   *
   * @default the system's choice
   */
  readonly multicastInterface?: string | undefined;
  /**
   * Size of the kernel's receive buffer, in bytes. The kernel silently drops datagrams that do not fit. It may use a
   * smaller size (on Linux `net.core.rmem_max`): see `UdpSocket.receiveBufferBytes`.
   *
   * @default the system's
   */
  readonly receiveBufferBytes?: number | undefined;
  /** Size of the kernel's send buffer, in bytes. The kernel may use a smaller size. @default the system's */
  readonly sendBufferBytes?: number | undefined;
}

/** @throws {RangeError} when an option is out of range. */
export function checkOptions(options: UdpSocketOptions): void {
  const { port = 0, queueMax = 1 } = options;
  checkInteger("port", port, 0, 65_535);
  if (!(queueMax >= 1)) throw new RangeError(`queueMax must be 1 or more: ${queueMax}`);
  checkInteger("ttl", options.ttl, 1, 255);
  checkInteger("multicastTtl", options.multicastTtl, 0, 255);
  checkInteger("receiveBufferBytes", options.receiveBufferBytes, 1, 2 ** 31 - 1);
  checkInteger("sendBufferBytes", options.sendBufferBytes, 1, 2 ** 31 - 1);
}

/** Sets the options that need a bound socket. */
export function applyOptions(socket: dgram.Socket, family: 4 | 6, options: UdpSocketOptions): void {
  const { broadcast, ttl, multicastTtl, multicastLoopback, multicastInterface } = options;
  const { receiveBufferBytes, sendBufferBytes } = options;
  const set = (name: keyof UdpSocketOptions, run: () => void): void => attempt(`Cannot set ${name}`, "bind", run);
  if (broadcast !== undefined) set("broadcast", () => socket.setBroadcast(broadcast));
  if (ttl !== undefined) set("ttl", () => socket.setTTL(ttl));
  if (multicastTtl !== undefined) set("multicastTtl", () => socket.setMulticastTTL(multicastTtl));
  if (multicastLoopback !== undefined) set("multicastLoopback", () => socket.setMulticastLoopback(multicastLoopback));
  if (multicastInterface !== undefined) {
    const address = interfaceAddressOf(multicastInterface, family, "Cannot set multicastInterface");
    set("multicastInterface", () => socket.setMulticastInterface(address));
  }
  if (receiveBufferBytes !== undefined) {
    set("receiveBufferBytes", () => socket.setRecvBufferSize(receiveBufferBytes));
  }
  if (sendBufferBytes !== undefined) set("sendBufferBytes", () => socket.setSendBufferSize(sendBufferBytes));
}

function checkInteger(name: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
  throw new RangeError(`${name} must be ${min} to ${max}: ${value}`);
}
