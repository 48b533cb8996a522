import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { until } from "../../../../test/until.ts";
import { connect } from "./connect.ts";
import { listen } from "./listen.ts";
import { serve } from "./serve.ts";

failOnLeaks();

const HOST = { host: "127.0.0.1" };
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Collects the servers that Node creates. */
/** Connects to the port and resets the connection. This process does nothing else meanwhile, so it cannot accept. */
function connectAndReset(port: number): void {
  const program = `const socket = require("node:net").connect(${port}, "127.0.0.1", () => socket.resetAndDestroy())`;
  const { status, stderr } = spawnSync(process.execPath, ["-e", program], { encoding: "utf8", timeout: 60_000 });
  assert.equal(status, 0, stderr);
}

test("listen() and serve() skip a connection that the peer reset before it was accepted", {
  skip: process.platform !== "linux" && "only Linux accepts connections that were reset before",
}, async () => {
  let served = 0;
  await using listener = await listen(HOST);
  await using server = await serve(HOST, () => {
    served += 1;
  });
  for (const { address } of [listener, server]) connectAndReset(address.port ?? 0);
  const client = await connect(listener.address);
  const accepted = await listener.accept();
  assert.deepEqual(accepted.remote, client.local);
  await using other = await connect(server.address);
  assert.equal(await other.read(), null);
  assert.equal(served, 1);
  assert.equal(server.dropped + server.acceptErrors + listener.dropped + listener.acceptErrors, 0);
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
