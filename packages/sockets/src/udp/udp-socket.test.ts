import assert from "node:assert/strict";
import diagnostics from "node:diagnostics_channel";
import { getEventListeners } from "node:events";
import type { LookupFunction } from "node:net";
import { test } from "node:test";
import { arrivals, watchDatagramSockets } from "../../../../test/datagram-sockets.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { until } from "../../../../test/until.ts";
import type { StateChange } from "../state.ts";
import { bind } from "./bind.ts";
import type { Datagram } from "./datagram.ts";
import type { UdpSocket } from "./udp-socket.ts";

failOnLeaks();

const HOST = { host: "127.0.0.1" };
const text = ({ data }: Datagram): string => Buffer.from(data).toString();
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function openEcho(socket: UdpSocket): Promise<void> {
  for await (const { data, from } of socket) await socket.send(data, from);
}

/** Waits until the socket has dropped this many. */
function dropped(socket: UdpSocket, count: number): Promise<void> {
  return until(
    () => socket.dropped >= count,
    () => `${socket.dropped} of ${count} datagrams were dropped`,
  );
}

test("bind() opens a free port on localhost, IPv4 if there is a choice", async () => {
  await using socket = await bind();
  assert.equal(socket.state, "bound");
  assert.equal(socket.address.host, "127.0.0.1");
  assert.ok(socket.address.port > 0);
  assert.equal(socket.remote, undefined);
});

test("UdpSocket receives complete datagrams with their sender", async () => {
  await using server = await bind(HOST);
  const echoing = openEcho(server);
  await using client = await bind(HOST);
  for (const message of ["hello", "", "grüße", "x".repeat(9_000)]) {
    await client.send(message, server.address);
    const datagram = await client.receive({ timeoutMs: 5_000 });
    assert.equal(text(datagram), message);
    assert.deepEqual(datagram.from, server.address);
  }
  await client.send(Uint8Array.of(1, 2, 3).subarray(1), server.address);
  assert.deepEqual([...(await client.receive()).data], [2, 3]);
  await server.close();
  await echoing;
});

test("UdpSocket sends to a name", async () => {
  await using server = await bind();
  await using client = await bind();
  await client.send("hello", { host: "localhost", port: server.address.port });
  assert.equal(text(await server.receive()), "hello");
});

test("UdpSocket works over IPv6", async (t) => {
  const server = await bind({ host: "::1" }).catch((error: Error) =>
    t.skip(`no IPv6 loopback address: ${error.message}`),
  );
  if (server === undefined) return;
  const echoing = openEcho(server);
  await using client = await bind({ host: "::1" });
  await client.send("six", server.address);
  const { data, from } = await client.receive();
  assert.equal(Buffer.from(data).toString(), "six");
  assert.equal(from.host, "::1");
  await client.connect(server.address);
  await client.send("connected");
  assert.equal(text(await client.receive()), "connected");
  await server.close();
  await echoing;
});

test("UdpSocket.receive() returns datagrams in order, queued or awaited", async () => {
  await using receiver = await bind(HOST);
  await using sender = await bind(HOST);
  const waiting = [receiver.receive(), receiver.receive()];
  for (const message of ["a", "b", "c", "d"]) await sender.send(message, receiver.address);
  const received = [...(await Promise.all(waiting)), await receiver.receive(), await receiver.receive()];
  assert.deepEqual(received.map(text), ["a", "b", "c", "d"]);
});

test("UdpSocket drops the oldest datagrams above queueMax and counts them", async () => {
  await using receiver = await bind({ ...HOST, queueMax: 3 });
  await using sender = await bind(HOST);
  for (let i = 1; i <= 5; i += 1) await sender.send(String(i), receiver.address);
  await dropped(receiver, 2);
  assert.equal(receiver.dropped, 2);
  const kept = [await receiver.receive(), await receiver.receive(), await receiver.receive()];
  assert.deepEqual(kept.map(text), ["3", "4", "5"]);
  const next = receiver.receive();
  await sender.send("6", receiver.address);
  assert.equal(text(await next), "6");
  assert.equal(receiver.dropped, 2);
});

test("UdpSocket queues 1,024 datagrams by default", async () => {
  await using receiver = await bind(HOST);
  await using sender = await bind(HOST);
  // In steps, so that the kernel's own buffer does not overflow.
  for (let i = 0; i < 1_030; i += 1) {
    await sender.send(String(i), receiver.address);
    if (i % 32 === 31) await arrivals();
  }
  await dropped(receiver, 6);
  assert.equal(receiver.dropped, 6);
  assert.equal(text(await receiver.receive()), "6");
});

test("UdpSocket.send() accepts 65,507 bytes and rejects one more", async () => {
  await using receiver = await bind(HOST);
  await using sender = await bind(HOST);
  await sender.send(Buffer.alloc(65_507, "x"), receiver.address);
  assert.equal((await receiver.receive()).data.length, 65_507);
  await assert.rejects(sender.send(Buffer.alloc(65_508), receiver.address), {
    code: "message-too-long",
    message: `Cannot send to 127.0.0.1:${receiver.address.port}: 65508 bytes exceed the 65507 of a datagram`,
  });
  await assert.rejects(sender.send("é".repeat(32_754), receiver.address), { code: "message-too-long" });
});

test("UdpSocket.send() accepts 65,527 bytes over IPv6, 65,507 to an IPv4 address, and rejects one more", async (t) => {
  const six = await bind({ host: "::1" }).catch((error: Error) => t.skip(`no IPv6 loopback address: ${error.message}`));
  if (six === undefined) return;
  await using receiver = six;
  await using four = await bind(HOST);
  await using sender = await bind({ host: "::" });
  for (const [to, bytesMax] of [
    [receiver.address, 65_527],
    [four.address, 65_507],
    [{ host: `::ffff:${four.address.host}`, port: four.address.port }, 65_507],
    [{ host: "0:0:0:0:0:ffff:7f00:1", port: four.address.port }, 65_507],
  ] as const) {
    const listener = to === receiver.address ? receiver : four;
    for (const isTried of [false, true]) {
      if (isTried) assert.equal(sender.trySend(Buffer.alloc(bytesMax), to), true);
      else await sender.send(Buffer.alloc(bytesMax), to);
      assert.equal((await listener.receive({ timeoutMs: 30_000 })).data.length, bytesMax);
    }
    const tooLong = Buffer.alloc(bytesMax + 1);
    assert.equal(sender.trySend(tooLong, to), false);
    await assert.rejects(sender.send(tooLong, to), {
      code: "message-too-long",
      message: new RegExp(`: ${bytesMax + 1} bytes exceed the ${bytesMax} of a datagram$`),
    });
  }
});

test("UdpSocket on :: can send, request and connect to IPv4 addresses and IPv4-only names", async (t) => {
  const lookup: LookupFunction = (host, _options, done) =>
    done(
      null,
      (host === "four.test" ? ["127.0.0.1"] : ["127.0.0.1", "::1"]).map((address) => ({
        address,
        family: address === "::1" ? 6 : 4,
      })),
    );
  const opened = await bind({ host: "::", lookup }).catch((error: Error) => t.skip(`no IPv6: ${error.message}`));
  if (opened === undefined) return;
  await using client = opened;
  await using server = await bind(HOST);
  server.handle({ datagram: (socket, { data, from }) => void socket.trySend(data, from) });
  const { port } = server.address;
  const from = { host: "::ffff:127.0.0.1", port };
  for (const host of ["127.0.0.1", "::ffff:127.0.0.1", "four.test"]) {
    await client.send("sent", { host, port });
    assert.deepEqual((await client.receive({ timeoutMs: 30_000 })).from, from, host);
    assert.equal(client.trySend("tried", { host, port }), true);
    assert.equal(text(await client.receive({ timeoutMs: 30_000 })), "tried");
    assert.deepEqual((await client.request("asked", { host, port })).from, from, host);
    await client.connect({ host, port });
    assert.deepEqual(client.remote, from);
    await client.send("to the peer", { host, port });
    assert.equal(text(await client.receive({ timeoutMs: 30_000 })), "to the peer");
    await client.disconnect();
  }
  // A name with an IPv6 address uses that one.
  await client.connect({ host: "both.test", port });
  assert.equal(client.remote?.host, "::1");
});

test("UdpSocket on one IPv6 address, or with ipv6Only, sends to no IPv4 address", async (t) => {
  for (const options of [{ host: "::1" }, { host: "::", ipv6Only: true }]) {
    const opened = await bind(options).catch((error: Error) => t.skip(`no IPv6: ${error.message}`));
    if (opened === undefined) return;
    await using socket = opened;
    await assert.rejects(socket.send("x", { ...HOST, port: 9 }), {
      code: "name-not-found",
      message: "Cannot send to 127.0.0.1:9: it is not an IPv6 address, and the socket is IPv6",
    });
    assert.equal(socket.trySend("x", { ...HOST, port: 9 }), false);
  }
});

test("UdpSocket.send() yields to the event loop every 32 datagrams", async () => {
  await using receiver = await bind(HOST);
  await using sender = await bind(HOST);
  let turns = 0;
  let isSending = true;
  const count = (): void => {
    turns += 1;
    if (isSending) setImmediate(count);
  };
  setImmediate(count);
  for (let i = 0; i < 640; i += 1) await sender.send("x", receiver.address);
  isSending = false;
  assert.ok(turns >= 19, `only ${turns} turns of the event loop`);
  await nextTurn();
});

test("UdpSocket.send() needs an address unless the socket is connected", async () => {
  await using socket = await bind(HOST);
  await assert.rejects(socket.send("x"), TypeError);
});

test("UdpSocket.send() rejects invalid addresses", async () => {
  await using socket = await bind(HOST);
  for (const port of [0, -1, 65_536, Number.NaN]) await assert.rejects(socket.send("x", { ...HOST, port }), RangeError);
  for (const port of [0, 65_536]) await assert.rejects(socket.connect({ ...HOST, port }), RangeError);
});

test("bind() rejects invalid ports", async () => {
  for (const port of [-1, 65_536, 0.5, Number.NaN]) await assert.rejects(bind({ ...HOST, port }), RangeError);
});

test("bind() rejects an invalid queueMax", async () => {
  for (const queueMax of [0, -1, Number.NaN]) await assert.rejects(bind({ ...HOST, queueMax }), RangeError);
});

test("bind() rejects an address in use, and an address of another machine", async () => {
  await using socket = await bind(HOST);
  await assert.rejects(bind(socket.address), {
    code: "address-in-use",
    message: new RegExp(`^Cannot bind 127\\.0\\.0\\.1:${socket.address.port}: the address is already in use`),
  });
  await assert.rejects(bind({ host: "192.0.2.254" }), { code: "address-not-available" });
});

test("bind() with reuseAddress shares a port", async () => {
  await using first = await bind({ ...HOST, reuseAddress: true });
  await using second = await bind({ ...first.address, reuseAddress: true });
  assert.deepEqual(second.address, first.address);
});

test("UdpSocket.receive() loses no datagram when it times out or is aborted", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using receiver = await bind(HOST);
  await using sender = await bind(HOST);
  const controller = new AbortController();
  const { signal } = controller;
  const timedOut = assert.rejects(receiver.receive({ timeoutMs: 100 }), { code: "timeout" });
  const aborted = assert.rejects(receiver.receive({ signal }), /enough/);
  const waiting = receiver.receive();
  t.mock.timers.tick(100);
  controller.abort(new Error("enough"));
  await Promise.all([timedOut, aborted]);
  await assert.rejects(receiver.receive({ signal }), /enough/);
  await sender.send("first", receiver.address);
  await sender.send("second", receiver.address);
  assert.equal(text(await waiting), "first");
  assert.equal(text(await receiver.receive()), "second");
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("UdpSocket.receive() rejects invalid times", async () => {
  await using socket = await bind(HOST);
  await assert.rejects(socket.receive({ timeoutMs: Number.NaN }), RangeError);
});

test("UdpSocket.close() rejects receive() with closed, ends iteration and is idempotent", async () => {
  const socket = await bind(HOST);
  const { address } = socket;
  const received = assert.rejects(socket.receive(), { code: "closed" });
  const other = await bind(HOST);
  const iterated = Array.fromAsync(other);
  await Promise.all([socket.close(), socket.close(), other.close()]);
  await received;
  assert.deepEqual(await iterated, []);
  assert.equal(socket.state, "closed");
  await assert.rejects(socket.receive(), { code: "closed" });
  await assert.rejects(socket.send("x", address), { code: "closed", message: /the socket is closed$/ });
  await assert.rejects(socket.connect(address), { code: "closed" });
  assert.deepEqual(await Array.fromAsync(socket), []);
  await socket.close();
  await using again = await bind(address);
  assert.deepEqual(again.address, address);
});

test("UdpSocket.close() settles send() and connect() at any moment", async () => {
  for (let microtasks = 0; microtasks < 12; microtasks += 1) {
    for (const isConnecting of [false, true]) {
      const receiver = await bind(HOST);
      const socket = await bind(HOST);
      const operation = isConnecting ? socket.connect(receiver.address) : socket.send("x", receiver.address);
      const settled = operation.then(
        () => "done",
        (error: { code: string }) => error.code,
      );
      for (let i = 0; i < microtasks; i += 1) await Promise.resolve();
      await socket.close();
      assert.match(String(await settled), /^(done|closed)$/, `closed after ${microtasks} microtasks`);
      await receiver.close();
    }
  }
});

test("UdpSocket.connect() receives from the peer only", async () => {
  await using server = await bind(HOST);
  await using stranger = await bind(HOST);
  await using client = await bind(HOST);
  await client.connect(server.address);
  assert.deepEqual(client.remote, server.address);
  await client.send("hello");
  const { from } = await server.receive();
  assert.deepEqual(from, client.address);
  await stranger.send("not for you", client.address);
  await server.send("for you", from);
  assert.equal(text(await client.receive()), "for you");

  await client.connect(stranger.address);
  await client.send("now you");
  assert.equal(text(await stranger.receive()), "now you");
});

test("UdpSocket.connect() leads to refused when the peer's port is closed", async () => {
  const gone = await bind(HOST);
  const { address } = gone;
  await gone.close();
  await using client = await bind(HOST);
  await client.connect(address);
  const refused = assert.rejects(client.receive(), { code: "refused" });
  await client.send("anybody?");
  await refused;
  // Nothing waits when the error arrives: the next call gets it, once.
  await client.send("anybody?");
  await arrivals();
  await assert.rejects(client.receive(), { code: "refused" });
  assert.equal(client.state, "bound");
});

test("UdpSocket stays open after an error that belongs to no call", async (t) => {
  const sockets = watchDatagramSockets(t);
  await using socket = await bind(HOST);
  const received = assert.rejects(socket.receive(), { code: "system", message: /odd$/ });
  sockets[0]?.emit("error", new Error("odd"));
  await received;
});

test("UdpSocket leaks no listener over 10,000 operations on one signal", async () => {
  const { signal } = new AbortController();
  await using receiver = await bind(HOST);
  await using sender = await bind(HOST);
  for (let round = 0; round < 100; round += 1) {
    const waits = Array.from({ length: 50 }, () => receiver.receive({ signal }));
    for (let i = 0; i < 50; i += 1) await sender.send("x", receiver.address);
    await Promise.all(waits);
  }
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("UdpSocket publishes its state changes", async () => {
  const changes: StateChange[] = [];
  const collect = (change: unknown): void => void changes.push(change as StateChange);
  diagnostics.subscribe("landline:datagram", collect);
  try {
    const socket = await bind(HOST);
    await socket.close();
    assert.deepEqual(
      changes.map(({ from, to }) => `${from} ${to}`),
      ["created bound", "bound closing", "closing closed"],
    );
    assert.deepEqual(changes[0]?.local, socket.address);
  } finally {
    diagnostics.unsubscribe("landline:datagram", collect);
  }
});

test("UdpSocket.unref() lets the process exit, ref() does not", async () => {
  await using socket = await bind(HOST);
  const isHeld = (): boolean => process.getActiveResourcesInfo().some((name) => name.startsWith("UDP"));
  assert.equal(isHeld(), true);
  socket.unref();
  assert.equal(isHeld(), false);
  socket.ref();
  assert.equal(isHeld(), true);
});
