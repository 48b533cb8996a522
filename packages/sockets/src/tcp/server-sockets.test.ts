import assert from "node:assert/strict";
import net from "node:net";
import { type TestContext, test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { until } from "../../../../test/until.ts";
import { connect } from "./connect.ts";
import { listen } from "./listen.ts";
import { serve } from "./serve.ts";

failOnLeaks();

const HOST = { host: "127.0.0.1" };
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Collects the servers that Node creates. */
function nodeServers(t: TestContext): readonly net.Server[] {
  const servers: net.Server[] = [];
  const { createServer } = net;
  t.mock.method(net, "createServer", (options: net.ServerOpts) => {
    const server = createServer(options);
    servers.push(server);
    return server;
  });
  return servers;
}

test("listen() and serve() skip a connection that the peer reset before it was accepted", async (t) => {
  const servers = nodeServers(t);
  let served = 0;
  await using listener = await listen(HOST);
  await using server = await serve(HOST, () => {
    served += 1;
  });
  for (const each of servers) {
    // Without a peer the kernel has no peer address.
    const gone = new net.Socket();
    each.emit("connection", gone);
    assert.equal(gone.destroyed, true);
  }
  assert.equal(server.connections + server.dropped + server.acceptErrors + listener.dropped, 0);
  const client = await connect(listener.address);
  const accepted = await listener.accept();
  assert.deepEqual(accepted.remote, client.local);
  await using other = await connect(server.address);
  assert.equal(await other.read(), null);
  assert.equal(served, 1);
  client.reset();
  accepted.reset();
  await Promise.all([client.closed, accepted.closed]);
});

test("Server.close() and an await using scope wait 1 second, then reset open connections", async (t) => {
  for (const end of [
    (server: AsyncDisposable & { close(): Promise<void> }) => server.close(),
    (server: AsyncDisposable) => server[Symbol.asyncDispose](),
  ]) {
    const server = await serve(HOST, async (connection) => {
      // This function ignores its signal.
      await connection.readExactly(1);
    });
    const client = await connect(server.address);
    await until(() => server.connections > 0, "the server has a connection");
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const ended = end(server);
    t.mock.timers.tick(999);
    for (let turn = 0; turn < 10; turn += 1) await nextTurn();
    assert.equal(server.connections, 1);
    t.mock.timers.tick(1);
    await ended;
    assert.equal(server.connections, 0);
    t.mock.timers.reset();
    await assert.rejects(client.read(), { code: "reset" });
    await client.closed;
  }
});
