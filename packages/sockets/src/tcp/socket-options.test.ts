import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import net from "node:net";
import { type TestContext, test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import type { Address } from "../address.ts";
import { connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { listen } from "./listen.ts";
import type { ListenOptions } from "./server-sockets.ts";

failOnLeaks();

const HOST = { host: "127.0.0.1" };
const skipBeyondLinux = process.platform !== "linux" && "reads /proc";
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function discard(...connections: readonly Connection[]): Promise<void> {
  for (const connection of connections) connection.reset();
  await Promise.all(connections.map(({ closed }) => closed));
}

/** Time until the kernel probes the peer, in milliseconds; 0 for never. */
async function keepAliveOf({ local, remote }: Connection): Promise<number> {
  const port = (address: Address | undefined): string =>
    (address?.port ?? 0).toString(16).toUpperCase().padStart(4, "0");
  const line = new RegExp(`: \\w+:${port(local)} \\w+:${port(remote)} \\w+ \\w+:\\w+ (\\w+):(\\w+) `);
  for (;;) {
    const [, timer, jiffies = ""] = line.exec(await readFile("/proc/net/tcp", "utf8")) ?? assert.fail("not listed");
    // 1: bytes were sent and are not acknowledged yet.
    if (timer !== "01") return timer === "02" ? Number.parseInt(jiffies, 16) * 10 : 0;
    await nextTurn();
  }
}

test("connect() and listen() pass keepAliveMs to the kernel", {
  skip: skipBeyondLinux,
}, async () => {
  for (const [ours, theirs] of [
    [undefined, undefined],
    [60_000, undefined],
    [undefined, 90_000],
  ] as const) {
    await using listener = await listen({ ...HOST, keepAliveMs: theirs });
    const client = await connect({ ...listener.address, keepAliveMs: ours });
    const server = await listener.accept();
    for (const [connection, keepAliveMs = 0] of [
      [client, ours],
      [server, theirs],
    ] as const) {
      const found = await keepAliveOf(connection);
      // The timer is already running.
      assert.ok(found <= keepAliveMs && found >= keepAliveMs * 0.5, `${found} of ${keepAliveMs}`);
    }
    await discard(client, server);
  }
});

test("connect() and listen() round a keepAliveMs below one second up to one second", {
  skip: skipBeyondLinux,
}, async () => {
  await using listener = await listen({ ...HOST, keepAliveMs: 1 });
  const client = await connect({ ...listener.address, keepAliveMs: 999 });
  const server = await listener.accept();
  for (const connection of [client, server]) assert.ok((await keepAliveOf(connection)) <= 1_000);
  await discard(client, server);
});

test("connect() and listen() set TCP_NODELAY unless noDelay is false", async (t: TestContext) => {
  const setNoDelay = t.mock.method(net.Socket.prototype, "setNoDelay");
  const created = t.mock.method(net, "createServer");
  for (const noDelay of [undefined, true, false]) {
    await using listener = await listen({ ...HOST, noDelay });
    const client = await connect({ ...listener.address, noDelay });
    const server = await listener.accept();
    // Node applies the options of a server itself.
    const [options] = created.mock.calls.at(-1)?.arguments ?? [];
    assert.equal((options as net.ServerOpts | undefined)?.noDelay, noDelay ?? true);
    assert.equal(
      setNoDelay.mock.calls.some(({ arguments: [on] }) => on === true),
      noDelay ?? true,
    );
    setNoDelay.mock.resetCalls();
    await discard(client, server);
  }
});

test("listen() passes backlog to the kernel, 511 by default", async (t: TestContext) => {
  const listening = t.mock.method(net.Server.prototype, "listen");
  for (const [options, backlog] of [
    [{}, 511],
    [{ backlog: 7 }, 7],
  ] as const) {
    await using _ = await listen({ ...HOST, ...options });
    const [given] = (listening.mock.calls.at(-1)?.arguments ?? []) as unknown as [net.ListenOptions?];
    assert.equal(given?.backlog, backlog);
  }
});

test("listen() with connectionsMax 0 accepts no connection", async () => {
  await using listener = await listen({ ...HOST, connectionsMax: 0 });
  await assert.rejects(
    connect(listener.address).then((connection) => connection.read()),
    { code: "reset" },
  );
  assert.equal(listener.dropped, 1);
});

/** Both ends of a connection, and the final state of ours while the peer stays open. */
async function closing(
  t: TestContext,
  options: ListenOptions,
  check: (client: Connection, server: Connection) => Promise<void>,
): Promise<void> {
  await using listener = await listen(HOST);
  const client = await connect({ ...listener.address, ...options });
  const server = await listener.accept();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await check(client, server);
  t.mock.timers.reset();
  await discard(client, server);
}

test("Connection.close() with lingerMs 0 sends what the kernel takes and does not wait for the peer", async (t) => {
  await closing(t, { lingerMs: 0 }, async (client, server) => {
    await client.write("bye");
    const closed = client.close();
    t.mock.timers.tick(0);
    await closed;
    assert.equal(client.state, "closed");
    assert.equal(String(await server.readExactly(3)), "bye");
    assert.equal(await server.read(), null);
  });
});

test("Connection.close() with lingerMs 0 resets when bytes are unsent", async (t) => {
  await closing(t, { lingerMs: 0 }, async (client, server) => {
    client.send(Buffer.alloc(48 * 1024 * 1024));
    const closed = client.close();
    t.mock.timers.tick(0);
    t.mock.timers.tick(0);
    await closed;
    await assert.rejects(Array.fromAsync(server), { code: "reset" });
  });
});

test("Connection.close() with lingerMs Infinity waits for the peer's end without a limit", async (t) => {
  await closing(t, { lingerMs: Number.POSITIVE_INFINITY }, async (client, server) => {
    const closed = client.close();
    assert.equal(await server.read(), null);
    t.mock.timers.tick(1_000_000_000);
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    assert.equal(client.state, "closing");
    server.closeWrite();
    await closed;
    assert.equal(client.state, "closed");
  });
});
