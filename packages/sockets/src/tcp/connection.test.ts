import assert from "node:assert/strict";
import diagnostics from "node:diagnostics_channel";
import { getEventListeners, once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { connectionPair } from "../../../../test/connection-pair.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { until } from "../../../../test/until.ts";
import type { SocketError } from "../errors.ts";
import type { StateChange } from "../state.ts";
import { connect } from "./connect.ts";
import { Connection } from "./connection.ts";
import type { ConnectionHandlers } from "./connection-handlers.ts";
import type { ConnectionOptions, ConnectionOrigin } from "./connection-options.ts";
import { listen } from "./listen.ts";

failOnLeaks();

const text = (bytes: Uint8Array | null): string => (bytes === null ? "(end)" : Buffer.from(bytes).toString());
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** More than the kernel buffers of both ends hold. */
const FLOOD_BYTES = 48 * 1024 * 1024;

/** A stream whose peer reads and ends only when the test says so. */
class HeldStream extends Duplex {
  /** Bytes that the peer read. */
  taken = "";
  /** Number of writes to the kernel. */
  calls = 0;
  hasFinished = false;
  #pending: (() => void)[] = [];

  constructor() {
    super({ allowHalfOpen: true, writableHighWaterMark: 1 });
  }

  /** Completes pending writes until none is left. */
  async takeAll(): Promise<void> {
    await nextTurn();
    while (this.#pending.length > 0) {
      this.#pending.shift()?.();
      await nextTurn();
    }
  }

  /** Completes the pending write. */
  async takeOne(): Promise<void> {
    await nextTurn();
    this.#pending.shift()?.();
    await nextTurn();
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#hold([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#hold(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: () => void): void {
    this.hasFinished = true;
    done();
  }

  #hold(chunks: readonly Buffer[], done: () => void): void {
    this.calls += 1;
    this.#pending.push(() => {
      this.taken += Buffer.concat(chunks).toString();
      done();
    });
  }
}

function heldConnection(
  options?: ConnectionOptions,
  origin?: ConnectionOrigin,
): { stream: HeldStream; connection: Connection } {
  const stream = new HeldStream();
  const connection = new Connection(stream, options, origin);
  connection.opened("established");
  return { stream, connection };
}

// Reading by pulling

test("Connection.read() returns arrived bytes, and null after the peer finished", async () => {
  await using pair = await connectionPair();
  await pair.client.write("hello");
  assert.equal(text(await pair.server.read()), "hello");
  pair.client.closeWrite();
  assert.equal(await pair.server.read(), null);
  assert.equal(await pair.server.read(), null);
});

test("Connection.readExactly() waits for all bytes and leaves the rest unread", async () => {
  await using pair = await connectionPair();
  const read = pair.server.readExactly(5);
  await pair.client.write("he");
  await pair.client.flush();
  await pair.client.write("llo world");
  assert.equal(text(await read), "hello");
  assert.equal(text(await pair.server.readExactly(0)), "");
  assert.equal(text(await pair.server.readExactly(6)), " world");
  assert.equal(pair.server.unreadBytes, 0);
});

test("Connection.readExactly() reads more than the high-water mark", async () => {
  await using pair = await connectionPair({ server: { readHighWaterMark: 1_000 } });
  const bytes = Buffer.alloc(1_000_000, "abc");
  const written = pair.client.write(bytes);
  assert.ok(bytes.equals(await pair.server.readExactly(bytes.length)));
  await written;
});

test("Connection.readExactly() rejects invalid lengths", async () => {
  await using pair = await connectionPair();
  for (const length of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    await assert.rejects(pair.server.readExactly(length), RangeError);
  }
});

test("Connection.readExactly() rejects with expected and partial when the peer finishes early", async () => {
  await using pair = await connectionPair();
  await pair.client.write("ab");
  pair.client.closeWrite();
  const error: SocketError = await pair.server.readExactly(3).then(
    () => assert.fail("it should reject"),
    (reason: SocketError) => reason,
  );
  assert.equal(error.code, "end-of-stream");
  assert.equal(error.expected, 3);
  assert.equal(text(error.partial ?? null), "ab");
  assert.equal(await pair.server.read(), null);
  assert.equal(text(await pair.server.readExactly(0)), "");
});

test("Connection.readUntil() includes the delimiter at every split of it", async () => {
  await using pair = await connectionPair();
  const read = pair.server.readUntil("\r\n\r\n");
  for (const piece of ["head\r", "\n\r", "\n", "body"]) {
    await pair.client.write(piece);
    await pair.client.flush();
    await nextTurn();
  }
  assert.equal(text(await read), "head\r\n\r\n");
  assert.equal(text(await pair.server.readUntil(Uint8Array.of(0x64))), "bod");
  await assert.rejects(pair.server.readUntil(""), RangeError);
});

test("Connection.readUntil() accepts a delimiter at the limit, and leaves the bytes unread one past it", async () => {
  await using pair = await connectionPair();
  await pair.client.write("abcd\nabcde\n");
  assert.equal(text(await pair.server.readUntil("\n", { bytesMax: 5 })), "abcd\n");
  await assert.rejects(pair.server.readUntil("\n", { bytesMax: 5 }), { code: "limit" });
  await assert.rejects(pair.server.readUntil("zz", { bytesMax: 5 }), { code: "limit" });
  assert.equal(text(await pair.server.readUntil("\n", { bytesMax: 6 })), "abcde\n");
});

test("Connection.readUntil() reads beyond the high-water mark when its limit is higher", async () => {
  await using pair = await connectionPair({ server: { readHighWaterMark: 10 } });
  await pair.client.write(`${"x".repeat(10_000)}\n`);
  assert.equal((await pair.server.readUntil("\n")).length, 10_001);
});

test("Connection.readUntil() rejects with partial when the peer finishes early", async () => {
  await using pair = await connectionPair();
  await pair.client.write("no end");
  pair.client.closeWrite();
  await assert.rejects(pair.server.readUntil("\n"), (error: SocketError) => {
    assert.equal(error.code, "end-of-stream");
    assert.equal(error.expected, undefined);
    assert.equal(text(error.partial ?? null), "no end");
    return true;
  });
});

test("Connection reads lose no byte when they time out or are aborted", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using pair = await connectionPair();
  const controller = new AbortController();
  const { signal } = controller;
  await pair.client.write("abc");
  const reads = [
    () => pair.server.readExactly(10, { timeoutMs: 5 }),
    () => pair.server.readUntil("\n", { timeoutMs: 5 }),
  ];
  for (const read of reads) {
    const timedOut = assert.rejects(read(), { code: "timeout", message: /timed out after 5 ms$/ });
    for (let turn = 0; turn < 3; turn += 1) await nextTurn();
    t.mock.timers.tick(5);
    await timedOut;
  }
  const aborted = assert.rejects(pair.server.readExactly(10, { signal }), /stop/);
  controller.abort(new Error("stop"));
  await aborted;
  await assert.rejects(pair.server.read({ signal }), /stop/);
  assert.equal(pair.server.state, "established");
  await pair.client.write("def\n");
  assert.equal(text(await pair.server.readExactly(7)), "abcdef\n");
});

test("Connection.read() times out without data, and works afterwards", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using pair = await connectionPair();
  const read = assert.rejects(pair.server.read({ timeoutMs: 1_000 }), { code: "timeout" });
  t.mock.timers.tick(1_000);
  await read;
  await pair.client.write("x");
  assert.equal(text(await pair.server.read()), "x");
});

test("Connection.read() rejects with busy while another read waits", async () => {
  await using pair = await connectionPair();
  const first = pair.server.read();
  await assert.rejects(pair.server.read(), { code: "busy" });
  await assert.rejects(pair.server.readExactly(1), { code: "busy" });
  await assert.rejects(pair.server.readUntil("\n"), { code: "busy" });
  assert.throws(() => pair.server.handle({}), { code: "busy" });
  await pair.client.write("x");
  assert.equal(text(await first), "x");
});

test("Connection yields chunks in for await, and stays open when the loop is left", async () => {
  await using pair = await connectionPair();
  await pair.client.write("one");
  for await (const chunk of pair.server) {
    assert.equal(text(chunk), "one");
    break;
  }
  assert.equal(pair.server.state, "established");
  await pair.client.write("two");
  pair.client.closeWrite();
  assert.deepEqual((await Array.fromAsync(pair.server)).map(text), ["two"]);
});

test("Connection.unread() puts bytes in front and settles a waiting read", async () => {
  await using pair = await connectionPair();
  await pair.client.write("cd");
  const chunk = await pair.server.read();
  assert.ok(chunk !== null);
  pair.server.unread(chunk);
  pair.server.unread(Buffer.from("ab"));
  assert.equal(text(await pair.server.readExactly(4)), "abcd");
  const read = pair.server.readExactly(2);
  pair.server.unread(Buffer.from("ef"));
  assert.equal(text(await read), "ef");
  const line = pair.server.readUntil("\n");
  await pair.client.write("three");
  await until(() => pair.server.unreadBytes >= 5, "five bytes have arrived");
  pair.server.unread(Buffer.from("two\n"));
  assert.equal(text(await line), "two\n");
});

test("Connection stops reading from the socket above its high-water mark", async () => {
  const { stream, connection } = heldConnection({ readHighWaterMark: 100 });
  const first = connection.readExactly(1);
  for (let i = 0; i < 50; i += 1) stream.push(Buffer.alloc(10, "x"));
  assert.equal(text(await first), "x");
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  assert.ok(connection.unreadBytes < 200, `${connection.unreadBytes} bytes are buffered`);
  assert.equal((await connection.readExactly(499)).length, 499);
  connection.reset();
});

// Writing

test("Connection.write() accepts bytes, text and lists of them", async () => {
  await using pair = await connectionPair();
  await pair.client.write(Uint8Array.of(0x61));
  await pair.client.write("é");
  await pair.client.write(["b", Buffer.from("c"), "", new Uint8Array(0), "😀"]);
  await pair.client.write([]);
  await pair.client.write("");
  pair.client.closeWrite();
  assert.equal(text(await pair.server.readExactly(9)), "aébc😀");
  assert.equal(await pair.server.read(), null);
});

test("Connection keeps the order of write(), send() and flush()", async () => {
  const { stream, connection } = heldConnection({ writeHighWaterMark: 4, writeLowWaterMark: 2 });
  const settled: string[] = [];
  const note = (name: string) => () => settled.push(name);
  connection.send("12345");
  const all = [
    connection.write("a").then(note("a")),
    connection.write(["b", "c"]).then(note("bc")),
    connection.flush().then(note("flush")),
    connection.write("d").then(note("d")),
  ];
  await nextTurn();
  assert.deepEqual(settled, []);
  await stream.takeAll();
  await Promise.all(all);
  assert.equal(stream.taken, "12345abcd");
  assert.deepEqual(settled.slice(0, 2), ["a", "bc"]);
  connection.reset();
});

test("Connection.write() is accepted at once below the high-water mark and waits at it", async () => {
  const { stream, connection } = heldConnection({ writeHighWaterMark: 10, writeLowWaterMark: 5 });
  await connection.write("123456789");
  assert.equal(connection.canWrite, true);
  await connection.write("0");
  assert.equal(connection.canWrite, false);
  assert.equal(connection.bufferedBytes, 10);
  let isAccepted = false;
  const write = connection.write("more").then(() => {
    isAccepted = true;
  });
  await nextTurn();
  assert.equal(isAccepted, false);
  assert.equal(connection.bufferedBytes, 10);
  await stream.takeAll();
  await write;
  await stream.takeAll();
  assert.equal(stream.taken, "1234567890more");
  connection.reset();
});

test("Connection.write() withdraws its data when it is aborted or times out", async (t) => {
  const { stream, connection } = heldConnection({ writeHighWaterMark: 2 });
  const controller = new AbortController();
  connection.send("xx");
  const first = connection.write("A");
  const aborted = assert.rejects(connection.write("B", { signal: controller.signal }), /no more/);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const timedOut = assert.rejects(connection.write("C", { timeoutMs: 7 }), { code: "timeout" });
  const flushTimedOut = assert.rejects(connection.flush({ timeoutMs: 7 }), { code: "timeout" });
  const last = connection.write("D");
  controller.abort(new Error("no more"));
  t.mock.timers.tick(7);
  await Promise.all([aborted, timedOut, flushTimedOut]);
  await assert.rejects(connection.write("E", { signal: controller.signal }), /no more/);
  await stream.takeAll();
  await Promise.all([first, last]);
  await stream.takeAll();
  assert.equal(stream.taken, "xxAD");
  connection.reset();
});

test("Connection.write() waits for a slow peer, and all bytes arrive", async () => {
  await using pair = await connectionPair();
  assert.equal(pair.client.send(Buffer.alloc(FLOOD_BYTES)), false);
  assert.equal(pair.client.canWrite, false);
  const controller = new AbortController();
  const aborted = assert.rejects(pair.client.write("lost", { signal: controller.signal }), { name: "AbortError" });
  const kept = pair.client.write("kept");
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  assert.ok(pair.client.bufferedBytes > 0);
  controller.abort();
  await aborted;
  await pair.server.readExactly(FLOOD_BYTES);
  await kept;
  pair.client.closeWrite();
  assert.deepEqual((await Array.fromAsync(pair.server)).map(text).join(""), "kept");
});

test("Connection.send() returns false above the mark, still queues, and drain follows", async () => {
  const { stream, connection } = heldConnection({ writeHighWaterMark: 10, writeLowWaterMark: 5 });
  let drains = 0;
  connection.handle({
    drain: () => {
      drains += 1;
    },
  });
  assert.equal(connection.send("123456789"), true);
  assert.equal(connection.send("0"), false);
  assert.equal(connection.send("abc"), false);
  await nextTurn();
  assert.equal(drains, 0);
  await stream.takeAll();
  assert.equal(stream.taken, "1234567890abc");
  assert.equal(drains, 1);
  assert.equal(connection.canWrite, true);
  connection.reset();
});

test("Connection accepts waiting writes exactly at the low-water mark", async () => {
  for (const [waiting, isAtOnce] of [
    ["12345", true],
    ["123456", false],
  ] as const) {
    const { stream, connection } = heldConnection({ writeHighWaterMark: 10, writeLowWaterMark: 5 });
    let drains = 0;
    connection.handle({
      drain: () => {
        drains += 1;
      },
    });
    connection.send("0123456789");
    await nextTurn();
    connection.send(waiting);
    await stream.takeOne();
    assert.equal(connection.bufferedBytes, waiting.length);
    assert.equal(drains, isAtOnce ? 1 : 0);
    await stream.takeAll();
    assert.equal(drains, 1);
    connection.reset();
  }
});

test("Connection.write() counts text in bytes, not in characters", async () => {
  const { stream, connection } = heldConnection({ writeHighWaterMark: 100, writeLowWaterMark: 50 });
  let drains = 0;
  connection.handle({
    drain: () => {
      drains += 1;
    },
  });
  // 40 characters, 120 bytes.
  assert.equal(connection.send("€".repeat(40)), false);
  assert.equal(connection.bufferedBytes, 120);
  await stream.takeAll();
  assert.equal(drains, 1);
  connection.reset();

  await using pair = await connectionPair();
  pair.client.send("€".repeat(10));
  assert.equal(pair.client.bufferedBytes, 30);
});

test("Connection.send() joins the small data of one tick into one write", async () => {
  const { stream, connection } = heldConnection();
  for (let i = 0; i < 10; i += 1) connection.send(String(i));
  await connection.write(["a", "b"]);
  await stream.takeAll();
  assert.equal(stream.calls, 1);
  assert.equal(stream.taken, "0123456789ab");
  connection.reset();
});

test("Connection.send() sends at once when the previous answer was one small write, else gathers", async () => {
  const { stream, connection } = heldConnection();
  const answers = ["a", "b", "cde", "fg", "h"];
  const calls: number[] = [];
  connection.handle({
    data: () => {
      for (const part of answers[calls.length] ?? "") connection.send(part);
      calls.push(stream.calls);
    },
  });
  for (const _ of answers) {
    stream.push("?");
    await stream.takeAll();
  }
  assert.equal(stream.taken, answers.join(""));
  // Recorded at the end of each event: "b" and "c" were sent; "de" was sent alone.
  assert.deepEqual(calls, [0, 2, 3, 4, 5]);
  assert.equal(stream.calls, 6);
  connection.reset();
});

test("Connection.send() returns false when the connection can no longer be written", async () => {
  await using pair = await connectionPair();
  pair.client.closeWrite();
  assert.equal(pair.client.send("x"), false);
  pair.server.reset();
  await pair.server.closed;
  assert.equal(pair.server.send("x"), false);
  assert.equal(pair.server.canWrite, false);
});

test("Connection.flush() resolves when the kernel has taken all bytes", async () => {
  const { stream, connection } = heldConnection();
  await connection.flush();
  connection.send("abc");
  let isFlushed = false;
  const flush = connection.flush().then(() => {
    isFlushed = true;
  });
  await nextTurn();
  assert.equal(isFlushed, false);
  await stream.takeAll();
  await flush;
  assert.equal(connection.bufferedBytes, 0);
  connection.reset();
});

test("Connection rejects waiting writes and flushes when it breaks", async () => {
  await using pair = await connectionPair();
  pair.client.send(Buffer.alloc(FLOOD_BYTES));
  const write = assert.rejects(pair.client.write("x"), { code: "reset" });
  const flush = assert.rejects(pair.client.flush(), { code: "reset" });
  await nextTurn();
  pair.server.reset();
  await Promise.all([write, flush]);
  await assert.rejects(pair.client.write("y"), { code: "reset" });
  await assert.rejects(pair.client.flush(), { code: "reset" });
});

test("Connection methods reject, and do not throw, on an invalid timeoutMs", async () => {
  const { connection } = heldConnection({ writeHighWaterMark: 1 });
  connection.send("xx");
  for (const timeoutMs of [-1, Number.NaN]) {
    await assert.rejects(connection.write("y", { timeoutMs }), RangeError);
    await assert.rejects(connection.flush({ timeoutMs }), RangeError);
    await assert.rejects(connection.read({ timeoutMs }), RangeError);
  }
  connection.reset();
});

// Half-close and close

test("Connection.closeWrite() half-closes: the peer reads the end and can still answer", async () => {
  await using pair = await connectionPair();
  await pair.client.write("question");
  pair.client.closeWrite();
  pair.client.closeWrite();
  assert.equal(pair.client.state, "half-closed-local");
  await assert.rejects(pair.client.write("x"), { code: "closed" });
  assert.equal(text(await pair.server.readExactly(8)), "question");
  assert.equal(await pair.server.read(), null);
  assert.equal(pair.server.state, "half-closed-remote");
  await pair.server.write("answer");
  pair.server.closeWrite();
  assert.equal(pair.server.state, "closing");
  assert.equal(text(await pair.client.readExactly(6)), "answer");
  assert.equal(await pair.client.read(), null);
  await Promise.all([pair.client.closed, pair.server.closed]);
  assert.equal(pair.client.state, "closed");
  assert.equal(pair.server.state, "closed");
  assert.equal(await pair.client.read(), null);
});

test("Connection.close() flushes, finishes, and resolves when the peer finishes too", async () => {
  await using pair = await connectionPair();
  const bytes = Buffer.alloc(4 * 1024 * 1024, "x");
  pair.client.send(bytes);
  const closed = pair.client.close();
  assert.equal(pair.client.close(), closed);
  assert.equal(pair.client.state, "closing");
  assert.ok(bytes.equals(await pair.server.readExactly(bytes.length)));
  assert.equal(await pair.server.read(), null);
  await pair.server.close();
  await closed;
  assert.equal(pair.client.state, "closed");
  await pair.client.close();
});

test("Connection.close() rejects waiting and later reads and writes with closed", async () => {
  await using pair = await connectionPair();
  pair.client.send(Buffer.alloc(FLOOD_BYTES));
  const waiting = [
    assert.rejects(pair.client.read(), { code: "closed" }),
    assert.rejects(pair.client.write("x"), { code: "closed" }),
  ];
  void pair.client.close();
  await Promise.all(waiting);
  await assert.rejects(pair.client.read(), { code: "closed" });
  await assert.rejects(pair.client.readExactly(1), { code: "closed" });
  await assert.rejects(pair.client.write("x"), { code: "closed" });
  await assert.rejects(pair.client.flush(), { code: "timeout", message: /bytes could not be sent$/ });
  assert.throws(() => pair.client.handle({}), { code: "closed" });
  assert.throws(() => pair.client.detach(), { code: "closed" });
});

test("Connection.read() rejects with closed after close(), also after the peer finished", async () => {
  await using pair = await connectionPair();
  await pair.server.write("unread");
  const closed = pair.client.close();
  await pair.server.close();
  await closed;
  await assert.rejects(pair.client.read(), { code: "closed" });
  await assert.rejects(pair.client.readExactly(1), { code: "closed" });

  await using other = await connectionPair();
  other.server.closeWrite();
  assert.equal(await other.client.read(), null);
  await other.client.close();
  await assert.rejects(other.client.read(), { code: "closed" });

  const { stream, connection } = heldConnection();
  connection.send("on its way");
  void connection.close();
  stream.push(null);
  for (let turn = 0; turn < 3; turn += 1) await nextTurn();
  assert.equal(connection.state, "closing");
  await assert.rejects(connection.read(), { code: "closed" });
  connection.reset();
  await connection.closed;
});

test("Connection.close() discards what the peer still sends", async () => {
  await using pair = await connectionPair();
  const closed = pair.client.close();
  await pair.server.write(Buffer.alloc(500_000));
  await pair.server.close();
  await closed;
  assert.equal(pair.client.unreadBytes, 0);
});

test("Connection.close() cuts off a peer that keeps sending", async () => {
  await using pair = await connectionPair();
  const closed = pair.client.close();
  pair.server.send(Buffer.alloc(FLOOD_BYTES));
  await closed;
  await assert.rejects(pair.server.flush(), { code: "reset" });
});

test("Connection.close() waits at most lingerMs for the peer's end", async (t) => {
  await using pair = await connectionPair({ client: { lingerMs: 2_000 } });
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let isClosed = false;
  const closed = pair.client.close().then(() => {
    isClosed = true;
  });
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  t.mock.timers.tick(1_999);
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  assert.equal(isClosed, false);
  t.mock.timers.tick(1);
  await closed;
});

test("Connection.close() keeps waiting while its own bytes are being sent", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { stream, connection } = heldConnection({ lingerMs: 100 });
  connection.send("x".repeat(5_000));
  connection.send("y".repeat(5_000));
  void connection.close();
  await nextTurn();
  await stream.takeAll();
  t.mock.timers.tick(100);
  await nextTurn();
  assert.equal(connection.state, "closing");
  assert.equal(stream.hasFinished, true);
  t.mock.timers.tick(100);
  await connection.closed;
});

test("Connection.close() resets after lingerMs when the peer reads nothing", async (t) => {
  await using pair = await connectionPair();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const errors: (SocketError | undefined)[] = [];
  pair.client.handle({ close: (_, error) => void errors.push(error) });
  pair.client.send(Buffer.alloc(FLOOD_BYTES));
  const closed = pair.client.close();
  while (pair.client.state !== "closed") {
    t.mock.timers.tick(2_000);
    await nextTurn();
  }
  await closed;
  assert.equal(errors[0]?.code, "timeout");
  assert.match(errors[0].message, /^Connection with 127\.0\.0\.1:\d+ closed: \d+ bytes could not be sent$/);
  // The cut must not look like a normal end.
  await assert.rejects(Array.fromAsync(pair.server), { code: "reset" });
});

test("Connection.close() waits for a peer that reads a large write slowly", async (t) => {
  await using pair = await connectionPair();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  pair.client.send(Buffer.alloc(FLOOD_BYTES));
  const closed = pair.client.close();
  let [received, sinceTick] = [0, 0];
  for await (const chunk of pair.server) {
    received += chunk.length;
    sinceTick += chunk.length;
    // More than the kernel buffers took meanwhile, so part of the rest has been sent.
    if (sinceTick < FLOOD_BYTES / 4) continue;
    sinceTick = 0;
    t.mock.timers.tick(2_000);
  }
  assert.equal(received, FLOOD_BYTES);
  pair.server.closeWrite();
  await closed;
});

test("Connection.reset() gives reset at the peer and closed at this side", async () => {
  await using pair = await connectionPair();
  const theirs = assert.rejects(pair.server.read(), { code: "reset" });
  const ours = assert.rejects(pair.client.read(), { code: "closed" });
  pair.client.reset();
  pair.client.reset();
  await Promise.all([theirs, ours, pair.client.closed, pair.server.closed]);
  assert.equal(pair.client.state, "closed");
  await assert.rejects(pair.client.write("x"), { code: "closed" });
  await assert.rejects(pair.server.write("x"), { code: "reset" });
});

test("Connection.reset() and close() can follow each other", async () => {
  await using pair = await connectionPair();
  const closed = pair.client.close();
  pair.client.reset();
  await closed;
  await pair.client.close();
  pair.client.reset();
  pair.client.closeWrite();
});

test("Connection.reset() right after closeWrite() still resets", async (t) => {
  if (process.platform !== "linux") return t.skip("how much the kernel buffers is known of Linux alone");
  await using pair = await connectionPair();
  // The kernel takes all bytes but cannot deliver them: the peer does not read.
  await pair.client.write(Buffer.alloc(1024 * 1024));
  await pair.client.flush();
  pair.client.closeWrite();
  pair.client.reset();
  await pair.client.closed;
  await assert.rejects(Array.fromAsync(pair.server), { code: "reset" });
});

test("Connection.read() returns bytes that arrived before a reset, then rejects", async () => {
  await using pair = await connectionPair();
  await pair.client.write("abc");
  const first = await pair.server.readExactly(1);
  pair.client.reset();
  await pair.server.closed;
  assert.equal(text(first), "a");
  await assert.rejects(pair.server.readExactly(3), { code: "reset" });
  assert.equal(text(await pair.server.readExactly(2)), "bc");
  await assert.rejects(pair.server.read(), { code: "reset" });
  await assert.rejects(pair.server.read(), { code: "reset" });
});

test("Connection.readExactly() rejects when the peer resets in the middle of a message", async () => {
  await using pair = await connectionPair();
  await pair.client.write("half");
  await pair.client.flush();
  const read = assert.rejects(pair.server.readExactly(8), { code: "reset" });
  await nextTurn();
  pair.client.reset();
  await read;
});

test("Connection errors carry addresses and byte counts", async () => {
  await using pair = await connectionPair();
  await pair.client.write("12345");
  await pair.server.readExactly(5);
  const { remote } = pair.server;
  const read = pair.server.read();
  pair.client.reset();
  await assert.rejects(read, (error: SocketError) => {
    assert.deepEqual(error.remote, remote);
    assert.equal(error.bytesRead, 5);
    assert.equal((error.cause as NodeJS.ErrnoException).code, "ECONNRESET");
    return true;
  });
});

test("Connection closes at the end of an await using scope", async () => {
  await using pair = await connectionPair();
  pair.server.handle({});
  {
    await using client = pair.client;
    await client.write("x");
  }
  assert.equal(pair.client.state, "closed");
});

// Events

interface Log {
  readonly events: string[];
  readonly handlers: ConnectionHandlers;
  readonly closed: Promise<SocketError | undefined>;
}

/** Handlers that record their calls. */
function logging(more: ConnectionHandlers = {}): Log {
  const events: string[] = [];
  const { promise, resolve } = Promise.withResolvers<SocketError | undefined>();
  const handlers: ConnectionHandlers = {
    data: (_, chunk) => void events.push(text(chunk)),
    end: () => void events.push("end"),
    close: (_, error) => {
      events.push(error === undefined ? "close" : `close: ${error.code}`);
      resolve(error);
    },
    ...more,
  };
  return { events, handlers, closed: promise };
}

test("Connection.handle() delivers buffered bytes at once, then data, end and close", async () => {
  await using pair = await connectionPair();
  await pair.client.write("abcdef");
  await pair.server.readExactly(2);
  const log = logging();
  pair.server.handle(log.handlers);
  assert.deepEqual(log.events, ["cdef"]);
  assert.equal(pair.server.isHandled, true);
  await assert.rejects(pair.server.read(), { code: "busy" });
  pair.server.unread(Buffer.from("again"));
  await pair.client.write("more");
  pair.client.closeWrite();
  await until(() => log.events.at(-1) === "end", "the end is seen");
  pair.server.closeWrite();
  await log.closed;
  assert.deepEqual(log.events, ["cdef", "again", "more", "end", "close"]);
});

test("Connection.handle() without an end handler flushes and finishes after the peer's end", async () => {
  await using pair = await connectionPair();
  pair.server.handle({ data: (connection, chunk) => void connection.send([chunk, chunk]) });
  await pair.client.write("ab");
  pair.client.closeWrite();
  assert.equal((await Array.fromAsync(pair.client)).map(text).join(""), "abab");
  await Promise.all([pair.client.closed, pair.server.closed]);
});

test("Connection.handle() with an end handler can write after the peer's end", async () => {
  await using pair = await connectionPair();
  const log = logging();
  pair.server.handle(log.handlers);
  pair.client.closeWrite();
  await until(() => log.events.length > 0, "an event is seen");
  assert.deepEqual(log.events, ["end"]);
  await pair.server.write("still here");
  assert.equal(text(await pair.client.readExactly(10)), "still here");
});

test("Connection.handle() calls end when the peer finished before", async () => {
  await using pair = await connectionPair();
  pair.client.closeWrite();
  assert.equal(await pair.server.read(), null);
  const log = logging();
  pair.server.handle(log.handlers);
  assert.deepEqual(log.events, ["end"]);
});

test("Connection.handle() on a broken connection delivers the buffered bytes and the error", async () => {
  await using pair = await connectionPair();
  await pair.client.write("abc");
  await pair.server.readExactly(1);
  pair.client.reset();
  await pair.server.closed;
  const log = logging();
  pair.server.handle(log.handlers);
  await log.closed;
  assert.deepEqual(log.events, ["bc", "close: reset"]);

  await using other = await connectionPair();
  other.client.closeWrite();
  assert.equal(await other.server.read(), null);
  other.server.closeWrite();
  await other.server.closed;
  const late = logging();
  other.server.handle(late.handlers);
  await late.closed;
  assert.deepEqual(late.events, ["end", "close"]);
});

test("Connection.handle() works after connect(), and a second call replaces the handlers", async () => {
  await using pair = await connectionPair();
  const first = logging();
  const second = logging();
  pair.client.handle(first.handlers);
  pair.server.send("one");
  await until(() => first.events.length > 0, "an event is seen");
  pair.client.handle(second.handlers);
  pair.server.send("two");
  pair.server.closeWrite();
  pair.client.closeWrite();
  await second.closed;
  assert.deepEqual(first.events, ["one"]);
  assert.deepEqual(second.events, ["two", "end", "close"]);
});

test("Connection.handle() calls data synchronously, and close without an error after close()", async () => {
  await using pair = await connectionPair();
  const log = logging({
    data: (connection, chunk) => {
      log.events.push(text(chunk));
      void connection.close();
    },
  });
  pair.server.handle(log.handlers);
  await pair.client.write("bye");
  assert.equal(await pair.client.read(), null);
  await pair.client.close();
  await log.closed;
  assert.deepEqual(log.events, ["bye", "close"]);
});

test("Connection.handle() passes the reason of a break to close", async () => {
  await using pair = await connectionPair();
  const log = logging();
  pair.server.handle(log.handlers);
  pair.client.reset();
  await log.closed;
  assert.deepEqual(log.events, ["close: reset"]);
});

test("Connection.pause() stops the data events and resume() continues them", async () => {
  await using pair = await connectionPair();
  const log = logging();
  pair.server.handle(log.handlers);
  pair.server.pause();
  await pair.client.write("held back");
  await pair.client.flush();
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
  assert.deepEqual(log.events, []);
  pair.server.resume();
  pair.client.closeWrite();
  await until(() => log.events.length >= 2, "two events are seen");
  assert.deepEqual(log.events, ["held back", "end"]);
});

test("Connection.pause() works inside the data handler of buffered bytes", async () => {
  await using pair = await connectionPair();
  await pair.client.write("ab");
  await pair.server.readExactly(1);
  const log = logging({
    data: (connection, chunk) => {
      log.events.push(text(chunk));
      connection.pause();
    },
  });
  pair.server.handle(log.handlers);
  await pair.client.write("more");
  await pair.client.flush();
  for (let turn = 0; turn < 10; turn += 1) await nextTurn();
  assert.deepEqual(log.events, ["b"]);
});

test("Connection.pause() and resume() do not affect pulling reads", async () => {
  const { stream, connection } = heldConnection({ readHighWaterMark: 100 });
  connection.pause();
  const read = connection.readExactly(2);
  connection.pause();
  stream.push("ab");
  assert.equal(text(await read), "ab");
  connection.resume();
  for (let i = 0; i < 100; i += 1) stream.push(Buffer.alloc(10));
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  assert.ok(connection.unreadBytes < 200, `${connection.unreadBytes} bytes are buffered`);
  connection.reset();
});

test("Connection.handle() breaks only the connection of a failing handler, and reports it", async () => {
  await using healthy = await connectionPair();
  const other = logging();
  healthy.server.handle(other.handlers);
  const failing: readonly ConnectionHandlers[] = [
    {
      data: () => {
        throw new Error("my bug");
      },
    },
    // The type allows async handlers. Their rejection must not end the process.
    { data: async () => Promise.reject(new Error("my bug")) },
    {
      end: () => {
        throw new Error("my bug");
      },
    },
    { end: async () => Promise.reject(new Error("my bug")) },
    {
      data: () => {
        throw "my bug";
      },
    },
  ];
  for (const handlers of failing) {
    const reports: Error[] = [];
    await using pair = await connectionPair({ server: { onError: (error) => reports.push(error) } });
    const log = logging(handlers);
    pair.server.handle(log.handlers);
    await pair.client.write("x");
    pair.client.closeWrite();
    const error = await log.closed;
    assert.equal(error?.code, "system");
    assert.match(error.message, /^The (data|end) handler of 127\.0\.0\.1:\d+ failed: my bug$/);
    assert.deepEqual(reports, [error]);
  }
  await healthy.client.write("fine");
  await until(() => other.events.length > 0, "an event is seen");
  assert.deepEqual(other.events, ["fine"]);
});

test("Connection contains close and drain handlers that throw", async () => {
  const failing: readonly ConnectionHandlers[] = [
    {
      close: () => {
        throw new Error("my bug");
      },
    },
    { close: async () => Promise.reject(new Error("my bug")) },
    {
      drain: () => {
        throw new Error("my bug");
      },
    },
  ];
  for (const handlers of failing) {
    const reports: string[] = [];
    const keeper = { report: (error: Error) => void reports.push(error.message), gone: () => undefined };
    const { stream, connection } = heldConnection({ writeHighWaterMark: 1 }, { keeper });
    connection.handle(handlers);
    connection.send("xx");
    await stream.takeAll();
    connection.reset();
    await connection.closed;
    await nextTurn();
    assert.match(reports.join(), /^The (close|drain) handler failed: my bug$/);
  }
});

// The socket underneath

test("Connection.detach() returns the socket without our listeners, and the unread bytes", async () => {
  await using listener = await listen({ host: "127.0.0.1", idleTimeoutMs: 60_000 });
  const client = await connect(listener.address);
  const server = await listener.accept();
  await client.write("GET / HTTP/1.1\r\n\r\nbody");
  assert.equal(text(await server.readUntil("\r\n")), "GET / HTTP/1.1\r\n");
  const waiting = assert.rejects(server.readUntil("never"), { code: "closed" });
  const given = [server, client].map((connection) => {
    const { socket, unread } = connection.detach();
    assert.equal(connection.state, "closed");
    assert.throws(() => connection.detach(), { code: "closed" });
    assert.equal(connection.send("x"), false);
    connection.reset();
    assert.ok(socket instanceof net.Socket);
    assert.equal(socket.timeout ?? 0, 0, "the idle timeout stays on the socket");
    const fresh = new net.Socket();
    for (const event of socket.eventNames()) {
      assert.equal(socket.listenerCount(event), fresh.listenerCount(event), `a listener for ${String(event)} is left`);
    }
    return { socket, unread: text(unread) };
  });
  assert.deepEqual(
    given.map(({ unread }) => unread),
    ["\r\nbody", ""],
  );
  await Promise.all([server.closed, client.closed, server.close(), client.close()]);
  const [ofServer, ofClient] = given;
  ofServer?.socket.end("by hand");
  ofClient?.socket.end();
  assert.equal(Buffer.concat((await ofClient?.socket.toArray()) ?? []).toString(), "by hand");
  assert.deepEqual(await ofServer?.socket.toArray(), []);
  await waiting;
});

test("Connection.detach() keeps the bytes that the socket has buffered", async () => {
  await using pair = await connectionPair({ server: { readHighWaterMark: 4 } });
  await pair.client.write("abcdefgh");
  await pair.server.readExactly(1);
  await pair.client.write("ijkl");
  pair.client.closeWrite();
  for (let turn = 0; turn < 20; turn += 1) await nextTurn();
  const { socket, unread } = pair.server.detach();
  const rest = Buffer.concat([unread, ...(await socket.toArray())]);
  assert.equal(rest.toString(), "bcdefghijkl");
  socket.end();
  await once(socket, "close");
  await pair.client.close();
});

test("Connection contains every error of its stream", async () => {
  const { stream, connection } = heldConnection();
  const read = assert.rejects(connection.read(), { code: "system", message: /broke: odd$/ });
  stream.destroy(new Error("odd"));
  await read;
  stream.emit("error", new Error("again"));
  await connection.closed;
});

test("Connection works over a Unix socket, where reset() destroys it", async (t) => {
  if (process.platform === "win32") return t.skip("Windows has named pipes instead");
  const folder = await mkdtemp(join(tmpdir(), "landline-"));
  try {
    await using pair = await connectionPair({ path: join(folder, "test.sock") });
    await pair.client.write("hello");
    assert.equal(text(await pair.server.readExactly(5)), "hello");
    pair.server.reset();
    await pair.server.closed;
    assert.equal(await pair.client.read().catch((error: SocketError) => error.code), null);
    pair.client.reset();
    await pair.client.closed;
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("Connection.ref() and unref() reach the socket", async () => {
  await using pair = await connectionPair();
  const count = (): number => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
  const before = count();
  pair.client.unref();
  assert.equal(count(), before - 1);
  pair.client.ref();
  assert.equal(count(), before);
  const { connection } = heldConnection();
  connection.unref();
  connection.ref();
  connection.reset();
});

// States

test("Connection publishes every state change", async () => {
  const changes: StateChange[] = [];
  const collect = (change: unknown): void => void changes.push(change as StateChange);
  diagnostics.subscribe("landline:connection", collect);
  try {
    await using pair = await connectionPair();
    pair.client.closeWrite();
    assert.equal(await pair.server.read(), null);
    pair.server.closeWrite();
    assert.equal(await pair.client.read(), null);
    await Promise.all([pair.client.closed, pair.server.closed]);
    const broken = await connectionPair();
    const read = broken.server.read();
    broken.client.reset();
    await assert.rejects(read, { code: "reset" });
    await Promise.all([broken.client.closed, broken.server.closed]);
    const { port } = pair.client.local as { port: number };
    const ofClient = changes.filter(({ id }) => id === changes.find(({ local }) => local?.port === port)?.id);
    const lives = Object.values(Object.groupBy(changes, ({ id }) => id)).map((life = []) =>
      [life[0]?.from, ...life.map(({ to }) => to)].join(" "),
    );
    assert.deepEqual(lives.sort(), [
      "created connecting established closing closed",
      "created connecting established half-closed-local closing closed",
      "created established closed",
      "created established half-closed-remote closing closed",
    ]);
    assert.ok(ofClient.length > 0);
    for (const change of changes) assert.ok(Math.abs(change.at - Date.now()) < 3_600_000);
    const reasons = new Set(changes.map(({ reason }) => reason));
    assert.ok(reasons.has("the peer finished"));
    assert.ok([...reasons].some((reason) => reason?.includes("reset by the peer")));
  } finally {
    diagnostics.unsubscribe("landline:connection", collect);
  }
});

test("Connection knows both addresses", async () => {
  await using pair = await connectionPair();
  assert.deepEqual(pair.client.local, pair.server.remote);
  assert.deepEqual(pair.client.remote, pair.server.local);
  assert.equal(pair.client.remote?.host, "127.0.0.1");
});

// Leaks

test("Connection leaks no listener over 10,000 operations on one signal", async () => {
  const { signal } = new AbortController();
  const { stream, connection } = heldConnection({ writeHighWaterMark: 1, writeLowWaterMark: 0 });
  for (let i = 0; i < 5_000; i += 1) {
    const read = connection.readExactly(1, { signal });
    connection.unread(Buffer.from("x"));
    await read;
  }
  connection.send("xx");
  const writes = Array.from({ length: 200 }, () => connection.write("x", { signal }));
  const flush = connection.flush({ signal });
  assert.equal(getEventListeners(signal, "abort").length, 201);
  await stream.takeAll();
  await Promise.all([...writes, flush]);
  assert.equal(stream.taken.length, 202);
  for (let i = 0; i < 5_000; i += 1) {
    connection.unread(Buffer.from("x"));
    await connection.read({ signal });
  }
  assert.equal(getEventListeners(signal, "abort").length, 0);
  const left = [connection.read({ signal }), connection.write("x", { signal }), connection.write("x", { signal })];
  connection.reset();
  await Promise.allSettled(left);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("Connection errors after close name the operation", async () => {
  await using pair = await connectionPair();
  const closed = pair.client.close();
  const where = String.raw`127\.0\.0\.1:\d+: the connection is closed$`;
  for (const [operation, preposition, call] of [
    ["read", "from", () => pair.client.read()],
    ["write", "to", () => pair.client.write("x")],
    ["flush", "to", () => pair.client.closed.then(() => pair.client.flush())],
  ] as const) {
    if (operation === "flush") pair.server.reset();
    const message = new RegExp(`^Cannot ${operation} ${preposition} ${where}`);
    await assert.rejects(call(), { code: "closed", operation, message });
  }
  await closed;
});

test("Connection.send() and write() name invalid data in their TypeError", async () => {
  await using pair = await connectionPair();
  assert.throws(() => pair.client.send(5 as never), {
    name: "TypeError",
    message: "data must be bytes, text or a list of them: 5",
  });
});

test("Connection.chunks() applies timeoutMs to each chunk and loses nothing", async () => {
  await using pair = await connectionPair();
  await pair.server.write("one");
  const seen: string[] = [];
  await assert.rejects(
    async () => {
      for await (const chunk of pair.client.chunks({ timeoutMs: 20 })) seen.push(String(chunk));
    },
    { code: "timeout" },
  );
  const signal = AbortSignal.abort(new Error("enough"));
  await pair.server.write("two");
  pair.server.closeWrite();
  await assert.rejects(pair.client.chunks({ signal }).next(), /enough/);
  for await (const chunk of pair.client) seen.push(String(chunk));
  assert.deepEqual(seen, ["one", "two"]);
});
