import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { describe, type TestContext, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { turn, until } from "../../../../test/until.ts";
import type { Address } from "../address.ts";
import type { SocketError } from "../errors.ts";
import { memoryPair } from "../testing/memory-pair.ts";
import { connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { listen } from "./listen.ts";
import { serve } from "./serve.ts";
import type { ListenOptions } from "./server-sockets.ts";

failOnLeaks();

const fixture = (name: string): Buffer => readFileSync(new URL(`../../../../test/fixtures/${name}`, import.meta.url));
const tls = { cert: fixture("localhost-cert.pem"), key: fixture("localhost-key.pem") };
const HOST = "127.0.0.1";
/** More than the kernel buffers for a peer that reads nothing. */
const FLOOD_BYTES = 16 * 1024 * 1024;
const SEND_MS = 4_000;
const SWEEP_MS = SEND_MS / 4;
/** The first sweep finds waiting bytes; four more find none sent. */
const SWEEPS = 5;

/** Runs sweeps on demand; the last one removes the watch without streams. */
function mockSweeps(t: TestContext): void {
  t.mock.timers.enable({ apis: ["setInterval"] });
  t.after(() => t.mock.timers.tick(SWEEP_MS));
}

/** Waits until the kernel takes no more of the connection's bytes. */
async function full(connection: Connection): Promise<void> {
  await until(async () => {
    const before = connection.sentBytes;
    for (let turns = 0; turns < 10; turns += 1) await turn();
    return connection.bufferedBytes > 0 && connection.sentBytes === before;
  }, "the kernel's buffers are full");
}

/** A Node client that reads nothing. */
async function silentReader(address: Address, isTls: boolean): Promise<net.Socket> {
  const { path, port = 0 } = address;
  const where = path === undefined ? { host: HOST, port } : { path };
  const socket = isTls ? connectTls({ ...where, ca: tls.cert, servername: "localhost" }) : net.connect(where);
  await once(socket, isTls ? "secureConnect" : "connect");
  return socket.pause().on("error", () => undefined);
}

async function discard(socket: net.Socket): Promise<void> {
  if (socket.closed) return;
  socket.destroy();
  await once(socket, "close");
}

describe("sendTimeoutMs", { timeout: 300_000 }, () => {
  const kinds: Readonly<Record<string, ListenOptions>> = {
    TCP: { host: HOST },
    TLS: { host: HOST, tls },
    "a Unix socket": { path: `/tmp/landline-send-${process.pid}.sock` },
  };
  for (const [kind, options] of Object.entries(kinds)) {
    test(`breaks a connection over ${kind} when no buffered byte is sent`, async (t) => {
      mockSweeps(t);
      const opened = Promise.withResolvers<Connection>();
      const closed = Promise.withResolvers<SocketError | undefined>();
      await using server = await serve(
        { ...options, sendTimeoutMs: SEND_MS },
        { open: (connection) => opened.resolve(connection), close: (_, error) => closed.resolve(error) },
      );
      const client = await silentReader(server.address, options.tls !== undefined);
      const connection = await opened.promise;
      connection.send(Buffer.alloc(FLOOD_BYTES));
      await full(connection);
      for (let sweep = 1; sweep < SWEEPS; sweep += 1) {
        t.mock.timers.tick(SWEEP_MS);
        // Newly queued bytes do not count as sent.
        connection.send("more");
        await turn();
        assert.equal(connection.state, "established", `sweep ${sweep}`);
      }
      t.mock.timers.tick(SWEEP_MS);
      const error = await closed.promise;
      assert.deepEqual([error?.code, error?.operation], ["timeout", "send"]);
      assert.match(error?.message ?? "", /timed out: none of \d+ buffered bytes was sent for 4000 ms$/);
      await discard(client);
    });
  }

  test("keeps a connection with a slow reader and an idle connection", async (t) => {
    mockSweeps(t);
    const opened: Connection[] = [];
    await using server = await serve(
      { host: HOST, sendTimeoutMs: SEND_MS },
      { open: (connection) => void opened.push(connection) },
    );
    const idle = await silentReader(server.address, false);
    await until(() => opened.length === 1, "the idle peer is there");
    const slow = await silentReader(server.address, false);
    await until(() => opened.length === 2, "the slow peer is there");
    const connection = opened[1] as Connection;
    connection.send(Buffer.alloc(FLOOD_BYTES));
    for (let round = 0; round < 4; round += 1) {
      await full(connection);
      for (let sweep = 1; sweep < SWEEPS; sweep += 1) t.mock.timers.tick(SWEEP_MS);
      // One write that is sent in parts.
      const before = connection.sentBytes;
      await until(() => {
        slow.read();
        return connection.sentBytes > before;
      }, "a part of the write leaves");
    }
    assert.deepEqual(
      opened.map(({ state }) => state),
      ["established", "established"],
    );
    await Promise.all([discard(idle), discard(slow)]);
  });

  test("ends a waiting write and a lingering close(), and is not reported to onError", async (t) => {
    mockSweeps(t);
    const reported: unknown[] = [];
    const connections: Connection[] = [];
    await using server = await serve(
      { host: HOST, sendTimeoutMs: SEND_MS, lingerMs: Number.POSITIVE_INFINITY, onError: (e) => reported.push(e) },
      async (connection) => {
        connections.push(connection);
        if (connections.length === 1) for (;;) await connection.write(Buffer.alloc(65_536));
        connection.send(Buffer.alloc(FLOOD_BYTES));
      },
    );
    const clients = [await silentReader(server.address, false), await silentReader(server.address, false)];
    await until(() => connections.length === 2, "both are served");
    for (const connection of connections) await full(connection);
    assert.equal(connections[1]?.state, "closing");
    for (let sweep = 0; sweep < SWEEPS; sweep += 1) t.mock.timers.tick(SWEEP_MS);
    await Promise.all(connections.map(({ closed }) => closed));
    assert.deepEqual(reported, []);
    await Promise.all(clients.map(discard));
  });

  test("resets a detached socket", async (t) => {
    mockSweeps(t);
    const opened = Promise.withResolvers<Connection>();
    await using server = await serve({ host: HOST, sendTimeoutMs: SEND_MS }, { open: (c) => opened.resolve(c) });
    const client = await silentReader(server.address, false);
    const socket = (await opened.promise).detach().socket as net.Socket;
    const closed = once(socket, "close");
    socket.write(Buffer.alloc(FLOOD_BYTES));
    await until(() => socket.writableLength > 0, "bytes wait");
    while (!socket.destroyed) {
      t.mock.timers.tick(SWEEP_MS);
      await turn();
    }
    await closed;
    await discard(client);
  });

  test("works for connect() and listen(), and is off with 0 or Infinity", async (t) => {
    mockSweeps(t);
    for (const never of [0, Number.POSITIVE_INFINITY]) {
      await using listener = await listen({ host: HOST, sendTimeoutMs: never });
      const client = await connect({ ...listener.address, sendTimeoutMs: SEND_MS });
      const server = await listener.accept();
      for (const connection of [client, server]) connection.send(Buffer.alloc(FLOOD_BYTES));
      for (const connection of [client, server]) await full(connection);
      for (let sweep = 1; sweep < SWEEPS; sweep += 1) t.mock.timers.tick(SWEEP_MS);
      assert.deepEqual([client.state, server.state], ["established", "established"]);
      const waiting = client.flush();
      t.mock.timers.tick(SWEEP_MS);
      await assert.rejects(waiting, { code: "timeout", operation: "send" });
      await client.closed;
      server.reset();
      await server.closed;
    }
  });

  test("releases a closed connection and its unread bytes before the next sweep", async (t) => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    mockSweeps(t);
    for (const options of [{ host: HOST }, { host: HOST, tls }]) {
      const served: WeakRef<Connection>[] = [];
      await using server = await serve({ ...options, sendTimeoutMs: SEND_MS }, async (connection) => {
        served.push(new WeakRef(connection));
        await connection.readExactly(1);
        await connection.closed;
      });
      const client = await silentReader(server.address, "tls" in options);
      client.write(Buffer.alloc(40_000));
      await until(() => (served[0]?.deref()?.unreadBytes ?? 0) > 0, "bytes are unread");
      served[0]?.deref()?.reset();
      await until(() => server.connections === 0, "the connection is closed");
      await discard(client);
      await until(() => {
        collect();
        return served[0]?.deref() === undefined;
      }, "the connection is collected");
    }
  });

  test("works for streams that are not sockets", async (t) => {
    mockSweeps(t);
    await using pair = await memoryPair({ client: { sendTimeoutMs: SEND_MS } });
    pair.client.send(Buffer.alloc(FLOOD_BYTES));
    const waiting = pair.client.flush();
    await full(pair.client);
    for (let sweep = 0; sweep < SWEEPS; sweep += 1) t.mock.timers.tick(SWEEP_MS);
    await assert.rejects(waiting, { code: "timeout", operation: "send" });
  });

  test("is validated by connect() and listen()", async () => {
    for (const sendTimeoutMs of [-1, Number.NaN, 2 ** 31]) {
      await assert.rejects(listen({ host: HOST, sendTimeoutMs }), RangeError);
      await assert.rejects(connect({ port: 1, sendTimeoutMs }), RangeError);
    }
  });
});
