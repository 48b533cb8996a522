import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "../tcp/mod.ts";
import type { MakePair } from "./connection-suite.ts";
import { SeededRandom } from "./seeded-random.ts";
import { FLOOD_BYTES, textOf } from "./transport-data.ts";
import { turns } from "./turns.ts";

const SEED = 1;
const EXCHANGE_BYTES = 1024 * 1024;

/** The tests of {@link connectionSuite} that write. */
export function writingTests(makePair: MakePair): void {
  test("write() and send() keep their order for bytes, text and lists", async () => {
    await using pair = await makePair();
    await pair.client.write(Uint8Array.of(0x61));
    pair.client.send(["b", Buffer.from("c"), "", new Uint8Array(0)]);
    await pair.client.write([]);
    await pair.client.write("");
    await pair.client.write("é");
    pair.client.send("x".repeat(5_000));
    await pair.client.write("😀");
    pair.client.closeWrite();
    const all = Buffer.concat(await Array.fromAsync(pair.server));
    assert.equal(all.toString(), `abcé${"x".repeat(5_000)}😀`);
  });

  test("flush() resolves when nothing is buffered", async () => {
    await using pair = await makePair();
    const read = pair.server.readExactly(10_000);
    await pair.client.write("x".repeat(10_000));
    await pair.client.flush();
    assert.equal(pair.client.bufferedBytes, 0);
    assert.equal((await read).length, 10_000);
  });

  test("1 MiB passes in both directions at once in random pieces", async () => {
    await using pair = await makePair();
    const random = new SeededRandom(SEED);
    const [there, back] = [random.bytes(EXCHANGE_BYTES), random.bytes(EXCHANGE_BYTES)];
    const [received, answered] = await Promise.all([
      readInPieces(pair.server, new SeededRandom(SEED + 1)),
      readInPieces(pair.client, new SeededRandom(SEED + 2)),
      writeInPieces(pair.client, there, new SeededRandom(SEED + 3)),
      writeInPieces(pair.server, back, new SeededRandom(SEED + 4)),
    ]);
    assert.ok(there.equals(received), "what went there is not what arrived");
    assert.ok(back.equals(answered), "what came back is not what was sent");
  });

  test("write() waits for a slow peer, and all bytes arrive", async () => {
    await using pair = await makePair();
    assert.equal(pair.client.send(Buffer.alloc(FLOOD_BYTES)), false);
    assert.equal(pair.client.canWrite, false);
    let isAccepted = false;
    const write = pair.client.write("last").then(() => {
      isAccepted = true;
    });
    await turns(20);
    assert.equal(isAccepted, false);
    assert.ok(pair.client.bufferedBytes > 0);
    await discard(pair.server, FLOOD_BYTES);
    assert.equal(textOf(await pair.server.readExactly(4)), "last");
    await write;
  });

  test("send() returns false above the mark, still queues, and drain follows", async () => {
    await using pair = await makePair();
    const drained = Promise.withResolvers<void>();
    pair.client.handle({ drain: () => drained.resolve() });
    assert.equal(pair.client.send(Buffer.alloc(FLOOD_BYTES)), false);
    assert.equal(pair.client.send("last"), false);
    await Promise.all([discard(pair.server, FLOOD_BYTES), drained.promise]);
    assert.equal(pair.client.canWrite, true);
    assert.equal(textOf(await pair.server.readExactly(4)), "last");
  });

  test("a write that is aborted or times out while it waits is withdrawn", async (t) => {
    await using pair = await makePair();
    const controller = new AbortController();
    pair.client.send(Buffer.alloc(FLOOD_BYTES));
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const aborted = assert.rejects(pair.client.write("lost", { signal: controller.signal }), /stop/);
    const timedOut = assert.rejects(pair.client.write("late", { timeoutMs: 1_000 }), { code: "timeout" });
    const kept = pair.client.write("kept");
    controller.abort(new Error("stop"));
    t.mock.timers.tick(1_000);
    await Promise.all([aborted, timedOut]);
    await discard(pair.server, FLOOD_BYTES);
    await kept;
    pair.client.closeWrite();
    assert.equal(Buffer.concat(await Array.fromAsync(pair.server)).toString(), "kept");
  });

  test("a write deadline ends waiting and later writes and flushes until it is set again", async (t) => {
    await using pair = await makePair();
    pair.client.setWriteDeadline(0);
    await assert.rejects(pair.client.write("late"), { code: "timeout" });
    pair.client.setWriteDeadline(null);
    await pair.client.write("x");
    assert.equal(textOf(await pair.server.readExactly(1)), "x");
    t.mock.timers.enable({ apis: ["setTimeout"] });
    pair.client.setWriteDeadline(1_000);
    pair.client.send(Buffer.alloc(FLOOD_BYTES));
    const waiting = [
      assert.rejects(pair.client.write("lost"), { code: "timeout" }),
      assert.rejects(pair.client.flush(), { code: "timeout" }),
    ];
    t.mock.timers.tick(1_000);
    await Promise.all(waiting);
    await assert.rejects(pair.client.write("lost"), { code: "timeout" });
  });
}

async function writeInPieces(connection: Connection, bytes: Buffer, random: SeededRandom): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(20_000);
    await connection.write(bytes.subarray(at, end));
    if (random.oneIn(8)) await connection.flush();
    at = end;
  }
}

async function readInPieces(connection: Connection, random: SeededRandom): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (let left = EXCHANGE_BYTES; left > 0; ) {
    const piece = await connection.readExactly(Math.min(left, 1 + random.below(20_000)));
    pieces.push(piece);
    left -= piece.length;
  }
  return Buffer.concat(pieces);
}

/** Reads and discards `bytes` bytes. */
async function discard(connection: Connection, bytes: number): Promise<void> {
  let left = bytes;
  while (left > 0) {
    const chunk = await connection.read();
    assert.ok(chunk !== null, `the peer finished ${left} bytes too early`);
    left -= chunk.length;
    if (left < 0) connection.unread(chunk.subarray(left));
  }
}
