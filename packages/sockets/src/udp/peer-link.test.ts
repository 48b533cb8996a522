import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { bind } from "./bind.ts";
import type { Datagram } from "./datagram.ts";

failOnLeaks();

const HOST = { host: "127.0.0.1" };
const text = ({ data }: Datagram): string => Buffer.from(data).toString();
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** Only Linux has more loopback addresses than 127.0.0.1. */
const skip = process.platform === "linux" ? false : "needs several loopback addresses";

/** A lookup that returns these addresses for every name. */
const names =
  (...addresses: string[]): LookupFunction =>
  (_host, _options, done) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );

test("UdpSocket.connect() moves to the name's next address after a refusal, and sends the datagram again", {
  skip,
}, async () => {
  await using server = await bind(HOST);
  await using client = await bind({ ...HOST, lookup: names("127.0.0.2", "::1", "127.0.0.3", "127.0.0.1") });
  await client.connect({ host: "many.test", port: server.address.port });
  assert.equal(client.remote?.host, "127.0.0.2");
  const answer = client.receive();
  await client.send("anybody?");
  const { data, from } = await server.receive();
  assert.equal(Buffer.from(data).toString(), "anybody?");
  assert.deepEqual(from, client.address);
  assert.deepEqual(client.remote, server.address);
  await server.send("me", from);
  assert.equal(text(await answer), "me");
});

test("UdpSocket.connect() moves on after any number of refused trySend() datagrams", {
  skip,
}, async () => {
  for (const count of [1, 2, 3, 5]) {
    await using server = await bind(HOST);
    await using client = await bind({ ...HOST, lookup: names("127.0.0.2", "127.0.0.1") });
    await client.connect({ host: "many.test", port: server.address.port });
    const received = client.receive();
    for (let i = 0; i < count; i += 1) client.trySend("anybody?");
    const { from } = await server.receive({ timeoutMs: 5_000 });
    assert.deepEqual(client.remote, server.address);
    await server.send("me", from);
    assert.equal(text(await received), "me");
  }
});

test("UdpSocket.connect() leads to refused when the last address refuses", { skip }, async () => {
  const gone = await bind(HOST);
  const { port } = gone.address;
  await gone.close();
  await using client = await bind({ ...HOST, lookup: names("127.0.0.2", "127.0.0.1") });
  await client.connect({ host: "many.test", port });
  const refused = assert.rejects(client.receive(), {
    code: "refused",
    message: `Cannot receive from 127.0.0.1:${port}: connection refused (is the server running?)`,
    remote: { host: "127.0.0.1", port },
  });
  await client.send("anybody?");
  await refused;
});

test("UdpSocket.connect() stays with an address that has answered", { skip }, async () => {
  const server = await bind({ host: "127.0.0.2" });
  await using other = await bind({ host: "127.0.0.1", port: server.address.port });
  await using client = await bind({ host: "127.0.0.1", lookup: names("127.0.0.2", "127.0.0.1") });
  await client.connect({ host: "many.test", port: other.address.port });
  await client.send("hello");
  await server.send("here", (await server.receive()).from);
  assert.equal(text(await client.receive()), "here");
  await server.close();
  const refused = assert.rejects(client.receive(), { code: "refused" });
  await client.send("still there?");
  await refused;
  assert.equal(client.remote?.host, "127.0.0.2");
});

test("UdpSocket.request() continues at the next address of a connected socket", { skip }, async () => {
  await using server = await bind(HOST);
  await using client = await bind({ ...HOST, lookup: names("127.0.0.2", "127.0.0.1") });
  await client.connect({ host: "many.test", port: server.address.port });
  const answer = client.request("ping", undefined, { attempts: 2, timeoutMs: 3_000 });
  await server.send("pong", (await server.receive()).from);
  assert.deepEqual((await answer).from, server.address);
});

test("UdpSocket.connect() names the socket's family when the name has no such address", async () => {
  await using client = await bind({ ...HOST, lookup: names("::1") });
  await assert.rejects(client.connect({ host: "six.test", port: 9 }), {
    code: "name-not-found",
    message: "Cannot connect to six.test:9: the name has no IPv4 address, and the socket is IPv4",
  });
  assert.equal(client.remote, undefined);
});

test("UdpSocket.connect() called twice concurrently connects to the last address", async () => {
  await using one = await bind(HOST);
  await using other = await bind(HOST);
  await using client = await bind(HOST);
  await Promise.all([client.connect(one.address), client.connect(other.address)]);
  assert.deepEqual(client.remote, other.address);
  await client.send("x");
  assert.equal(text(await other.receive()), "x");
});

test("UdpSocket.disconnect() receives from any sender again, at the same address", async () => {
  await using server = await bind(HOST);
  await using stranger = await bind(HOST);
  await using client = await bind(HOST);
  const { address } = client;
  await client.connect(server.address);
  await client.disconnect();
  await client.disconnect();
  assert.equal(client.remote, undefined);
  await assert.rejects(client.send("x"), TypeError);
  await stranger.send("hello", address);
  assert.deepEqual((await client.receive()).from, stranger.address);
  await client.send("hello", stranger.address);
  assert.deepEqual((await stranger.receive()).from, address);
});

test("UdpSocket.disconnect() waits for a running connect(), and rejects on a closed socket", async () => {
  await using server = await bind(HOST);
  const client = await bind(HOST);
  const connecting = client.connect(server.address);
  await nextTurn();
  await Promise.all([connecting, client.disconnect()]);
  assert.equal(client.remote, undefined);
  await client.close();
  await assert.rejects(client.disconnect(), { code: "closed" });
});

test("UdpSocket.send() on a connected socket refuses another address than the peer's", async () => {
  await using server = await bind(HOST);
  await using stranger = await bind(HOST);
  await using client = await bind(HOST);
  await client.connect(server.address);
  await client.send("same", server.address);
  assert.equal(text(await server.receive()), "same");
  await assert.rejects(client.send("other", stranger.address), {
    name: "TypeError",
    message: `to must be left out, as the socket is connected to 127.0.0.1:${server.address.port}`,
  });
});
