import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketError } from "../errors.ts";
import { webStreams } from "../web-streams.ts";
import type { MakePair } from "./connection-suite.ts";
import { FLOOD_BYTES, textOf } from "./transport-data.ts";
import { turns } from "./turns.ts";

/** The tests of {@link connectionSuite} that read. */
export function readingTests(makePair: MakePair): void {
  test("read() returns arrived bytes, and null after the peer finished", async () => {
    await using pair = await makePair();
    await pair.client.write("hello");
    let text = "";
    while (text.length < 5) text += textOf(await pair.server.read());
    assert.equal(text, "hello");
    pair.client.closeWrite();
    assert.equal(await pair.server.read(), null);
    assert.equal(await pair.server.read(), null);
  });

  test("readUntil() and readExactly() work at every split", async () => {
    await using pair = await makePair();
    const message = "head\r\n\r\nbody";
    for (let place = 0; place <= message.length; place += 1) {
      const head = pair.server.readUntil("\r\n\r\n");
      await pair.client.write(message.slice(0, place));
      await pair.client.flush();
      await turns(1);
      await pair.client.write(message.slice(place));
      assert.equal(textOf(await head), "head\r\n\r\n", `cut at ${place}`);
      assert.equal(textOf(await pair.server.readExactly(4)), "body", `cut at ${place}`);
    }
    assert.equal(pair.server.unreadBytes, 0);
  });

  test("readUntil() rejects above bytesMax and leaves the bytes unread", async () => {
    await using pair = await makePair();
    await pair.client.write("abcde\n");
    await assert.rejects(pair.server.readUntil("\n", { bytesMax: 5 }), { code: "limit" });
    assert.equal(textOf(await pair.server.readUntil("\n", { bytesMax: 6 })), "abcde\n");
  });

  test("readExactly() and readUntil() reject with partial when the peer finishes early", async () => {
    for (const isExact of [true, false]) {
      await using pair = await makePair();
      await pair.client.write("half");
      pair.client.closeWrite();
      const read = isExact ? pair.server.readExactly(5) : pair.server.readUntil("\n");
      await assert.rejects(read, (error: SocketError) => {
        assert.equal(error.code, "end-of-stream");
        assert.equal(error.expected, isExact ? 5 : undefined);
        assert.equal(textOf(error.partial ?? null), "half");
        return true;
      });
      assert.equal(await pair.server.read(), null);
    }
  });

  test("a second read rejects with busy, and the first continues", async () => {
    await using pair = await makePair();
    const first = pair.server.read();
    await assert.rejects(pair.server.read(), { code: "busy" });
    await assert.rejects(pair.server.readExactly(1), { code: "busy" });
    await assert.rejects(pair.server.readUntil("\n"), { code: "busy" });
    assert.throws(() => pair.server.handle({}), { code: "busy" });
    await pair.client.write("x");
    assert.equal(textOf(await first), "x");
  });

  test("unread() puts bytes in front and settles a waiting read", async () => {
    await using pair = await makePair();
    await pair.client.write("cd");
    pair.server.unread(Buffer.from("ab"));
    assert.equal(textOf(await pair.server.readExactly(4)), "abcd");
    const read = pair.server.readExactly(2);
    pair.server.unread(Buffer.from("ef"));
    assert.equal(textOf(await read), "ef");
  });

  test("a read that times out or is aborted loses no byte and leaves the connection open", async (t) => {
    await using pair = await makePair();
    const controller = new AbortController();
    await pair.client.write("abc");
    t.mock.timers.enable({ apis: ["setTimeout"] });
    for (const read of [pair.server.readExactly.bind(pair.server, 10), pair.server.readUntil.bind(pair.server, "\n")]) {
      const timedOut = assert.rejects(read({ timeoutMs: 1_000 }), { code: "timeout" });
      await turns(3);
      t.mock.timers.tick(1_000);
      await timedOut;
    }
    const aborted = assert.rejects(pair.server.readExactly(10, { signal: controller.signal }), /stop/);
    controller.abort(new Error("stop"));
    await aborted;
    await pair.client.write("def");
    assert.equal(textOf(await pair.server.readExactly(6)), "abcdef");
  });

  test("a past read deadline rejects even with buffered bytes, and loses none", async () => {
    await using pair = await makePair();
    pair.server.unread(Buffer.from("stored"));
    pair.server.setReadDeadline(0);
    await assert.rejects(pair.server.read(), { code: "timeout" });
    await assert.rejects(pair.server.readExactly(1), { code: "timeout" });
    pair.server.setReadDeadline(null);
    assert.equal(textOf(await pair.server.readExactly(6)), "stored");
  });

  test("a read deadline ends waiting and later reads until it is set again", async (t) => {
    await using pair = await makePair();
    await pair.client.write("abc");
    t.mock.timers.enable({ apis: ["setTimeout"] });
    pair.server.setReadDeadline(1_000);
    assert.equal(textOf(await pair.server.readExactly(1)), "a");
    const waiting = assert.rejects(pair.server.readExactly(3), { code: "timeout" });
    t.mock.timers.tick(1_000);
    await waiting;
    await assert.rejects(pair.server.read(), { code: "timeout" });
    pair.server.setReadDeadline(1_000);
    await pair.client.write("d");
    assert.equal(textOf(await pair.server.readExactly(3)), "bcd");
  });

  test("reading stops at the high-water mark", async () => {
    await using pair = await makePair({ server: { readHighWaterMark: 1_000 } });
    await pair.client.write("some");
    assert.equal(textOf(await pair.server.readExactly(1)), "s");
    pair.client.send(Buffer.alloc(FLOOD_BYTES));
    await turns(50);
    // One chunk may exceed the mark.
    assert.ok(pair.server.unreadBytes <= 1_000 + 65_536, `${pair.server.unreadBytes} bytes are buffered`);
  });

  test("handlers get buffered bytes, new bytes, the end and the close, in this order", async () => {
    await using pair = await makePair();
    await pair.client.write("abc");
    assert.equal(textOf(await pair.server.readExactly(1)), "a");
    let [text, events] = ["", ""];
    const ended = Promise.withResolvers<void>();
    pair.server.handle({
      data: (_, chunk) => {
        events += events.endsWith("data ") ? "" : "data ";
        text += textOf(chunk);
      },
      end: () => {
        events += "end ";
        ended.resolve();
      },
      close: (_, error) => {
        events += `close ${error?.code}`;
      },
    });
    await assert.rejects(pair.server.read(), { code: "busy" });
    await pair.client.write("def");
    pair.client.closeWrite();
    await ended.promise;
    void pair.server.close();
    assert.equal(await pair.client.read(), null);
    await pair.server.closed;
    assert.equal(text, "bcdef");
    assert.equal(events, "data end close undefined");
  });

  test("webStreams() carries bytes both ways and the end", async () => {
    await using pair = await makePair();
    const server = webStreams(pair.server);
    // Without half-close the echo's writable may already be closed.
    const echoed = Promise.allSettled([server.readable.pipeTo(server.writable)]);
    const client = webStreams(pair.client);
    const [writer, reader] = [client.writable.getWriter(), client.readable.getReader()];
    await writer.write("hello ");
    await writer.write(Buffer.from("streams"));
    let text = "";
    while (text.length < 13) text += textOf((await reader.read()).value ?? null);
    assert.equal(text, "hello streams");
    await writer.close();
    assert.equal((await reader.read()).done, true);
    await echoed;
  });
}
