import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { until } from "../../../../test/until.ts";
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
  let keepAliveMs = 0;
  await until(async () => {
    const [, timer, jiffies = ""] = line.exec(await readFile("/proc/net/tcp", "utf8")) ?? assert.fail("not listed");
    keepAliveMs = timer === "02" ? Number.parseInt(jiffies, 16) * 10 : 0;
    // 1: sent bytes are not yet acknowledged.
    return timer !== "01";
  }, "the peer's kernel acknowledges all bytes");
  return keepAliveMs;
}

/** The kernel's TCP_NODELAY. Another process reads it through a copy of the descriptor. */
async function noDelayOf({ local, remote }: Connection): Promise<boolean> {
  const program = `
import ctypes, os, socket, sys
pid, local, remote = map(int, sys.argv[1:])
rows = [line.split() for line in open("/proc/net/tcp")]
ends = (":%04X" % local, ":%04X" % remote)
inode = next(row[9] for row in rows if row[1].endswith(ends[0]) and row[2].endswith(ends[1]))
folder = "/proc/%d/fd/" % pid
def target(fd):
    try: return os.readlink(folder + fd)
    except OSError: return ""
fd = next(fd for fd in os.listdir(folder) if target(fd) == "socket:[%s]" % inode)
copy = ctypes.CDLL(None, use_errno=True).syscall(438, os.pidfd_open(pid), int(fd), 0)
if copy < 0: sys.exit("pidfd_getfd: " + os.strerror(ctypes.get_errno()))
print(socket.socket(fileno=copy).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
`;
  const args = ["-c", program, process.pid, local?.port, remote?.port].map(String);
  return (await promisify(execFile)("python3", args)).stdout.trim() !== "0";
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

test("connect() and listen() set TCP_NODELAY, unless noDelay is false", { skip: skipBeyondLinux }, async (t) => {
  for (const noDelay of [undefined, true, false]) {
    await using listener = await listen({ ...HOST, noDelay });
    const client = await connect({ ...listener.address, noDelay });
    const server = await listener.accept();
    try {
      for (const connection of [client, server]) assert.equal(await noDelayOf(connection), noDelay ?? true);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      t.skip(`python3 cannot read this process's sockets: ${error instanceof Error ? error.message : error}`);
    } finally {
      await discard(client, server);
    }
  }
});

/** How many of `count` connections the kernel opens while this process does not accept; `undefined` without python3. */
function opened(port: number, count: number): number | undefined {
  const program = `
import select, socket, sys
port, count = map(int, sys.argv[1:])
sockets = [socket.socket() for _ in range(count)]
for one in sockets:
    one.setblocking(False)
    one.connect_ex(("127.0.0.1", port))
poll = select.poll()
for one in sockets: poll.register(one, select.POLLOUT)
opened = 0
while ready := poll.poll(200):
    opened += len(ready)
    for fd, _ in ready: poll.unregister(fd)
print(opened)
`;
  const args = ["-c", program, String(port), String(count)];
  const { error, status, stdout, stderr } = spawnSync("python3", args, { encoding: "utf8", timeout: 60_000 });
  if (error !== undefined) return undefined;
  assert.equal(status, 0, stderr);
  return Number(stdout);
}

test("listen() passes backlog to the kernel, 511 by default", { skip: skipBeyondLinux }, async (t) => {
  for (const [options, backlog] of [
    [{}, 511],
    [{ backlog: 7 }, 7],
  ] as const) {
    await using listener = await listen({ ...HOST, ...options });
    const count = opened(listener.address.port ?? 0, 600);
    if (count === undefined) return t.skip("no python3");
    // Linux keeps one more than the backlog.
    assert.equal(count, backlog + 1);
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
