import { isIPv6, SocketAddress } from "node:net";

/** The address of a datagram socket or of a destination. `host` is a name or an IP address. */
export interface UdpAddress {
  readonly host: string;
  readonly port: number;
}

/** @throws {TypeError} when `host` is not a string. @throws {RangeError} when `port` is not 1 to 65535. */
export function checkPeer({ host, port }: UdpAddress): void {
  if (typeof host !== "string") throw new TypeError(`host must be a name or an address: ${host}`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new RangeError(`port must be 1 to 65535: ${port}`);
}

/** Returns the spelling of an address that the kernel uses for senders, without the IPv6 scope (`%eth0`). */
export function canonicalHost(address: string): string {
  if (!isIPv6(address)) return address;
  const [withoutScope = address] = address.split("%", 1);
  return new SocketAddress({ address: withoutScope, family: "ipv6" }).address;
}
