import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import dgram from "node:dgram";
import { getEventListeners, once } from "node:events";
import { type TestContext, test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { bind } from "./bind.ts";
import type { Datagram } from "./datagram.ts";
import type { UdpSocket } from "./udp-socket.ts";

failOnLeaks();

const HOST = { host: "127.0.0.1" };
const text = ({ data }: Datagram): string => Buffer.from(data).toString();
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Mocks timers and fixes the random value in the middle: with 1,500 ms and 4 attempts the waits are 100, 200 and 400
 * ms.
 */
function ownTime(t: TestContext): void {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(Math, "random", () => 0.5);
}

/** No more datagrams arrive: loopback delivers within the turn. */
async function nothingMore(socket: UdpSocket): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
  const controller = new AbortController();
  const waiting = assert.rejects(socket.receive({ signal: controller.signal }), /quiet/);
  controller.abort(new Error("quiet"));
  await waiting;
}

for (const host of ["127.0.0.1", "::1"]) {
  test(`UdpSocket.request() sends again until the third attempt is answered, on ${host}`, async (t) => {
    const opened = await bind({ host }).catch((error: Error) => t.skip(`cannot bind ${host}: ${error.message}`));
    if (opened === undefined) return;
    await using server = opened;
    ownTime(t);
    await using client = await bind({ host });
    const answer = client.request("ping", server.address, { timeoutMs: 1_500, attempts: 4 });
    for (const wait of [100, 200]) {
      assert.equal(text(await server.receive()), "ping");
      t.mock.timers.tick(wait - 1);
      await nothingMore(server);
      t.mock.timers.tick(1);
    }
    const { data, from } = await server.receive();
    await server.send(`${Buffer.from(data)} pong`, from);
    assert.equal(text(await answer), "ping pong");
    t.mock.timers.tick(1_500);
    await nothingMore(server);
  });
}

test("UdpSocket.request() times out after the maximum number of attempts", async (t) => {
  ownTime(t);
  await using server = await bind(HOST);
  await using client = await bind(HOST);
  const { port } = server.address;
  const failed = assert.rejects(client.request("ping", server.address, { timeoutMs: 1_500, attempts: 4 }), {
    code: "timeout",
    message: `Cannot get an answer from 127.0.0.1:${port}: timed out after 1500 ms`,
  });
  await server.receive();
  for (const wait of [100, 200, 400]) {
    t.mock.timers.tick(wait);
    await server.receive();
  }
  t.mock.timers.tick(799);
  await nothingMore(server);
  t.mock.timers.tick(1);
  await failed;
  // A late answer is an ordinary datagram.
  await server.send("late", client.address);
  assert.equal(text(await client.receive()), "late");
});

test("UdpSocket.request() leaves datagrams of other senders, and those that do not match, to receive()", async () => {
  await using server = await bind(HOST);
  await using stranger = await bind(HOST);
  await using client = await bind(HOST);
  const answer = client.request("ping", server.address, { matches: (datagram) => text(datagram) === "right" });
  const { from } = await server.receive();
  await stranger.send("right", from);
  await server.send("wrong", from);
  await server.send("right", from);
  assert.deepEqual((await answer).from, server.address);
  assert.deepEqual([text(await client.receive()), text(await client.receive())], ["right", "wrong"]);
});

test("UdpSocket.request() matches answers to concurrent requests", async () => {
  await using server = await bind(HOST);
  await using client = await bind(HOST);
  const ids = ["a", "b", "c"];
  const answers = ids.map((id) => client.request(id, server.address, { matches: (one) => text(one) === `re ${id}` }));
  const asked: Datagram[] = [];
  for (const _ of ids) asked.push(await server.receive());
  for (const one of asked.reverse()) await server.send(`re ${text(one)}`, one.from);
  assert.deepEqual((await Promise.all(answers)).map(text), ["re a", "re b", "re c"]);
});

test("UdpSocket.request() with anySender accepts an answer from any sender", async () => {
  await using server = await bind(HOST);
  await using member = await bind(HOST);
  await using client = await bind(HOST);
  const answer = client.request("who?", server.address, { anySender: true, matches: (one) => text(one) === "me" });
  await member.send("me", (await server.receive()).from);
  assert.deepEqual((await answer).from, member.address);
});

test("UdpSocket.request() rejects with the error of matches(), and receive() gets the datagram", async () => {
  await using server = await bind(HOST);
  await using client = await bind(HOST);
  const matches = (): boolean => {
    throw new Error("my bug");
  };
  const failed = assert.rejects(client.request("ping", server.address, { matches }), /my bug/);
  await server.send("pong", (await server.receive()).from);
  await failed;
  assert.equal(text(await client.receive()), "pong");
});

test("UdpSocket.request() rejects at once when aborted, and sends nothing more", async (t) => {
  ownTime(t);
  await using server = await bind(HOST);
  await using client = await bind(HOST);
  const controller = new AbortController();
  const { signal } = controller;
  const failed = assert.rejects(client.request("ping", server.address, { signal }), /enough/);
  await server.receive();
  controller.abort(new Error("enough"));
  await failed;
  assert.equal(getEventListeners(signal, "abort").length, 0);
  t.mock.timers.tick(10_000);
  await nothingMore(server);
  await assert.rejects(client.request("ping", server.address, { signal }), /enough/);
});

test("UdpSocket.close() rejects requests with closed", async () => {
  await using server = await bind(HOST);
  const client = await bind(HOST);
  const failed = assert.rejects(client.request("ping", server.address), { code: "closed" });
  await server.receive();
  await client.close();
  await failed;
  await assert.rejects(client.request("ping", server.address), { code: "closed" });
});

test("UdpSocket.request() on a connected socket needs no address, and rejects with refused", async () => {
  const server = await bind(HOST);
  await using client = await bind(HOST);
  await assert.rejects(client.request("ping"), TypeError);
  await client.connect(server.address);
  const answer = client.request("ping");
  await server.send("pong", (await server.receive()).from);
  assert.equal(text(await answer), "pong");
  await server.close();
  await assert.rejects(client.request("ping"), {
    code: "refused",
    message: /^Cannot receive from 127\.0\.0\.1:\d+: connection refused/,
  });
});

test("UdpSocket.request() rejects invalid options", async () => {
  await using socket = await bind(HOST);
  const to = { ...HOST, port: 9 };
  for (const attempts of [0, 11, 1.5, Number.NaN]) {
    await assert.rejects(socket.request("x", to, { attempts }), RangeError);
  }
  for (const timeoutMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    await assert.rejects(socket.request("x", to, { timeoutMs }), RangeError);
  }
  await assert.rejects(socket.request("x", to, { anySender: true }), TypeError);
  await assert.rejects(socket.request("x", { ...HOST, port: 0 }), RangeError);
  await assert.rejects(socket.request(Buffer.alloc(65_508), to), { code: "message-too-long" });
});

test("UdpSocket.request() gets an answer from a Python server that ignores two datagrams", async (t) => {
  const program = `
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
for attempt in range(3):
    data, sender = server.recvfrom(65535)
server.sendto(b"third " + data, sender)
`;
  const python = spawn("python3", ["-c", program], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(python, "exit").catch((error: Error) => error);
  const first = await Promise.race([once(python.stdout, "data"), exited]);
  if (first instanceof Error) return t.skip(`no Python: ${first.message}`);
  await using client = await bind(HOST);
  const to = { ...HOST, port: Number(String(first[0])) };
  // The attempts are sent within 60 ms; the rest of the time is for a slow machine.
  const answer = await client.request("ping", to, { timeoutMs: 10_000, attempts: 10 });
  assert.equal(text(answer), "third ping");
  await exited;
});

test("UdpSocket.request() recognizes the peer in another spelling of its address", async (t) => {
  const server = dgram.createSocket("udp6");
  const bound = Promise.withResolvers<boolean>();
  server.once("error", () => bound.resolve(false)).bind(0, "::1", () => bound.resolve(true));
  if (await bound.promise) {
    server.on("message", (data, from) => server.send(data, from.port, from.address));
    await using client = await bind({ host: "::1" });
    const answer = await client.request("x", { host: "0:0:0:0:0:0:0:1", port: server.address().port });
    assert.equal(text(answer), "x");
  } else {
    t.skip("no IPv6 loopback address");
  }
  server.close();
});
