import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { SocketError } from "../errors.ts";
import type { MakePair, TransportSupport } from "./connection-suite.ts";
import { FLOOD_BYTES, textOf } from "./transport-data.ts";

/** The tests of {@link connectionSuite} that end connections. */
export function endingTests(makePair: MakePair, supports: Required<TransportSupport>): void {
  /** Results of a read that waits while the peer resets. */
  const endCodes: readonly unknown[] = supports.reset ? ["reset"] : ["reset", "end-of-stream", undefined];

  for (const who of ["client", "server"] as const) {
    const other = who === "client" ? "server" : "client";
    if (supports.halfClose) {
      test(`closeWrite() of the ${who} half-closes, and the other side can still write`, async () => {
        await using pair = await makePair();
        await pair[who].write("question");
        pair[who].closeWrite();
        await assert.rejects(pair[who].write("more"), { code: "closed" });
        assert.equal(pair[who].send("more"), false);
        assert.equal(textOf(await pair[other].readExactly(8)), "question");
        assert.equal(await pair[other].read(), null);
        await pair[other].write("answer");
        pair[other].closeWrite();
        assert.equal(textOf(await pair[who].readExactly(6)), "answer");
        assert.equal(await pair[who].read(), null);
        await Promise.all([pair.client.closed, pair.server.closed]);
        assert.equal(await pair[who].read(), null);
      });
    } else {
      test(`closeWrite() of the ${who} reaches the other side after all data`, async () => {
        await using pair = await makePair();
        await pair[who].write("question");
        pair[who].closeWrite();
        assert.equal(textOf(await pair[other].readExactly(8)), "question");
        assert.equal(await pair[other].read(), null);
        await pair[other].close();
      });
    }
  }

  test("close() flushes, finishes, and resolves when the peer finishes too", async () => {
    await using pair = await makePair();
    const bytes = Buffer.alloc(1024 * 1024, "x");
    pair.client.send(bytes);
    const closed = pair.client.close();
    assert.equal(pair.client.close(), closed);
    assert.ok(bytes.equals(await pair.server.readExactly(bytes.length)));
    assert.equal(await pair.server.read(), null);
    await pair.server.close();
    await closed;
    assert.equal(pair.client.state, "closed");
  });

  test("close() rejects waiting and later reads and writes with closed", async () => {
    await using pair = await makePair();
    pair.client.send(Buffer.alloc(FLOOD_BYTES));
    const waiting = [
      assert.rejects(pair.client.readExactly(1), { code: "closed" }),
      assert.rejects(pair.client.write("x"), { code: "closed" }),
    ];
    void pair.client.close();
    await Promise.all(waiting);
    // At once, while earlier data is still being sent.
    assert.equal(pair.client.state, "closing");
    await assert.rejects(pair.client.read(), { code: "closed" });
    await assert.rejects(pair.client.write("x"), { code: "closed" });
    assert.equal(pair.client.send("x"), false);
  });

  test("the end of an await using scope closes the connection", async () => {
    await using pair = await makePair();
    pair.server.handle({});
    {
      await using client = pair.client;
      await client.write("x");
    }
    assert.equal(pair.client.state, "closed");
    await pair.server.closed;
  });

  test("reset() ends the reads of both sides at once", async () => {
    await using pair = await makePair();
    // Send both ways first: Node reports a reset during the last bytes of a TLS handshake as a normal end.
    await Promise.all([pair.client.write("x"), pair.server.write("x")]);
    await Promise.all([pair.client.readExactly(1), pair.server.readExactly(1)]);
    const theirs = pair.server.read().then(
      () => undefined,
      (error: SocketError) => error.code,
    );
    const ours = assert.rejects(pair.client.read(), { code: "closed" });
    pair.client.reset();
    await Promise.all([ours, pair.client.closed]);
    assert.ok(endCodes.includes(await theirs), `the peer's read gave ${await theirs}`);
    await assert.rejects(pair.client.write("x"), { code: "closed" });
    if (!supports.reset) return;
    await pair.server.closed;
    await assert.rejects(pair.server.write("x"), { code: "reset" });
    assert.equal(pair.server.send("x"), false);
  });

  test("reset() in the middle of a message rejects a read that waits for the rest", async () => {
    await using pair = await makePair();
    await pair.client.write("half");
    await pair.client.flush();
    assert.equal(textOf(await pair.server.readExactly(1)), "h");
    const read = pair.server.readExactly(8).then(
      () => undefined,
      (error: SocketError) => error.code,
    );
    pair.client.reset();
    const code = await read;
    assert.ok(code !== undefined && endCodes.includes(code), `the read gave ${code}`);
  });

  test("a reset rejects waiting writes and flushes, and the close handler gets the reason", async () => {
    await using pair = await makePair();
    const closedWith = Promise.withResolvers<SocketError | undefined>();
    pair.client.handle({ end: () => undefined, close: (_, error) => closedWith.resolve(error) });
    pair.client.send(Buffer.alloc(FLOOD_BYTES));
    const waiting = [
      assert.rejects(pair.client.write("x"), { code: "reset" }),
      assert.rejects(pair.client.flush(), { code: "reset" }),
    ];
    pair.server.reset();
    await Promise.all(waiting);
    assert.equal((await closedWith.promise)?.code, "reset");
  });

  test("detach() returns the stream and the unread bytes", async () => {
    await using pair = await makePair();
    await pair.client.write("abcd");
    assert.equal(textOf(await pair.server.readExactly(1)), "a");
    const waiting = assert.rejects(pair.server.readUntil("never"), { code: "closed" });
    const { socket, unread } = pair.server.detach();
    try {
      await waiting;
      assert.equal(pair.server.state, "closed");
      await pair.client.write("ef");
      pair.client.closeWrite();
      const rest = Buffer.concat([unread, ...((await socket.toArray()) as Uint8Array[])]);
      assert.equal(rest.toString(), "bcdef");
      if (supports.halfClose) {
        socket.end("by hand");
        assert.equal(textOf(await pair.client.readExactly(7)), "by hand");
        assert.equal(await pair.client.read(), null);
      }
    } finally {
      const closed = once(socket, "close");
      if (!socket.destroy().closed) await closed;
    }
  });
}
