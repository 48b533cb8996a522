import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionPair } from "../../../test/connection-pair.ts";
import { failOnLeaks } from "../../../test/leaks.ts";
import { webStreams } from "./web-streams.ts";

failOnLeaks();

test("webStreams() carries 3 MB both ways, with backpressure, and ends with both sides", async () => {
  await using pair = await connectionPair();
  const bytes = Buffer.alloc(3_000_000, "0123456789");
  const server = webStreams(pair.server);
  const echoed = server.readable.pipeTo(server.writable);
  const { readable, writable } = webStreams(pair.client);
  const sent = new Blob([bytes]).stream().pipeTo(writable);
  assert.ok(bytes.equals(Buffer.from(await new Response(readable).arrayBuffer())));
  await Promise.all([sent, echoed, pair.client.closed, pair.server.closed]);
});

test("webStreams() accepts text, and closes the readable at the peer's end", async () => {
  await using pair = await connectionPair();
  const { readable, writable } = webStreams(pair.client);
  const writer = writable.getWriter();
  await writer.write("héllo");
  assert.equal(Buffer.from(await pair.server.readExactly(6)).toString(), "héllo");
  pair.server.closeWrite();
  assert.deepEqual(await readable.getReader().read(), { done: true, value: undefined });
  await writer.close();
  assert.equal(await pair.server.read(), null);
});

test("webStreams() resets the connection when a stream is cancelled or aborted", async () => {
  for (const giveUp of ["cancel", "abort"] as const) {
    await using pair = await connectionPair();
    const { readable, writable } = webStreams(pair.client);
    await (giveUp === "cancel" ? readable.cancel() : writable.abort());
    await assert.rejects(pair.server.read(), { code: "reset" });
    await pair.client.closed;
  }
});

test("webStreams() rejects with the connection's error", async () => {
  await using pair = await connectionPair();
  const { readable, writable } = webStreams(pair.client);
  const reading = readable.getReader().read();
  pair.server.reset();
  await assert.rejects(reading, { code: "reset" });
  await assert.rejects(writable.getWriter().write("x"), { code: "reset" });
});

test("webStreams() reads nothing ahead", async () => {
  await using pair = await connectionPair();
  const { readable } = webStreams(pair.client);
  await pair.server.write("x");
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(pair.client.unreadBytes, 0);
  await readable.cancel();
});
