import assert from "node:assert/strict";
import { once } from "node:events";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { connectionPair } from "../../../../test/connection-pair.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { Connection } from "./connection.ts";
import type { ConnectionOptions } from "./connection-options.ts";

failOnLeaks();

/** Records every write and completes it at once. */
class WatchedStream extends Duplex {
  readonly writes: (readonly Uint8Array[])[] = [];

  constructor() {
    super({ allowHalfOpen: true });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push([chunk]);
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.writes.push(chunks.map(({ chunk }) => chunk));
    done();
  }
}

function watched(options?: ConnectionOptions): { stream: WatchedStream; connection: Connection } {
  const stream = new WatchedStream();
  const connection = new Connection(stream, options);
  connection.opened("established");
  return { stream, connection };
}

const tick = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

test("Connection joins the small parts of a tick and does not copy large ones", async () => {
  const { stream, connection } = watched();
  for (const part of ["one", "two", "three"]) connection.send(part);
  assert.equal(stream.writes.length, 0);
  await tick();
  assert.deepEqual(
    stream.writes.map((chunks) => chunks.map(String)),
    [["onetwothree"]],
  );

  const [header, body] = [Buffer.from("header"), Buffer.alloc(10_000)];
  connection.send([header, body]);
  await tick();
  const [, large = []] = stream.writes;
  assert.deepEqual(
    large.map(({ buffer, byteOffset }) => [buffer, byteOffset]),
    [
      [header.buffer, header.byteOffset],
      [body.buffer, body.byteOffset],
    ],
  );
  connection.reset();
});

test("Connection keeps the order of gathered parts and parts written at once", async () => {
  const { stream, connection } = watched();
  const [large, small] = [Buffer.alloc(5_000, "l"), Buffer.from("s")];
  connection.send(large);
  assert.equal(stream.writes.length, 1);
  connection.send(small);
  connection.send(large);
  assert.equal(stream.writes.length, 1);
  await tick();
  const bytes = Buffer.concat(stream.writes.flat());
  assert.ok(bytes.equals(Buffer.concat([large, small, large])));
  connection.reset();
});

test("Connection counts gathered bytes in bufferedBytes and against the mark", () => {
  const { connection } = watched();
  assert.equal(connection.send("x".repeat(2_000)), true);
  assert.equal(connection.bufferedBytes, 2_000);
  assert.equal(connection.canWrite, true);
  for (let sent = 2_000; sent < 64_000; sent += 2_000) assert.equal(connection.send("x".repeat(2_000)), true);
  assert.equal(connection.send("x".repeat(2_000)), false);
  assert.equal(connection.canWrite, false);
  connection.reset();
});

test("Connection calls drain after one tick filled the buffer", async () => {
  const { stream, connection } = watched();
  const { promise: drained, resolve } = Promise.withResolvers<void>();
  connection.handle({ drain: () => resolve() });
  while (connection.send("x".repeat(1_000)));
  assert.equal(stream.writes.length, 0);
  await drained;
  assert.equal(connection.canWrite, true);
  assert.equal(connection.bufferedBytes, 0);
  connection.reset();
});

for (const [name, leave] of [
  ["closeWrite()", ({ client }) => client.closeWrite()],
  ["close()", ({ client }) => void client.close()],
  ["flush()", ({ client }) => void client.flush().then(() => client.closeWrite())],
] satisfies readonly (readonly [string, (pair: Awaited<ReturnType<typeof connectionPair>>) => unknown])[]) {
  test(`Connection.${name} includes data sent in the same tick`, async () => {
    await using pair = await connectionPair();
    pair.client.send("last ");
    pair.client.send("words");
    leave(pair);
    assert.equal(String(await pair.server.readExactly(10)), "last words");
    assert.equal(await pair.server.read(), null);
  });
}

test("Connection.detach() includes data sent in the same tick", async () => {
  await using pair = await connectionPair();
  pair.client.send("last words");
  const { socket } = pair.client.detach();
  const closed = once(socket, "close");
  socket.resume().end();
  assert.equal(String(await pair.server.readExactly(10)), "last words");
  await pair.server.close();
  await closed;
});

test("Connection.reset() drops data sent in the same tick", async () => {
  const { stream, connection } = watched();
  connection.send("never");
  connection.reset();
  await connection.closed;
  assert.deepEqual(stream.writes, []);
  assert.equal(connection.bufferedBytes, 0);
});

test("Connection refuses data that is not bytes or text, and the whole list around it", async () => {
  const { stream, connection } = watched();
  for (const wrong of [5, null, undefined, {}, new ArrayBuffer(1), [Buffer.from("x"), 5], ["x", undefined], [["x"]]]) {
    const expected = { name: "TypeError", message: /^data must be bytes, text or a list of them: / };
    assert.throws(() => connection.send(wrong as never), expected);
    await assert.rejects(connection.write(wrong as never), expected);
    assert.equal(connection.bufferedBytes, 0);
  }
  await connection.write("right");
  await connection.flush();
  assert.deepEqual(stream.writes.map(String), ["right"]);
  connection.reset();
});

test("Connection calls drain when both marks are equal and exactly reached", async () => {
  const { connection } = watched({ writeHighWaterMark: 4_096 });
  const { promise: drained, resolve } = Promise.withResolvers<void>();
  connection.handle({ drain: () => resolve() });
  connection.send(Buffer.alloc(4_096));
  for (let i = 0; i < 3; i += 1) connection.send(Buffer.alloc(1_024));
  assert.equal(connection.send(Buffer.alloc(1_024)), false);
  await Promise.all([drained, connection.write("waits")]);
  connection.reset();
});

test("Connection gathers answers of several parts after the first such answer", async () => {
  const { stream, connection } = watched();
  let parts = 1;
  connection.handle({
    data: () => {
      for (let part = 0; part < parts; part += 1) connection.send(String(part));
    },
  });
  const sizes: number[] = [];
  for (const next of [1, 1, 2, 2, 2, 1, 1]) {
    parts = next;
    stream.writes.length = 0;
    stream.push("?");
    await new Promise((resolve) => setImmediate(resolve));
    sizes.push(stream.writes.length);
  }
  // Only the first answer needs two writes.
  assert.deepEqual(sizes, [1, 1, 2, 1, 1, 1, 1]);
  connection.reset();
});

test("Connection breaks alone when a sent buffer is transferred, and flush() after reset() rejects", async () => {
  const [one, other] = [watched(), watched()];
  const bytes = new Uint8Array(10);
  one.connection.send(bytes);
  other.connection.send("bystander");
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  one.connection.send(new Uint8Array(20));
  await tick();
  assert.deepEqual(other.stream.writes.map(String), ["bystander"]);
  other.connection.send("lost");
  other.connection.reset();
  await assert.rejects(other.connection.flush(), { code: "closed" });
  one.connection.reset();
});
