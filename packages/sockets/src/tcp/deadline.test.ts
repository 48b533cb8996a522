import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionPair } from "../../../../test/connection-pair.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import type { SocketError } from "../errors.ts";

failOnLeaks();

const FLOOD_BYTES = 32 * 1024 * 1024;

test("Connection.setReadDeadline() ends the waiting read, loses nothing, and can be set again", async (t) => {
  await using pair = await connectionPair();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  pair.client.setReadDeadline(100);
  const waiting = pair.client.readExactly(4);
  await pair.server.write("ab");
  t.mock.timers.tick(99);
  t.mock.timers.tick(1);
  await assert.rejects(waiting, (error: SocketError) => {
    assert.equal(error.code, "timeout");
    assert.equal(error.operation, "read");
    assert.deepEqual(error.remote, pair.client.remote);
    return true;
  });
  await assert.rejects(pair.client.read(), { code: "timeout" });
  pair.client.setReadDeadline(null);
  await pair.server.write("cd");
  assert.equal(Buffer.from(await pair.client.readExactly(4)).toString(), "abcd");
});

test("Connection.setReadDeadline(0) is past at once, even with buffered bytes", async () => {
  await using pair = await connectionPair();
  await pair.server.write("stored");
  assert.equal((await pair.client.readExactly(1)).length, 1);
  pair.client.setReadDeadline(0);
  await assert.rejects(pair.client.read(), { code: "timeout" });
  pair.client.setReadDeadline(60_000);
  assert.equal(Buffer.from((await pair.client.read()) ?? []).toString(), "tored");
  pair.client.setReadDeadline(null);
});

test("Connection.setReadDeadline() replaces the previous deadline", async (t) => {
  await using pair = await connectionPair();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const waiting = pair.client.read();
  for (let i = 0; i < 5; i += 1) {
    pair.client.setReadDeadline(100);
    t.mock.timers.tick(99);
  }
  await pair.server.write("x");
  assert.equal((await waiting)?.length, 1);
  pair.client.setReadDeadline(50);
  const next = pair.client.read();
  t.mock.timers.tick(50);
  await assert.rejects(next, { code: "timeout" });
});

test("Connection.setWriteDeadline() withdraws waiting writes, and can be set again", async (t) => {
  await using pair = await connectionPair();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  pair.client.send(Buffer.alloc(FLOOD_BYTES));
  pair.client.setWriteDeadline(100);
  const writing = pair.client.write("never");
  const flushing = pair.client.flush();
  t.mock.timers.tick(100);
  await assert.rejects(writing, { code: "timeout", operation: "write" });
  await assert.rejects(flushing, { code: "timeout" });
  await assert.rejects(pair.client.write("never"), { code: "timeout" });
  pair.client.setWriteDeadline(null);
  const written = pair.client.write("end").then(() => pair.client.closeWrite());
  let bytes = 0;
  for await (const chunk of pair.server) bytes += chunk.length;
  await written;
  assert.equal(bytes, FLOOD_BYTES + 3);
});

test("Connection deadlines refuse invalid times and stop with the connection", async () => {
  await using pair = await connectionPair();
  assert.throws(() => pair.client.setReadDeadline(-1), RangeError);
  assert.throws(() => pair.client.setWriteDeadline(Number.NaN), RangeError);
  pair.client.setReadDeadline(60_000);
  pair.client.setWriteDeadline(60_000);
  pair.client.reset();
  await pair.client.closed;
  await assert.rejects(pair.client.read(), { code: "closed" });
});

test("Connection.flush() after closeWrite() waits for the bytes written before", async () => {
  await using pair = await connectionPair();
  pair.client.send(Buffer.alloc(FLOOD_BYTES));
  pair.client.closeWrite();
  const flushed = pair.client.flush();
  let bytes = 0;
  for await (const chunk of pair.server) bytes += chunk.length;
  await flushed;
  assert.equal(bytes, FLOOD_BYTES);
  await pair.client.flush();
});

test("Connection.setReadDeadline() uses one timer for many reads", async () => {
  await using pair = await connectionPair();
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  pair.client.setReadDeadline(60_000);
  for (let i = 0; i < 100; i += 1) {
    const read = pair.client.read();
    pair.server.send("x");
    await read;
  }
  assert.equal(timers(), before + 1);
});
