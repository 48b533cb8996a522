import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { getEventListeners, once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { LookupFunction } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { until } from "../../../../test/until.ts";
import type { SocketError } from "../errors.ts";
import { type ConnectOptions, connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { listen } from "./listen.ts";

failOnLeaks();

/** A port without a listener. */
async function freePort(): Promise<number> {
  await using listener = await listen({ host: "127.0.0.1" });
  return listener.address.port as number;
}

const neverAnswers: LookupFunction = () => undefined;

function failsWith(code: string): LookupFunction {
  return (_host, _options, done) => void setImmediate(() => done(Object.assign(new Error(code), { code }), ""));
}

function answers(...addresses: readonly string[]): LookupFunction {
  return (_host, options, done) => {
    const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    setImmediate(() => (options.all ? done(null, found) : done(null, found[0]?.address ?? "", found[0]?.family)));
  };
}

test("connect() rejects with refused when nothing listens", async () => {
  const port = await freePort();
  await assert.rejects(connect({ host: "127.0.0.1", port }), (error: SocketError) => {
    assert.equal(error.code, "refused");
    assert.equal(error.operation, "connect");
    assert.deepEqual(error.remote, { host: "127.0.0.1", port });
    assert.equal(error.message, `Cannot connect to 127.0.0.1:${port}: connection refused (is the server running?)`);
    return true;
  });
});

test("connect() rejects with refused when all addresses of a name refuse", async () => {
  const port = await freePort();
  const lookup = answers("127.0.0.1", "::1");
  await assert.rejects(connect({ host: "both.test", port, lookup }), { code: "refused" });
});

test("connect() tries the next address of a name", async () => {
  await using listener = await listen({ host: "127.0.0.1" });
  const { port } = listener.address;
  const lookup = answers("::1", "127.0.0.1");
  await using connection = await connect({ host: "both.test", port, lookup, lingerMs: 0 });
  assert.equal(connection.remote?.host, "127.0.0.1");
  assert.equal(connection.state, "established");
});

test("connect() distinguishes an unknown name from a failed lookup", async () => {
  const options = { host: "nowhere.test", port: 1 };
  await assert.rejects(connect({ ...options, lookup: failsWith("ENOTFOUND") }), {
    code: "name-not-found",
    message: "Cannot connect to nowhere.test:1: no such host name",
  });
  await assert.rejects(connect({ ...options, lookup: failsWith("EAI_AGAIN") }), { code: "name-lookup-failed" });
});

test("connect() rejects when lookup throws or returns garbage", async () => {
  const throws: LookupFunction = () => {
    throw new Error("my bug");
  };
  await assert.rejects(connect({ host: "odd.test", port: 1, lookup: throws }), /my bug/);
  await assert.rejects(connect({ host: "odd.test", port: 1, lookup: answers("nonsense") }), Error);
});

test("connect() rejects at once with the reason of an aborted signal", async () => {
  const reason = new Error("too late");
  let lookups = 0;
  const lookup: LookupFunction = () => {
    lookups += 1;
  };
  const signal = AbortSignal.abort(reason);
  const error = await connect({ host: "slow.test", port: 1, lookup, signal }).catch((caught: unknown) => caught);
  assert.equal(error, reason);
  assert.equal(lookups, 0);
});

test("connect() rejects at once when aborted during the lookup", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error("changed my mind");
  const attempt = connect({ host: "slow.test", port: 1, lookup: neverAnswers, signal });
  const rejected = assert.rejects(attempt, (error) => error === reason);
  setImmediate(() => controller.abort(reason));
  await rejected;
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("connect() ignores a lookup result that arrives after the abort", async () => {
  await using listener = await listen({ host: "127.0.0.1" });
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<void>();
  const lookup: LookupFunction = (_host, options, done) => {
    void promise.then(() =>
      options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4),
    );
  };
  const { port } = listener.address;
  const attempt = assert.rejects(connect({ host: "slow.test", port, lookup, signal: controller.signal }), {
    name: "AbortError",
  });
  controller.abort();
  await attempt;
  resolve();
  const accepted = assert.rejects(listener.accept(), { code: "closed" });
  for (let turn = 0; turn < 10; turn += 1) await new Promise((next) => setImmediate(next));
  await listener.close();
  await accepted;
});

test("connect() applies timeoutMs to the lookup", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const attempt = assert.rejects(connect({ host: "slow.test", port: 1, lookup: neverAnswers, timeoutMs: 250 }), {
    code: "timeout",
    message: "Cannot connect to slow.test:1: timed out after 250 ms",
  });
  t.mock.timers.tick(250);
  await attempt;
});

test("connect() keeps an established connection when its signal aborts later", async () => {
  await using listener = await listen({ host: "127.0.0.1" });
  const controller = new AbortController();
  await using connection = await connect({
    ...listener.address,
    signal: controller.signal,
    timeoutMs: 60_000,
    lingerMs: 0,
  });
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  controller.abort();
  await connection.write("x");
  assert.equal(connection.state, "established");
});

test("connect() refuses ports outside 1 to 65535 before the lookup", async () => {
  const ports: unknown[] = [undefined, 0, -1, 65_536, 1.5, Number.NaN, "80"];
  for (const port of ports) {
    await assert.rejects(connect({ host: "127.0.0.1", port } as ConnectOptions), RangeError);
  }
});

test("connect() refuses invalid times", async () => {
  for (const timeoutMs of [-1, Number.NaN, 2 ** 31]) {
    await assert.rejects(connect({ host: "127.0.0.1", port: 1, timeoutMs }), RangeError);
  }
});

test("connect() refuses a local address that is invalid or not of this machine", async () => {
  const options = { host: "127.0.0.1", port: await freePort() };
  await assert.rejects(connect({ ...options, localAddress: "nonsense" }), TypeError);
  await assert.rejects(connect({ ...options, localAddress: "192.0.2.254" }), { code: "address-not-available" });
});

test("connect() binds to localAddress", async () => {
  await using listener = await listen({ host: "127.0.0.1" });
  await using connection = await connect({ ...listener.address, localAddress: "127.0.0.1", lingerMs: 0 });
  assert.equal(connection.local?.host, "127.0.0.1");
});

test("connect() connects to the path of a Unix socket", async (t) => {
  if (process.platform === "win32") return t.skip("Windows has named pipes instead");
  const folder = await mkdtemp(join(tmpdir(), "landline-"));
  const path = join(folder, "test.sock");
  try {
    await assert.rejects(connect({ path }), {
      code: "refused",
      message: `Cannot connect to ${path}: no such socket (is the server running?)`,
    });
    await using listener = await listen({ path });
    assert.deepEqual(listener.address, { path });
    await using connection = await connect({ path, lingerMs: 0 });
    await using accepted = await listener.accept();
    assert.deepEqual(connection.remote, { path });
    await accepted.write("hello");
    assert.equal(Buffer.from(await connection.readExactly(5)).toString(), "hello");
    connection.closeWrite();
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("connect() reaches localhost over both loopback addresses", async (t) => {
  await using listener = await listen();
  const { port } = listener.address;
  await using four = await connect({ port, family: 4, lingerMs: 0 });
  assert.equal(four.remote?.host, "127.0.0.1");
  await using any = await connect({ port, lingerMs: 0 });
  assert.equal(any.state, "established");
  try {
    await using six = await connect({ port, family: 6, lingerMs: 0 });
    assert.equal(six.remote?.host, "::1");
  } catch (error) {
    t.skip(`localhost has no IPv6 address here: ${(error as Error).message}`);
  }
});

test("connect() leaks no listener over 2,000 failing attempts on one signal", async () => {
  // Each attempt fails at the lookup, so that no port is used up.
  const { signal } = new AbortController();
  const lookup: LookupFunction = (_host, _options, done) =>
    process.nextTick(() => done(Object.assign(new Error("no"), { code: "ENOTFOUND" }), ""));
  for (let i = 0; i < 100; i += 1) {
    const attempts = Array.from({ length: 20 }, () => connect({ host: "no.test", port: 1, lookup, signal }));
    const results = await Promise.allSettled(attempts);
    assert.ok(results.every(({ status }) => status === "rejected"));
  }
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

const notLinux = process.platform !== "linux" && "only Linux leaves those waiting that find the queue full";
test("connect() closes its socket when aborted or timed out while connecting", {
  skip: notLinux,
}, async () => {
  // It listens and never accepts, so its backlog of two fills up.
  const program = `require("node:net").createServer().listen(0, "127.0.0.1", 1, function () {
    require("node:fs").writeSync(1, String(this.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  })`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  const connected: Connection[] = [];
  try {
    const [port] = (await once(child.stdout, "data")) as [Buffer];
    const to = { host: "127.0.0.1", port: Number(port) };
    const isFull = async (): Promise<boolean> => {
      try {
        connected.push(await connect({ ...to, timeoutMs: 200 }));
        return false;
      } catch (error) {
        return (error as SocketError).code === "timeout";
      }
    };
    await until(isFull, "the queue is full");
    const late = { code: "timeout", message: /: timed out after 200 ms$/ };
    await assert.rejects(connect({ ...to, timeoutMs: 200 }), late);
    const controller = new AbortController();
    const aborted = assert.rejects(connect({ ...to, signal: controller.signal }), { name: "AbortError" });
    setImmediate(() => controller.abort());
    await aborted;
    await until(() => !process.getActiveResourcesInfo().includes("ConnectWrap"), "nothing connects any more");
  } finally {
    for (const connection of connected) connection.reset();
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});
