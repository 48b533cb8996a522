import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { type TestContext, test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { bind } from "./bind.ts";
import type { UdpSocket } from "./udp-socket.ts";

failOnLeaks();

/**
 * A group that no other test uses: on Linux a socket on 0.0.0.0 receives every group that any socket of the machine has
 * joined.
 */
const GROUP = `239.255.${process.pid & 0xff}.${(process.pid >> 8) & 0xff}`;
const GROUP6 = `ff02::7777:${(process.pid & 0xffff).toString(16)}`;
const LOOPBACK = { interface: "127.0.0.1" };

/** Sends to the group and returns what arrives, or rejects when nothing does. */
async function heard(socket: UdpSocket, group: string): Promise<string> {
  await socket.send("hello", { host: group, port: socket.address.port });
  return Buffer.from((await socket.receive({ timeoutMs: 30_000 })).data).toString();
}

/** Sends to the group and then to the socket itself, and returns what arrives first: the kernel keeps the order. */
async function heardFirst(socket: UdpSocket, group: string): Promise<string> {
  const { port } = socket.address;
  await socket.send("to the group", { host: group, port });
  await socket.send("to itself", { host: socket.address.host === "::" ? "::1" : "127.0.0.1", port });
  return Buffer.from((await socket.receive({ timeoutMs: 30_000 })).data).toString();
}

/** Skips the test when the loopback interface has no multicast. */
function skipped(t: TestContext, error: unknown): undefined {
  t.skip(`no multicast here: ${error instanceof Error ? error.message : error}`);
}

test("UdpSocket.joinMulticast() receives the group until leaveMulticast()", async (t) => {
  await using socket = await bind({ host: "0.0.0.0", multicastInterface: "127.0.0.1", multicastTtl: 0 });
  try {
    socket.joinMulticast(GROUP, LOOPBACK);
    socket.joinMulticast(GROUP, LOOPBACK);
  } catch (error) {
    return skipped(t, error);
  }
  assert.equal(await heard(socket, GROUP), "hello");
  socket.leaveMulticast(GROUP, LOOPBACK);
  socket.leaveMulticast(GROUP, LOOPBACK);
  assert.equal(await heardFirst(socket, GROUP), "to itself");
});

test("bind() with multicastLoopback false sends nothing to members on this machine", async (t) => {
  // The loopback interface itself would return them.
  const name = Object.entries(networkInterfaces()).find(([, addresses = []]) =>
    addresses.some(({ family, internal }) => family === "IPv4" && !internal),
  )?.[0];
  if (name === undefined) return t.skip("no IPv4 interface but the loopback one");
  // With TTL 0 nothing leaves the machine.
  const options = { host: "0.0.0.0", multicastInterface: name, multicastTtl: 0 };
  await using loud = await bind(options);
  await using silent = await bind({ ...options, multicastLoopback: false });
  try {
    for (const socket of [loud, silent]) socket.joinMulticast(GROUP, { interface: name });
    await heard(loud, GROUP);
  } catch (error) {
    return skipped(t, error);
  }
  assert.equal(await heardFirst(silent, GROUP), "to itself");
});

test("UdpSocket.joinMulticast() works over IPv6 with the name of an interface", async (t) => {
  const name = Object.entries(networkInterfaces()).find(([, addresses = []]) =>
    addresses.some(({ family, address }) => family === "IPv6" && address.startsWith("fe80:")),
  )?.[0];
  if (name === undefined) return t.skip("no interface with a link-local IPv6 address");
  await using socket = await bind({ host: "::", multicastInterface: name });
  try {
    socket.joinMulticast(GROUP6, { interface: name });
    assert.equal(await heard(socket, GROUP6), "hello");
    socket.leaveMulticast(GROUP6, { interface: name });
    assert.equal(await heardFirst(socket, GROUP6), "to itself");
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    skipped(t, error);
  }
});

/** Spellings of the same group and interface, on a socket of this host. */
const SPELLINGS: readonly [host: string, groups: readonly string[], interfaces: readonly (string | undefined)[]][] = [
  ["0.0.0.0", [GROUP], ["lo", "127.0.0.1", "::1", "0:0:0:0:0:0:0:1"]],
  ["::", [GROUP6, GROUP6.toUpperCase(), GROUP6.replace("::", ":0:0:0:0:0:")], ["lo", "::1", "0::1", "127.0.0.1"]],
];

for (const [host, groups, interfaces] of SPELLINGS) {
  test(`UdpSocket.joinMulticast() on ${host} joins once and leaves in any spelling of group and interface`, {
    skip: process.platform !== "linux" && "the kernel's count is read from /proc",
  }, async (t) => {
    await using socket = await bind({ host }).catch((error: Error) => {
      t.skip(`cannot bind ${host}: ${error.message}`);
      return bind();
    });
    if (socket.address.host !== host) return;
    const members = (): number => membershipsOf(groups[0] as string);
    const spellings = groups.flatMap((group) => interfaces.map((name) => [group, { interface: name }] as const));
    try {
      socket.joinMulticast(...(spellings[0] as (typeof spellings)[0]));
    } catch (error) {
      return skipped(t, error);
    }
    const joined = members();
    for (const [group, options] of spellings) {
      for (const [again, others] of spellings) socket.joinMulticast(again, others);
      assert.equal(members(), joined);
      socket.leaveMulticast(group, options);
      assert.equal(members(), joined - 1, `${group} ${options.interface}`);
      socket.leaveMulticast(group, options);
      socket.joinMulticast(group, options);
      assert.equal(members(), joined);
    }
  });
}

test("UdpSocket.joinMulticast() accepts the default interface and then its name", async (t) => {
  await using socket = await bind({ host: "0.0.0.0" });
  try {
    for (const name of [undefined, ...Object.keys(networkInterfaces())]) {
      for (let times = 0; times < 2; times += 1) socket.joinMulticast(GROUP, { interface: name });
    }
  } catch (error) {
    return skipped(t, error);
  }
});

/** Number of sockets of this machine in the group on its loopback interface, as the kernel counts them. */
function membershipsOf(group: string): number {
  if (group.includes(":")) {
    const hex = group.replace(/^ff02::7777:/, "").padStart(4, "0");
    const line = readFileSync("/proc/net/igmp6", "utf8").match(
      new RegExp(`^\\d+\\s+lo\\s+ff02.*7777${hex} +(\\d+)`, "m"),
    );
    return Number(line?.[1] ?? 0);
  }
  const hex = group
    .split(".")
    .reverse()
    .map((byte) => Number(byte).toString(16).padStart(2, "0"))
    .join("");
  const [, ofLoopback = ""] = readFileSync("/proc/net/igmp", "utf8").split(/^\d+\s+lo\b/m);
  const line = (ofLoopback.split(/^\d/m)[0] as string).match(new RegExp(`^\\s+${hex.toUpperCase()}\\s+(\\d+)`, "m"));
  return Number(line?.[1] ?? 0);
}

test("UdpSocket.request() with anySender accepts an answer from a multicast group", async (t) => {
  await using member = await bind({ host: "0.0.0.0" });
  await using client = await bind({ host: "127.0.0.1", multicastInterface: "127.0.0.1" });
  try {
    member.joinMulticast(GROUP, LOOPBACK);
  } catch (error) {
    return skipped(t, error);
  }
  const to = { host: GROUP, port: member.address.port };
  const answer = client.request("who?", to, { anySender: true, matches: ({ data }) => data.length === 2 });
  await member.send("me", (await member.receive({ timeoutMs: 5_000 })).from);
  assert.equal((await answer).from.host, "127.0.0.1");
});

test("UdpSocket.joinMulticast() throws for an invalid group or interface, and on a closed socket", async () => {
  const socket = await bind({ host: "127.0.0.1" });
  for (const group of ["127.0.0.1", "ff02::1", "group.test", "239.1.1", "", "239.1.1.1%lo"]) {
    assert.throws(() => socket.joinMulticast(group), TypeError);
    assert.throws(() => socket.leaveMulticast(group), TypeError);
  }
  for (const name of ["nope77", "192.0.2.253%lo", "fe80::dead", "::1%nope77", ""]) {
    assert.throws(() => socket.joinMulticast(GROUP, { interface: name }), { code: "address-not-available" });
  }
  assert.throws(() => socket.joinMulticast(GROUP, { interface: "nope77" }), {
    code: "address-not-available",
    message: `Cannot join the multicast group ${GROUP}: no interface nope77 with an IPv4 address`,
  });
  await socket.close();
  assert.throws(() => socket.joinMulticast(GROUP), { code: "closed" });
  assert.throws(() => socket.leaveMulticast(GROUP), { code: "closed" });
});
