import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import type { SocketError } from "../errors.ts";
import { type Connection, connect, listen } from "../tcp/mod.ts";
import { type ConnectionPair, pairOf } from "./connection-pair.ts";
import { memoryPair } from "./memory-pair.ts";
import { type RoughLink, type RoughLinkOptions, roughLink } from "./rough-link.ts";
import { RoughPath } from "./rough-path.ts";
import { SeededRandom } from "./seeded-random.ts";
import { FLOOD_BYTES, textOf } from "./transport-data.ts";
import { turns } from "./turns.ts";

failOnLeaks();

/** A connection through a rough link. */
async function linked(
  options: Omit<RoughLinkOptions, "to">,
  where: { host: string } | { path: string } = { host: "127.0.0.1" },
): Promise<ConnectionPair & { link: RoughLink }> {
  const listener = await listen(where);
  const link = await roughLink({ ...options, to: listener.address });
  const [client, server] = await Promise.all([connect(link.address), listener.accept()]);
  return { ...pairOf(client, server, [link, listener]), link };
}

/** What the connection receives. */
function received(connection: Connection): { text: string; ended: boolean } {
  const got = { text: "", ended: false };
  connection.handle({
    data: (_, chunk) => {
      got.text += textOf(chunk);
    },
    end: () => {
      got.ended = true;
    },
  });
  return got;
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !condition(); turn += 1) await turns(1);
  assert.ok(condition(), "the condition did not become true");
}

/** The splits that the link made, for bytes written in these parts. */
async function bordersOf(seed: number, parts: readonly string[]): Promise<number[]> {
  await using near = memoryPair();
  await using far = memoryPair();
  const roughness = { pieceBytesMax: 50, delayMs: 0, bytesPerSecond: Infinity, resetAfterBytes: Infinity };
  const path = new RoughPath(near.server, far.client, roughness);
  const run = path.run([new SeededRandom(seed), new SeededRandom(seed)]);
  const borders: number[] = [];
  far.server.handle({
    data: (_, chunk) => void borders.push((borders.at(-1) ?? 0) + chunk.length),
  });
  for (const part of parts) {
    const due = (borders.at(-1) ?? 0) + part.length;
    await near.client.write(part);
    await until(() => borders.at(-1) === due);
  }
  path.break();
  await run;
  return borders;
}

test("roughLink() splits the stream at places that depend only on its seed", async () => {
  const whole = await bordersOf(7, ["x".repeat(500)]);
  assert.ok(whole.length > 10, `only ${whole.length} pieces`);
  assert.deepEqual(await bordersOf(7, ["x".repeat(500)]), whole);
  assert.notDeepEqual(await bordersOf(8, ["x".repeat(500)]), whole);
  // Bytes written in two parts are also split between them.
  const twice = await bordersOf(7, ["x".repeat(251), "x".repeat(249)]);
  assert.deepEqual(new Set(twice), new Set([...whole, 251]));
});

test("roughLink() carries all bytes and ends both ways, and shows its seed", async () => {
  await using pair = await linked({ pieceBytesMax: 100 });
  assert.ok(Number.isInteger(pair.link.seed));
  assert.match(String(pair.link), /^127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+, seed \d+$/);
  const text = "0123456789".repeat(1_000);
  await pair.client.write(text);
  pair.client.closeWrite();
  assert.equal(Buffer.concat(await Array.fromAsync(pair.server)).toString(), text);
  await pair.server.write(text);
  pair.server.closeWrite();
  assert.equal(Buffer.concat(await Array.fromAsync(pair.client)).toString(), text);
});

test("roughLink() connects to a Unix socket", async (t) => {
  if (process.platform === "win32") return t.skip("Windows has named pipes instead");
  const folder = await mkdtemp(join(tmpdir(), "landline-"));
  try {
    await using pair = await linked({}, { path: join(folder, "test.sock") });
    await pair.client.write("hello");
    assert.equal(textOf(await pair.server.readExactly(5)), "hello");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("RoughLink.stall() holds bytes and ends until resume()", async () => {
  await using pair = await linked({});
  const got = received(pair.server);
  await pair.client.write("before");
  await until(() => got.text === "before");
  pair.link.stall();
  await pair.client.write(" after");
  pair.client.closeWrite();
  await turns(50);
  assert.deepEqual(got, { text: "before", ended: false });
  pair.link.resume();
  await until(() => got.ended);
  assert.equal(got.text, "before after");
});

test("RoughLink.stall() holds an end without bytes before it", async () => {
  await using pair = await linked({});
  const got = received(pair.server);
  await pair.client.write("x");
  await until(() => got.text === "x");
  pair.link.stall();
  pair.client.closeWrite();
  await turns(50);
  assert.equal(got.ended, false);
  pair.link.resume();
  await until(() => got.ended);
});

test("roughLink() passes backpressure on and buffers little", async () => {
  await using pair = await linked({ pieceBytesMax: 65_536 });
  const piece = Buffer.alloc(65_536);
  let [acceptedBytes, isAccepted] = [0, true];
  while (isAccepted && acceptedBytes < FLOOD_BYTES) {
    acceptedBytes += piece.length;
    const write = pair.client.write(piece).then(
      () => true,
      () => false,
    );
    isAccepted = await Promise.race([write, turns(300).then(() => false)]);
  }
  assert.equal(isAccepted, false, "the link accepted all bytes");
});

test("RoughLink.stall() affects later connections too", async () => {
  await using pair = await linked({});
  pair.link.stall();
  await using client = await connect({ ...pair.link.address, lingerMs: 0 });
  await client.write("x");
  const read = client.read();
  pair.link.reset();
  await assert.rejects(read, { code: "reset" });
});

test("RoughLink.reset() breaks both sides of all connections", async () => {
  await using pair = await linked({});
  await pair.client.write("x");
  await pair.server.readExactly(1);
  const reads = [pair.client, pair.server].map((end) => assert.rejects(end.read(), { code: "reset" }));
  pair.link.reset();
  await Promise.all(reads);
});

test("RoughLink forwards a reset", async () => {
  for (const who of ["client", "server"] as const) {
    await using pair = await linked({});
    const read = assert.rejects(pair[who === "client" ? "server" : "client"].read(), { code: "reset" });
    pair[who].reset();
    await read;
  }
});

test("roughLink() resets a connection after exactly resetAfterBytes", async () => {
  await using pair = await linked({ resetAfterBytes: 100 });
  pair.client.send("x".repeat(1_000));
  let bytes = 0;
  await assert.rejects(
    async () => {
      for await (const chunk of pair.server) bytes += chunk.length;
    },
    { code: "reset" },
  );
  assert.ok(bytes <= 100, `${bytes} bytes came through`);
  await pair.client.read().catch(() => undefined);
  await pair.client.closed;
});

test("RoughLink.cut() sends neither side anything until the link is closed", async () => {
  await using pair = await linked({});
  const got = received(pair.server);
  await pair.client.write("before");
  await until(() => got.text === "before");
  pair.link.cut();
  await pair.client.write("after");
  pair.client.closeWrite();
  pair.link.resume();
  await turns(50);
  assert.deepEqual(got, { text: "before", ended: false });
  assert.equal(pair.server.state, "established");
  await pair.link.close();
  await pair.server.closed;
});

test("roughLink() delays each piece and limits the speed", async (t) => {
  for (const options of [{ delayMs: 1_000 }, { bytesPerSecond: 10 }]) {
    await using pair = await linked({ ...options, seed: 3, pieceBytesMax: 10 });
    const got = received(pair.server);
    t.mock.timers.enable({ apis: ["setTimeout"] });
    await pair.client.write("0123456789".repeat(3));
    await turns(100);
    assert.ok(got.text.length < 30, "everything came at once");
    await until(() => {
      t.mock.timers.tick(1_000);
      return got.text.length === 30;
    });
    t.mock.timers.reset();
  }
});

test("RoughLink.close() ends delayed pieces", async () => {
  await using pair = await linked({ delayMs: 60_000, seed: 1 });
  await pair.client.write("x");
  await turns(10);
  await pair.link.close();
  await assert.rejects(pair.client.read(), { code: "reset" });
});

test("roughLink() resets a connection when its target cannot be reached", async () => {
  const listener = await listen({ host: "127.0.0.1" });
  await listener.close();
  await using link = await roughLink({ to: listener.address });
  const client = await connect(link.address);
  assert.equal(await client.read().catch((error: SocketError) => error.code), "reset");
  await client.closed;
});

test("roughLink() refuses options out of range", async () => {
  const to = { host: "127.0.0.1", port: 1 };
  const wrongs = [
    { pieceBytesMax: 0 },
    { pieceBytesMax: Number.POSITIVE_INFINITY },
    { bytesPerSecond: 0 },
    { resetAfterBytes: Number.NaN },
    { resetAfterBytes: 1.5 },
    { delayMs: -1 },
    { delayMs: Number.POSITIVE_INFINITY },
  ];
  for (const wrong of wrongs) {
    await assert.rejects(roughLink({ to, ...wrong }), RangeError);
  }
});
