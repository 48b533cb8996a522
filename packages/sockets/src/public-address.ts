import { BlockList, isIP } from "node:net";

/**
 * IPv4 networks without public hosts: IANA's special-purpose registry (RFC 6890), multicast, and 168.63.129.16, Azure's
 * virtual host address. Two of these networks contain the metadata services 169.254.169.254 and 100.100.100.200.
 */
const SPECIAL_IPV4: readonly (readonly [network: string, bits: number, what: string])[] = [
  ["0.0.0.0", 8, "this network"],
  ["10.0.0.0", 8, "private"],
  ["100.64.0.0", 10, "shared by carriers (CGNAT)"],
  ["127.0.0.0", 8, "loopback"],
  ["168.63.129.16", 32, "Azure's host"],
  ["169.254.0.0", 16, "link-local"],
  ["172.16.0.0", 12, "private"],
  ["192.0.0.0", 24, "protocol assignments"],
  ["192.0.2.0", 24, "documentation"],
  ["192.88.99.0", 24, "6to4 relays"],
  ["192.168.0.0", 16, "private"],
  ["198.18.0.0", 15, "benchmarks"],
  ["198.51.100.0", 24, "documentation"],
  ["203.0.113.0", 24, "documentation"],
  ["224.0.0.0", 4, "multicast"],
  ["240.0.0.0", 4, "reserved, and broadcast"],
];

/** IPv6 networks that can be public: global unicast, and the two forms that reach an IPv4 host. */
const GLOBAL_IPV6: readonly (readonly [network: string, bits: number, what: string])[] = [
  ["2000::", 3, "global unicast"],
  ["::ffff:0:0", 96, "IPv4-mapped"],
  ["64:ff9b::", 96, "NAT64"],
];

/** Parts of the networks above that are not public. */
const SPECIAL_IPV6: readonly (readonly [network: string, bits: number, what: string])[] = [
  ["2001::", 23, "protocol assignments, Teredo"],
  ["2001:db8::", 32, "documentation"],
  ["2002::", 16, "6to4"],
  ["3fff::", 20, "documentation"],
];

const special = new BlockList();
const global = new BlockList();
for (const [network, bits] of GLOBAL_IPV6) global.addSubnet(network, bits, "ipv6");
for (const [network, bits] of SPECIAL_IPV6) special.addSubnet(network, bits, "ipv6");
for (const [network, bits] of SPECIAL_IPV4) {
  // `BlockList` applies an IPv4 rule to IPv4-mapped IPv6 addresses too.
  special.addSubnet(network, bits, "ipv4");
  special.addSubnet(`64:ff9b::${network}`, 96 + bits, "ipv6");
}

/**
 * Whether a public host can have this IP address. False for private, shared (CGNAT), loopback, link-local, multicast,
 * documentation, reserved and cloud metadata addresses, also as IPv4-mapped or NAT64 (`64:ff9b::/96`) IPv6 addresses.
 * False for text that is not an IP address. Use it as `allowAddress` of `connect`, `get` and `request`.
 *
 * It cannot recognize a network's own NAT64 prefix or public addresses of internal hosts: these look public.
 *
 * @example
 * ```ts
 * import { isPublicAddress } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * assert.equal(isPublicAddress("1.1.1.1"), true);
 * assert.equal(isPublicAddress("169.254.169.254"), false);
 * assert.equal(isPublicAddress("::ffff:127.0.0.1"), false);
 * ```
 */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !special.check(address, "ipv4");
    case 6:
      // An address with a zone is link-local.
      return !address.includes("%") && global.check(address, "ipv6") && !special.check(address, "ipv6");
    default:
      return false;
  }
}
