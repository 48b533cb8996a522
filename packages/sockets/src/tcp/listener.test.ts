import assert from "node:assert/strict";
import diagnostics from "node:diagnostics_channel";
import { getEventListeners } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { until } from "../../../../test/until.ts";
import { STATE_CHANNELS, type StateChange } from "../state.ts";
import { connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { listen } from "./listen.ts";
import type { ListenOptions } from "./server-sockets.ts";

failOnLeaks();

const text = (bytes: Uint8Array | null): string => (bytes === null ? "(end)" : Buffer.from(bytes).toString());
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Resets connections, so that none lingers, and waits until they are closed. */
async function discard(...connections: readonly Connection[]): Promise<void> {
  for (const connection of connections) connection.reset();
  await Promise.all(connections.map(({ closed }) => closed));
}

async function hasIpv6(): Promise<boolean> {
  return listen({ host: "::1" }).then(
    (listener) => listener.close().then(() => true),
    () => false,
  );
}

test("listen() opens a free port and hands out connections", async () => {
  await using listener = await listen({ host: "127.0.0.1" });
  assert.equal(listener.state, "listening");
  assert.equal(listener.address.host, "127.0.0.1");
  assert.ok(Number(listener.address.port) > 0);
  const client = await connect(listener.address);
  const connection = await listener.accept();
  assert.equal(connection.state, "established");
  assert.deepEqual(connection.remote, client.local);
  await client.write("hello");
  assert.equal(text(await connection.readExactly(5)), "hello");
  await discard(client, connection);
});

test("listen() on localhost opens both loopback addresses with one port", async (t) => {
  if (!(await hasIpv6())) return t.skip("this machine has no IPv6 loopback address ::1");
  await using listener = await listen();
  assert.equal(listener.address.host, "localhost");
  const { port } = listener.address;
  for (const host of ["127.0.0.1", "::1"]) {
    const client = await connect({ host, port });
    const connection = await listener.accept();
    assert.equal(connection.remote?.host, host);
    await discard(client, connection);
  }
});

test("listen() on ::1 has an IPv6 address", async (t) => {
  if (!(await hasIpv6())) return t.skip("this machine has no IPv6 loopback address ::1");
  await using listener = await listen({ host: "::1" });
  assert.equal(listener.address.host, "::1");
  const client = await connect(listener.address);
  assert.equal(client.remote?.host, "::1");
  await discard(client, await listener.accept());
});

test("listen() on localhost opens one address where the kernel has no IPv6", async (t) => {
  // A mock, because every test machine has IPv6 in its kernel. The other cases run in test/sockets-process.test.ts.
  const { listen: original } = net.Server.prototype;
  t.mock.method(net.Server.prototype, "listen", function (this: net.Server, options: net.ListenOptions) {
    if (options.host !== "::1") return original.call(this, options);
    const error = Object.assign(new Error("listen EAFNOSUPPORT"), { code: "EAFNOSUPPORT" });
    process.nextTick(() => this.emit("error", error));
    return this;
  });
  await using listener = await listen();
  assert.equal(listener.state, "listening");
});

test("listen() rejects an address in use and leaves nothing open", async () => {
  await using listener = await listen({ host: "127.0.0.1" });
  const { port } = listener.address;
  for (const host of ["127.0.0.1", "localhost"]) {
    await assert.rejects(listen({ host, port }), {
      code: "address-in-use",
      message: `Cannot listen on 127.0.0.1:${port}: the address is already in use (is another server running?)`,
    });
  }
});

test("listen() on localhost rejects a port that is in use on ::1 only", async (t) => {
  if (!(await hasIpv6())) return t.skip("this machine has no IPv6 loopback address ::1");
  await using listener = await listen({ host: "::1" });
  const { port } = listener.address;
  await assert.rejects(listen({ port }), { code: "address-in-use" });
  // The IPv4 socket was closed again.
  await using other = await listen({ host: "127.0.0.1", port });
  assert.equal(other.address.port, port);
});

test("listen() rejects an address of another machine", async () => {
  await assert.rejects(listen({ host: "192.0.2.254" }), { code: "address-not-available" });
});

test("listen() refuses an invalid port, time or limit", async () => {
  for (const port of [-1, 65_536, Number.NaN]) await assert.rejects(listen({ host: "127.0.0.1", port }), RangeError);
  const wrong: ListenOptions[] = [
    { idleTimeoutMs: -1 },
    { idleTimeoutMs: Number.NaN },
    { connectionsMax: Number.NaN },
    { connectionsMax: -1 },
    { writeHighWaterMark: 0 },
    { writeLowWaterMark: Number.NaN },
    { readHighWaterMark: Number.NaN },
  ];
  for (const options of wrong) await assert.rejects(listen(options), RangeError, JSON.stringify(options));
});

test("Listener.close() frees the port", async () => {
  const first = await listen({ host: "127.0.0.1" });
  const { address } = first;
  await first.close();
  assert.equal(first.state, "closed");
  await using second = await listen(address);
  assert.deepEqual(second.address, address);
});

test("listen() opens the path of a Unix socket and leaves no file behind", async (t) => {
  if (process.platform === "win32") return t.skip("Windows has named pipes instead");
  const folder = await mkdtemp(join(tmpdir(), "landline-"));
  const path = join(folder, "test.sock");
  try {
    await using listener = await listen({ path });
    await assert.rejects(listen({ path }), { code: "address-in-use" });
    const client = await connect({ path });
    await discard(client, await listener.accept());
    await listener.close();
    await using again = await listen({ path });
    assert.equal(again.state, "listening");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("Listener.accept() loses no connection when it times out or is aborted", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using listener = await listen({ host: "127.0.0.1" });
  const controller = new AbortController();
  const { signal } = controller;
  const timedOut = assert.rejects(listener.accept({ timeoutMs: 100 }), { code: "timeout" });
  const aborted = assert.rejects(listener.accept({ signal }), /enough/);
  const waiting = listener.accept({ signal: new AbortController().signal });
  t.mock.timers.tick(100);
  controller.abort(new Error("enough"));
  await Promise.all([timedOut, aborted]);
  await assert.rejects(listener.accept({ signal }), /enough/);
  const client = await connect(listener.address);
  await discard(client, await waiting);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("Listener.accept() serves concurrent calls in order", async () => {
  await using listener = await listen({ host: "127.0.0.1" });
  const accepts = [listener.accept(), listener.accept()];
  const clients = [await connect(listener.address), await connect(listener.address)];
  const connections = await Promise.all(accepts);
  assert.deepEqual(
    connections.map(({ remote }) => remote),
    clients.map(({ local }) => local),
  );
  await discard(...clients, ...connections);
});

test("Listener.accept() rejects with closed during and after close(), which is idempotent", async () => {
  const listener = await listen({ host: "127.0.0.1" });
  const waiting = assert.rejects(listener.accept(), {
    code: "closed",
    message: "Cannot accept: the listener is closed",
  });
  await Promise.all([listener.close(), listener.close()]);
  await waiting;
  await assert.rejects(listener.accept(), { code: "closed" });
  await listener.close();
  assert.equal(listener.state, "closed");
});

test("Listener yields connections in for await until it is closed", async () => {
  const listener = await listen({ host: "127.0.0.1" });
  const seen: Connection[] = [];
  const loop = (async () => {
    for await (const connection of listener) seen.push(connection);
  })();
  const clients = [await connect(listener.address), await connect(listener.address)];
  await until(() => seen.length >= 2, "both connections were seen");
  await listener.close();
  await loop;
  for await (const connection of listener) assert.fail(`accepted ${connection} after close()`);
  // Accepted connections outlive the listener.
  await seen[0]?.write("still here");
  assert.equal(text((await clients[0]?.readExactly(10)) ?? null), "still here");
  await discard(...clients, ...seen);
});

test("Listener closes when the for await loop is left", async () => {
  const listener = await listen({ host: "127.0.0.1" });
  const client = await connect(listener.address);
  for await (const connection of listener) {
    await discard(connection);
    break;
  }
  assert.equal(listener.state, "closed");
  await discard(client);
});

test("Listener.close() resets connections that were not accepted", async () => {
  const listener = await listen({ host: "127.0.0.1" });
  const client = await connect(listener.address);
  const read = assert.rejects(client.read(), { code: "reset" });
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  await listener.close();
  await read;
  await client.closed;
});

test("Listener.accept() skips connections that are already closed", async (t) => {
  await using listener = await listen({ host: "127.0.0.1", idleTimeoutMs: 50 });
  const closed: unknown[] = [];
  const watch = (message: unknown) => {
    const { to, remote } = message as StateChange;
    if (to === "closed") closed.push(remote);
  };
  diagnostics.subscribe(STATE_CHANNELS[0], watch);
  t.after(() => diagnostics.unsubscribe(STATE_CHANNELS[0], watch));
  const gone = await connect(listener.address);
  const { local } = gone;
  // The idle timeout closes it before it is accepted.
  await gone.read().catch(() => undefined);
  await gone.close();
  await until(() => closed.some((remote) => isDeepStrictEqual(remote, local)), "the listener's end of it is closed");
  // `accept()` already waits for the next one, so its idle timeout does not matter.
  const accepted = listener.accept();
  const client = await connect(listener.address);
  const connection = await accepted;
  assert.deepEqual(connection.remote, client.local);
  await discard(client, connection);
});

test("Listener drops connections above connectionsMax and counts them", async () => {
  await using listener = await listen({ host: "127.0.0.1", connectionsMax: 1 });
  const first = await connect(listener.address);
  const taken = await listener.accept();
  // The reset arrives during or right after connecting.
  await assert.rejects(
    connect(listener.address).then((second) => second.read()),
    { code: "reset" },
  );
  assert.equal(listener.dropped, 1);
  await discard(first, taken);
  const third = await connect(listener.address);
  await discard(third, await listener.accept());
  assert.equal(listener.dropped, 1);
});

test("Listener drops connections above connectionsMax on a Unix socket too", async (t) => {
  if (process.platform === "win32") return t.skip("Windows has named pipes instead");
  const folder = await mkdtemp(join(tmpdir(), "landline-"));
  try {
    await using listener = await listen({ path: join(folder, "test.sock"), connectionsMax: 0 });
    const client = await connect(listener.address as { path: string });
    assert.equal(await client.read().catch(() => null), null);
    assert.equal(listener.dropped, 1);
    await discard(client);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("Listener drops connections above 511 that wait for accept()", async () => {
  await using listener = await listen({ host: "127.0.0.1" });
  const clients = await Promise.all(Array.from({ length: 515 }, () => connect(listener.address)));
  await until(() => listener.dropped >= 4, "four connections were dropped");
  assert.equal(listener.dropped, 4);
  await discard(...clients);
});

test("Listener closes an idle connection after idleTimeoutMs", async () => {
  await using listener = await listen({ host: "127.0.0.1", idleTimeoutMs: 5 });
  const client = await connect(listener.address);
  const connection = await listener.accept();
  await assert.rejects(connection.read(), { code: "timeout", message: /idle for 5 ms$/ });
  await connection.closed;
  await discard(client);
});

test("Listener never closes an idle connection with idleTimeoutMs Infinity or 0", async () => {
  for (const idleTimeoutMs of [Number.POSITIVE_INFINITY, 0]) {
    await using listener = await listen({ host: "127.0.0.1", idleTimeoutMs });
    const client = await connect(listener.address);
    const connection = await listener.accept();
    await client.write("x");
    assert.equal(text(await connection.read()), "x");
    await discard(client, connection);
  }
});

test("Listener publishes its state changes", async () => {
  const changes: StateChange[] = [];
  const collect = (change: unknown): void => void changes.push(change as StateChange);
  diagnostics.subscribe("landline:listener", collect);
  try {
    const listener = await listen();
    await listener.close();
    assert.deepEqual(
      changes.map(({ from, to }) => `${from} ${to}`),
      ["created listening", "listening closing", "closing closed"],
    );
    assert.equal(new Set(changes.map(({ id }) => id)).size, 1);
    assert.deepEqual(changes[0]?.local, listener.address);
  } finally {
    diagnostics.unsubscribe("landline:listener", collect);
  }
});

test("Listener.unref() lets the process exit, ref() does not", async () => {
  await using listener = await listen();
  const count = (): number => process.getActiveResourcesInfo().filter((name) => name === "TCPServerWrap").length;
  const before = count();
  assert.ok(before > 0);
  listener.unref();
  assert.equal(count(), 0);
  listener.ref();
  assert.equal(count(), before);
});
