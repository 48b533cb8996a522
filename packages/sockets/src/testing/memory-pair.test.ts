import assert from "node:assert/strict";
import { test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import type { SocketError } from "../errors.ts";
import { memoryPair } from "./memory-pair.ts";
import { textOf } from "./transport-data.ts";
import { turns } from "./turns.ts";

failOnLeaks();

test("memoryPair() delivers in a later turn, never synchronously", async () => {
  await using pair = memoryPair();
  const events: string[] = [];
  pair.server.handle({ data: (_, chunk) => void events.push(textOf(chunk)) });
  await turns(1);
  pair.client.send("a");
  await pair.client.flush();
  events.push("sent");
  await turns(2);
  assert.deepEqual(events, ["sent", "a"]);
});

test("memoryPair() joins unread writes, as a kernel does", async () => {
  await using pair = memoryPair();
  for (const text of ["a", "b", "c"]) {
    pair.client.send(text);
    await pair.client.flush();
  }
  assert.equal(textOf(await pair.server.read()), "abc");
});

test("memoryPair() copies written bytes", async () => {
  await using pair = memoryPair();
  const bytes = Buffer.alloc(4_000, "a");
  await pair.client.write(bytes);
  await pair.client.flush();
  bytes.fill("x");
  assert.equal(textOf(await pair.server.readExactly(4_000)), "a".repeat(4_000));
});

test("memoryPair() buffers at most bufferBytes per direction", async () => {
  await using pair = memoryPair({ bufferBytes: 10, client: { writeHighWaterMark: 50 } });
  assert.equal(pair.client.send("x".repeat(100)), false);
  await turns(5);
  pair.server.reset();
  await assert.rejects(pair.client.flush(), (error: SocketError) => {
    assert.equal(error.code, "reset");
    assert.equal(error.bytesWritten, 10);
    return true;
  });
});

test("memoryPair() counts bytes for errors", async () => {
  await using pair = memoryPair();
  await pair.client.write("12345");
  await pair.server.write("123");
  await pair.server.readExactly(5);
  const read = pair.server.read();
  pair.client.reset();
  await assert.rejects(read, (error: SocketError) => {
    assert.equal(error.bytesRead, 5);
    assert.equal(error.bytesWritten, 3);
    assert.equal((error.cause as NodeJS.ErrnoException).code, "ECONNRESET");
    return true;
  });
});

test("memoryPair() resets the peer when an end closes with unread bytes, as TCP does", async (t) => {
  await using pair = memoryPair({ bufferBytes: 4, server: { lingerMs: 100 } });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  pair.client.send("abcd");
  await turns(1);
  const { socket } = pair.server.detach();
  socket.destroy();
  await assert.rejects(pair.client.read(), { code: "reset" });
});

test("memoryPair() reads the end of a closed peer, and writing to it gives reset", async () => {
  await using pair = memoryPair();
  pair.server.detach().socket.destroy();
  assert.equal(await pair.client.read(), null);
  await pair.client.write("x");
  await assert.rejects(pair.client.flush(), { code: "reset" });
});

test("memoryPair() waits for the peer's end at most lingerMs", async (t) => {
  await using pair = memoryPair({ client: { lingerMs: 100 } });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const closed = pair.client.close();
  await turns(5);
  assert.equal(pair.client.state, "closing");
  t.mock.timers.tick(100);
  await closed;
  assert.equal(await pair.server.read(), null);
});

test("memoryPair() delivers with all timers mocked", async (t) => {
  t.mock.timers.enable();
  await using pair = memoryPair();
  await pair.client.write("hello");
  assert.equal(textOf(await pair.server.readExactly(5)), "hello");
});

test("memoryPair() refuses an invalid bufferBytes", () => {
  for (const bufferBytes of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => memoryPair({ bufferBytes }), RangeError);
  }
});
