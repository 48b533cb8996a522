import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { type TestContext, test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { bind } from "./bind.ts";
import type { UdpSocket } from "./udp-socket.ts";

failOnLeaks();

/** Nobody else's: on Linux a socket on 0.0.0.0 hears every group that any socket of the machine is in. */
const GROUP = `239.255.${process.pid & 0xff}.${(process.pid >> 8) & 0xff}`;
const GROUP6 = `ff02::7777:${(process.pid & 0xffff).toString(16)}`;
const LOOPBACK = { interface: "127.0.0.1" };
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Sends to the group and gives what comes, or rejects when nothing does. */
async function heard(socket: UdpSocket, group: string): Promise<string> {
  await socket.send("hello", { host: group, port: socket.address.port });
  return Buffer.from((await socket.receive({ timeoutMs: 2_000 })).data).toString();
}

/** Sends to the group and says what has come within some turns, if anything. */
async function hears(socket: UdpSocket, group: string): Promise<string | undefined> {
  await socket.send("hello", { host: group, port: socket.address.port });
  const controller = new AbortController();
  const received = socket.receive({ signal: controller.signal }).then(
    ({ data }) => Buffer.from(data).toString(),
    () => undefined,
  );
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  controller.abort();
  return await received;
}

/** Skips, visibly, where the machine has no multicast on its loopback interface. */
function skipped(t: TestContext, error: unknown): undefined {
  t.skip(`no multicast here: ${error instanceof Error ? error.message : error}`);
}

test("UdpSocket.joinMulticast() hears the group, leaveMulticast() does not", async (t) => {
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
  assert.equal(await hears(socket, GROUP), undefined);
});

test("bind() with multicastLoopback false keeps datagrams from this machine's members", async (t) => {
  // The loopback interface itself would bring them back.
  const name = Object.entries(networkInterfaces()).find(([, addresses = []]) =>
    addresses.some(({ family, internal }) => family === "IPv4" && !internal),
  )?.[0];
  if (name === undefined) return t.skip("no IPv4 interface but the loopback one");
  // With a TTL of 0 nothing leaves the machine.
  const options = { host: "0.0.0.0", multicastInterface: name, multicastTtl: 0 };
  await using loud = await bind(options);
  await using silent = await bind({ ...options, multicastLoopback: false });
  try {
    for (const socket of [loud, silent]) socket.joinMulticast(GROUP, { interface: name });
    await heard(loud, GROUP);
  } catch (error) {
    return skipped(t, error);
  }
  assert.equal(await hears(silent, GROUP), undefined);
});

test("UdpSocket.joinMulticast() speaks IPv6 and takes the name of an interface", async (t) => {
  const name = Object.entries(networkInterfaces()).find(([, addresses = []]) =>
    addresses.some(({ family, address }) => family === "IPv6" && address.startsWith("fe80:")),
  )?.[0];
  if (name === undefined) return t.skip("no interface with a link-local IPv6 address");
  await using socket = await bind({ host: "::", multicastInterface: name });
  try {
    socket.joinMulticast(GROUP6, { interface: name });
    assert.equal(await heard(socket, GROUP6), "hello");
    socket.leaveMulticast(GROUP6, { interface: name });
    assert.equal(await hears(socket, GROUP6), undefined);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    skipped(t, error);
  }
});

test("UdpSocket.request() with anySender asks a group", async (t) => {
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

test("UdpSocket.joinMulticast() rejects what is no group, no interface, or on a closed socket", async () => {
  const socket = await bind({ host: "127.0.0.1" });
  for (const group of ["127.0.0.1", "ff02::1", "group.test", "239.1.1", ""]) {
    assert.throws(() => socket.joinMulticast(group), TypeError);
    assert.throws(() => socket.leaveMulticast(group), TypeError);
  }
  assert.throws(() => socket.joinMulticast(GROUP, { interface: "nope77" }), {
    code: "address-not-available",
    message: `Cannot join the multicast group ${GROUP}: no interface nope77 with an IPv4 address`,
  });
  await socket.close();
  assert.throws(() => socket.joinMulticast(GROUP), { code: "closed" });
  assert.throws(() => socket.leaveMulticast(GROUP), { code: "closed" });
});
