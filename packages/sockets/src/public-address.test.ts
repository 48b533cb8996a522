import assert from "node:assert/strict";
import { test } from "node:test";
import { isPublicAddress } from "./public-address.ts";

/** First and last address of each network that is not public, and their public neighbours. */
const IPV4: readonly (readonly [first: string, last: string, isPublic: boolean])[] = [
  ["0.0.0.0", "0.255.255.255", false],
  ["1.0.0.0", "9.255.255.255", true],
  ["10.0.0.0", "10.255.255.255", false],
  ["11.0.0.0", "100.63.255.255", true],
  ["100.64.0.0", "100.127.255.255", false],
  ["100.128.0.0", "126.255.255.255", true],
  ["127.0.0.0", "127.255.255.255", false],
  ["128.0.0.0", "168.63.129.15", true],
  ["168.63.129.16", "168.63.129.16", false],
  ["168.63.129.17", "169.253.255.255", true],
  ["169.254.0.0", "169.254.255.255", false],
  ["169.255.0.0", "172.15.255.255", true],
  ["172.16.0.0", "172.31.255.255", false],
  ["172.32.0.0", "191.255.255.255", true],
  ["192.0.0.0", "192.0.0.255", false],
  ["192.0.1.0", "192.0.1.255", true],
  ["192.0.2.0", "192.0.2.255", false],
  ["192.0.3.0", "192.88.98.255", true],
  ["192.88.99.0", "192.88.99.255", false],
  ["192.88.100.0", "192.167.255.255", true],
  ["192.168.0.0", "192.168.255.255", false],
  ["192.169.0.0", "198.17.255.255", true],
  ["198.18.0.0", "198.19.255.255", false],
  ["198.20.0.0", "198.51.99.255", true],
  ["198.51.100.0", "198.51.100.255", false],
  ["198.51.101.0", "203.0.112.255", true],
  ["203.0.113.0", "203.0.113.255", false],
  ["203.0.114.0", "223.255.255.255", true],
  ["224.0.0.0", "239.255.255.255", false],
  ["240.0.0.0", "255.255.255.255", false],
];

/** The IPv6 forms that reach an IPv4 host, in several spellings. */
function inIpv6(address: string): readonly string[] {
  const bytes = address.split(".").map(Number) as [number, number, number, number];
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0"));
  const groups = `${hex[0]}${hex[1]}:${hex[2]}${hex[3]}`;
  const mapped = [`::ffff:${address}`, `::FFFF:${groups}`, `0:0:0:0:0:ffff:${groups}`];
  return [...mapped, `64:ff9b::${address}`, `64:ff9b:0:0:0:0:${groups}`];
}

test("isPublicAddress() is right at the edges of each IPv4 network, also in IPv6 form", () => {
  for (const [first, last, isPublic] of IPV4) {
    for (const address of [first, last]) {
      assert.equal(isPublicAddress(address), isPublic, address);
      for (const form of inIpv6(address)) assert.equal(isPublicAddress(form), isPublic, form);
    }
  }
});

test("isPublicAddress() accepts global unicast IPv6 except its special networks", () => {
  const isPublic = [
    "2000::",
    "2001:200::",
    "2001:4860:4860::8888",
    "2606:4700::1",
    "2a00::1",
    "3ffe:ffff::",
    "3fff:1000::",
  ];
  const isNot = [
    ...["::", "::1", "::127.0.0.1", "::ffff:0:127.0.0.1", "100::1", "64:ff9b:1::1", "64:ff9b::1:0:0", "1fff:ffff::"],
    ...["2001::", "2001::1", "2001:2::1", "2001:10::1", "2001:1ff:ffff::", "2001:db8::1", "2001:db8:ffff::"],
    ...["2002::", "2002:7f00:1::", "2002:808:808::1", "2003:0:0:0:0:0:0:1%eth0", "3fff::", "3fff:fff::1", "4000::"],
    ...["5f00::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1", "ffff::"],
  ];
  for (const address of isPublic) assert.equal(isPublicAddress(address), true, address);
  for (const address of isNot) assert.equal(isPublicAddress(address), false, address);
});

test("isPublicAddress() is false for text that is not an address", () => {
  for (const text of [
    "",
    "localhost",
    "1.1.1",
    "1.1.1.1 ",
    "01.1.1.1",
    "0x1.1.1.1",
    "16843009",
    "[::1]",
    "1.1.1.1:80",
  ]) {
    assert.equal(isPublicAddress(text), false, text);
  }
});
