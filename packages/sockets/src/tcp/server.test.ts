import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { until } from "../../../../test/until.ts";
import { framed } from "../codec/framed.ts";
import { lines } from "../codec/lines.ts";
import type { SocketError } from "../errors.ts";
import { connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import type { ConnectionHandlers } from "./connection-handlers.ts";
import { serve } from "./serve.ts";
import type { ConnectionHandler } from "./server.ts";

failOnLeaks();

const HOST = { host: "127.0.0.1" };
const text = (bytes: Uint8Array | null): string => (bytes === null ? "(end)" : Buffer.from(bytes).toString());
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const echo: ConnectionHandler = async (connection) => {
  for await (const chunk of connection) await connection.write(chunk);
};

const pushEcho: ConnectionHandlers = {
  data: (connection, chunk) => {
    if (!connection.send(chunk)) connection.pause();
  },
  drain: (connection) => connection.resume(),
};

async function discard(...connections: readonly Connection[]): Promise<void> {
  for (const connection of connections) connection.reset();
  await Promise.all(connections.map(({ closed }) => closed));
}

test("serve() echoes with a function per connection and with handlers", async () => {
  for (const handler of [echo, pushEcho]) {
    await using server = await serve(HOST, handler);
    await using connection = await connect(server.address);
    const bytes = Buffer.alloc(3_000_000, "0123456789");
    const written = connection.write(bytes).then(() => connection.closeWrite());
    assert.ok(bytes.equals(await connection.readExactly(bytes.length)));
    await written;
    assert.equal(await connection.read(), null);
  }
});

test("serve() closes the connection when its function returns", async () => {
  await using server = await serve(HOST, async (connection) => {
    await connection.write("bye");
  });
  await using connection = await connect(server.address);
  assert.equal((await Array.fromAsync(connection)).map(text).join(""), "bye");
});

test("serve() accepts a function that is not async", async () => {
  await using server = await serve(HOST, (connection) => void connection.send("bye"));
  await using connection = await connect(server.address);
  assert.equal(text(await connection.readExactly(3)), "bye");
});

test("serve() calls open, data, end and close of shared handlers for each connection", async () => {
  const events: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  await using server = await serve(HOST, {
    open: (connection) => void events.push(`open ${connection.state} ${connection.isHandled}`),
    data: (_, chunk) => void events.push(text(chunk)),
    end: (connection) => {
      events.push("end");
      connection.closeWrite();
    },
    close: (_, error) => {
      events.push(`close ${error?.code}`);
      resolve();
    },
  });
  await using connection = await connect(server.address);
  await connection.write("x");
  connection.closeWrite();
  await promise;
  assert.deepEqual(events, ["open established true", "x", "end", "close undefined"]);
});

test("serve() ends and reports only the connection of a function that rejects", async () => {
  const reports: Error[] = [];
  await using server = await serve({ ...HOST, onError: (error) => reports.push(error) }, async (connection) => {
    const first = text(await connection.readExactly(1));
    if (first === "!") throw new Error("my bug");
    if (first === "?") throw "my other bug";
    await echo(connection, AbortSignal.abort());
  });
  await using healthy = await connect(server.address);
  await healthy.write("x");
  for (const trigger of ["!", "?"]) {
    await using failing = await connect(server.address);
    await failing.write(trigger);
    assert.equal(await failing.read(), null);
  }
  assert.deepEqual(
    reports.map(({ message }) => message),
    ["my bug", "my other bug"],
  );
  await healthy.write("fine");
  assert.equal(text(await healthy.readExactly(4)), "fine");
});

test("serve() contains a function that throws synchronously", async () => {
  const reports: Error[] = [];
  await using server = await serve({ ...HOST, onError: (error) => reports.push(error) }, () => {
    throw new Error("my bug");
  });
  await using connection = await connect(server.address);
  assert.equal(await connection.read(), null);
  assert.equal(reports.length, 1);
});

test("serve() closes the connection of a failed function even when onError throws", async (t) => {
  const warn = t.mock.method(process, "emitWarning", () => undefined);
  const onError = (): never => {
    throw new Error("the reporter's bug");
  };
  await using server = await serve({ ...HOST, onError }, () => Promise.reject(new Error("my bug")));
  await using connection = await connect(server.address);
  assert.equal(await connection.read(), null);
  assert.equal(warn.mock.callCount(), 1);
});

test("serve() emits a process warning for a failed function without onError", async (t) => {
  const warn = t.mock.method(process, "emitWarning", () => undefined);
  await using server = await serve(HOST, () => Promise.reject(new Error("my bug")));
  await using connection = await connect(server.address);
  assert.equal(await connection.read(), null);
  assert.equal(warn.mock.callCount(), 1);
});

test("serve() breaks only the connection of a failing handler", async () => {
  const failing: readonly [name: string, ConnectionHandlers][] = [
    [
      "open",
      {
        open: () => {
          throw new Error("my bug");
        },
      },
    ],
    ["open", { open: async () => Promise.reject(new Error("my bug")) }],
    [
      "data",
      {
        data: () => {
          throw new Error("my bug");
        },
      },
    ],
    ["data", { data: async () => Promise.reject(new Error("my bug")) }],
    [
      "close",
      {
        close: () => {
          throw new Error("my bug");
        },
      },
    ],
    ["close", { close: async () => Promise.reject(new Error("my bug")) }],
  ];
  for (const [name, handlers] of failing) {
    const reports: Error[] = [];
    const errors: (SocketError | undefined)[] = [];
    await using server = await serve(
      { ...HOST, onError: (error) => reports.push(error) },
      { close: (_, error) => void errors.push(error), ...handlers },
    );
    const connection = await connect(server.address);
    connection.send("x");
    connection.closeWrite();
    await connection.read().catch(() => null);
    await until(() => reports.length > 0, "a failure is reported");
    assert.match(
      reports.map(({ message }) => message).join(),
      new RegExp(`^The ${name} handler of .* failed: my bug$`),
    );
    assert.deepEqual(errors, name === "close" ? [] : reports);
    await discard(connection);
  }
});

test("serve() does not report a reset by the peer or our own shutdown", async () => {
  const reports: Error[] = [];
  const server = await serve({ ...HOST, onError: (error) => reports.push(error) }, async (connection, signal) => {
    await connection.read({ signal });
  });
  const first = await connect(server.address);
  const second = await connect(server.address);
  await until(() => server.connections >= 2, "the server has two connections");
  await discard(first);
  await until(() => server.connections <= 1, "one connection is left");
  const shutdown = server.shutdown();
  assert.equal(await second.read(), null);
  await second.close();
  assert.deepEqual(await shutdown, { graceful: 1, forced: 0 });
  assert.deepEqual(reports, []);
});

test("serve() drops and counts connections above connectionsMax, and accepts again later", async () => {
  await using server = await serve({ ...HOST, connectionsMax: 2 }, echo);
  const clients = [await connect(server.address), await connect(server.address)];
  await assert.rejects(
    connect(server.address).then((third) => third.read()),
    { code: "reset" },
  );
  assert.equal(server.dropped, 1);
  assert.equal(server.connections, 2);
  await discard(...clients);
  await until(() => server.connections === 0, "the server has no connection left");
  await using late = await connect(server.address);
  await late.write("x");
  assert.equal(text(await late.read()), "x");
  assert.equal(server.dropped, 1);
});

test("serve() closes an idle connection after idleTimeoutMs and calls close with the error", async () => {
  const { promise, resolve } = Promise.withResolvers<SocketError | undefined>();
  await using server = await serve({ ...HOST, idleTimeoutMs: 5 }, { close: (_, error) => resolve(error) });
  const connection = await connect(server.address);
  assert.equal((await promise)?.code, "timeout");
  await discard(connection);
});

test("serve() rejects an address in use", async () => {
  await using server = await serve(HOST, echo);
  await assert.rejects(serve(server.address, echo), { code: "address-in-use" });
});

test("Server.shutdown() refuses new connections and waits for the functions", async () => {
  const server = await serve(HOST, async (connection, signal) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    assert.equal((signal.reason as SocketError).code, "closed");
    await connection.write("last words");
  });
  const client = await connect(server.address);
  await until(() => server.connections > 0, "the server has a connection");
  const shutdown = server.shutdown();
  assert.equal(server.shutdown(), shutdown);
  assert.equal(server.state, "closing");
  await assert.rejects(connect(server.address), { code: "refused" });
  assert.equal((await Array.fromAsync(client)).map(text).join(""), "last words");
  await client.close();
  assert.deepEqual(await shutdown, { graceful: 1, forced: 0 });
  assert.equal(server.state, "closed");
  assert.equal(server.connections, 0);
});

test("Server.shutdown() waits for a function that reads frames or events", async () => {
  const server = await serve(HOST, async (connection, signal) => {
    const channel = framed(connection, lines());
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    await channel.write("last words");
  });
  const client = await connect(server.address);
  await until(() => server.connections > 0, "the server has a connection");
  const shutdown = server.shutdown();
  assert.equal((await Array.fromAsync(client)).map(text).join(""), "last words\n");
  await client.close();
  assert.deepEqual(await shutdown, { graceful: 1, forced: 0 });
});

test("Server.shutdown() flushes and closes the connections of event handlers", async () => {
  const bytes = Buffer.alloc(2_000_000, "x");
  const server = await serve(HOST, { open: (connection) => void connection.send(bytes) });
  const client = await connect(server.address);
  await until(() => server.connections > 0, "the server has a connection");
  const shutdown = server.shutdown();
  assert.equal((await client.readExactly(bytes.length)).length, bytes.length);
  assert.equal(await client.read(), null);
  await client.close();
  assert.deepEqual(await shutdown, { graceful: 1, forced: 0 });
});

test("Server.shutdown() resets and counts connections left after timeoutMs", async (t) => {
  const server = await serve(HOST, async (connection, signal) => {
    const kind = text(await connection.readExactly(1));
    connection.send("k");
    // This function ignores its signal; the polite one returns.
    if (kind === "s") await connection.readExactly(1);
    else await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  });
  const clients = [await connect(server.address), await connect(server.address), await connect(server.address)];
  for (const [index, client] of clients.entries()) {
    await client.write(index === 0 ? "s" : "p");
    await client.readExactly(1);
  }
  const [stubborn, polite, silent] = clients as [Connection, Connection, Connection];
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const shutdown = server.shutdown({ timeoutMs: 100 });
  const reset = assert.rejects(stubborn.read(), { code: "reset" });
  assert.equal(await polite.read(), null);
  // The peer sees our end and never finishes. Our side flushed and finished, so it counts as graceful.
  assert.equal(await silent.read(), null);
  await polite.close();
  t.mock.timers.tick(99);
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
  assert.equal(stubborn.state, "established");
  t.mock.timers.tick(1);
  assert.deepEqual(await shutdown, { graceful: 2, forced: 1 });
  await reset;
  await discard(silent);
});

test("Server.shutdown() waits only briefly for a peer that does not finish", async (t) => {
  const server = await serve(HOST, pushEcho);
  await using connection = await connect({ ...server.address, lingerMs: 0 });
  await connection.write("x");
  assert.equal(text(await connection.read()), "x");
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const counts = server.shutdown({ timeoutMs: 60_000 });
  assert.equal(await connection.read(), null);
  t.mock.timers.tick(250);
  assert.deepEqual(await counts, { graceful: 1, forced: 0 });
});

test("Server.shutdown() counts connections cut off by lingerMs as forced", async () => {
  const server = await serve({ ...HOST, lingerMs: 20 }, { open: (c) => void c.send(Buffer.alloc(32 * 1024 * 1024)) });
  const deaf = await connect(server.address);
  await until(() => server.connections > 0, "the server has a connection");
  assert.deepEqual(await server.shutdown({ timeoutMs: 60_000 }), { graceful: 0, forced: 1 });
  await discard(deaf);
});

test("Server.shutdown() counts connections that could not flush as forced", async (t) => {
  const server = await serve(HOST, { open: (connection) => void connection.send(Buffer.alloc(48 * 1024 * 1024)) });
  const client = await connect(server.address);
  await until(() => server.connections > 0, "the server has a connection");
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const shutdown = server.shutdown({ timeoutMs: 100 });
  await nextTurn();
  t.mock.timers.tick(100);
  assert.deepEqual(await shutdown, { graceful: 0, forced: 1 });
  await discard(client);
});

test("Server.shutdown({ timeoutMs: 0 }) resets connections that have just begun to finish", async () => {
  const server = await serve(HOST, pushEcho);
  const client = await connect(server.address);
  await until(() => server.connections > 0, "the server has a connection");
  const { graceful, forced } = await server.shutdown({ timeoutMs: 0 });
  assert.equal(graceful + forced, 1);
  await discard(client);
});

test("Server.shutdown() resets connections of a Unix socket", async (t) => {
  if (process.platform === "win32") return t.skip("Windows has named pipes instead");
  const folder = await mkdtemp(join(tmpdir(), "landline-"));
  try {
    const server = await serve({ path: join(folder, "test.sock") }, async (connection) => {
      await connection.readExactly(1);
    });
    const client = await connect(server.address as { path: string });
    await until(() => server.connections > 0, "the server has a connection");
    assert.deepEqual(await server.shutdown({ timeoutMs: 0 }), { graceful: 0, forced: 1 });
    await discard(client);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("Server.shutdown() without connections resolves at once, also with timeoutMs Infinity", async () => {
  const server = await serve(HOST, echo);
  assert.throws(() => server.shutdown({ timeoutMs: Number.NaN }), RangeError);
  assert.deepEqual(await server.shutdown({ timeoutMs: Number.POSITIVE_INFINITY }), { graceful: 0, forced: 0 });
  await server.close();
  const other = await serve(HOST, echo);
  assert.deepEqual(await other.shutdown(), { graceful: 0, forced: 0 });
});

test("Server shuts down at the end of an await using scope", async () => {
  let left: { readonly state: string } | undefined;
  {
    await using server = await serve(HOST, async (connection, signal) => {
      await connection.read({ signal });
    });
    const client = await connect(server.address);
    client.handle({});
    await until(() => server.connections > 0, "the server has a connection");
    left = server;
  }
  assert.equal(left.state, "closed");
});

test("Server keeps the bytes of concurrent connections apart", async () => {
  await using server = await serve(HOST, pushEcho);
  await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      await using connection = await connect(server.address);
      const bytes = Buffer.alloc(20_000 + index, `${index},`);
      connection.send(bytes);
      assert.ok(bytes.equals(await connection.readExactly(bytes.length)));
    }),
  );
});

test("Server.shutdown() keeps sending to a slow peer", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const bytes = 48 * 1024 * 1024;
  const server = await serve(HOST, (connection) => void connection.send(Buffer.alloc(bytes)));
  const connection = await connect(server.address);
  await until(() => server.connections > 0, "the server has a connection");
  const shutdown = server.shutdown({ timeoutMs: 10_000 });
  for (let ms = 0; ms < 1_500; ms += 250) {
    t.mock.timers.tick(250);
    await nextTurn();
  }
  let received = 0;
  for await (const chunk of connection) received += chunk.length;
  assert.equal(received, bytes);
  connection.closeWrite();
  assert.deepEqual(await shutdown, { graceful: 1, forced: 0 });
  await connection.closed;
});
