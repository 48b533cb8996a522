import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connectionPair } from "../../../../test/connection-pair.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { until } from "../../../../test/until.ts";
import { framed } from "./framed.ts";
import { lines } from "./lines.ts";

failOnLeaks();

const fixture = (name: string): Buffer => readFileSync(new URL(`../../../../test/fixtures/${name}`, import.meta.url));
const nextTurn = (): Promise<void> => new Promise((next) => setImmediate(next));

test("Framed.release() returns the connection at the next byte, at every split", async () => {
  const sample = Buffer.from("header\nbody\0more");
  for (let cut = 0; cut <= sample.length; cut += 1) {
    await using pair = await connectionPair();
    const channel = framed(pair.server, lines(), { framesMax: 1 });
    await pair.client.write(sample.subarray(0, cut));
    await pair.client.flush();
    const read = channel.next();
    await pair.client.write(sample.subarray(cut));
    pair.client.closeWrite();
    assert.equal(await read, "header");
    // With the end already received, and without.
    if (cut % 2 === 0) {
      await until(() => pair.server.state !== "established", "the server has received the end");
      assert.equal(pair.server.state, "half-closed-remote");
    }
    assert.equal(channel.release(), pair.server);
    assert.equal(pair.server.isHandled, false);
    assert.equal(String(await pair.server.readUntil("\0")), "body\0");
    assert.equal(String(await pair.server.readExactly(4)), "more");
    assert.equal(await pair.server.read(), null);
    assert.equal(await channel.next(), null);
    await pair.server.write("an answer");
    assert.equal(String(await pair.client.readExactly(9)), "an answer");
  }
});

test("Framed.release() returns a connection that works with framed(), handle() and startTls()", async () => {
  await using pair = await connectionPair();
  await pair.client.write("one\ntwo\n");
  const first = framed(pair.server, lines(), { framesMax: 1 });
  assert.equal(await first.next(), "one");
  const second = framed(first.release(), lines(), { framesMax: 1 });
  assert.equal(await second.next(), "two");
  const [key, cert] = [fixture("localhost-key.pem"), fixture("localhost-cert.pem")];
  const asServer = { isServer: true, key, cert, timeoutMs: 5_000 } as const;
  await Promise.all([
    second.release().startTls(asServer),
    pair.client.startTls({ servername: "localhost", ca: cert, timeoutMs: 5_000 }),
  ]);
  await pair.client.write("in private");
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  pair.server.handle({ data: (_, chunk) => resolve(chunk) });
  assert.equal(String(await promise), "in private");
});

test("Framed.release() pauses the connection until the next read", async () => {
  for (const framesMax of [1, undefined]) {
    await using pair = await connectionPair({ server: { readHighWaterMark: 1_024 } });
    await pair.client.write("go\n");
    const channel = framed(pair.server, lines(), { framesMax });
    assert.equal(await channel.next(), "go");
    const connection = channel.release();
    const block = Buffer.alloc(1024 * 1024, "x");
    const written = pair.client.write(block).then(() => pair.client.flush());
    for (let turn = 0; turn < 200; turn += 1) await nextTurn();
    assert.equal(connection.unreadBytes, 0);
    assert.equal((await connection.readExactly(block.length)).length, block.length);
    await written;
  }
});

test("Framed.release() keeps a read deadline, and later reads get the error of a reset", async () => {
  await using pair = await connectionPair();
  pair.server.setReadDeadline(0);
  const channel = framed(pair.server, lines(), { framesMax: 1 });
  await pair.client.write("one\nrest");
  assert.equal(await channel.next(), "one");
  channel.release();
  await assert.rejects(pair.server.read(), { code: "timeout" });
  pair.server.setReadDeadline(null);
  assert.equal(String(await pair.server.read()), "rest");
  pair.client.reset();
  await assert.rejects(pair.server.read(), { code: "reset" });
});

test("Framed.release() throws when frames would be lost, and after the end", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  const waiting = channel.next();
  assert.throws(() => channel.release(), {
    code: "busy",
    message: "Cannot release the connection: a read is waiting",
  });
  await pair.client.write("one\ntwo\n");
  assert.equal(await waiting, "one");
  assert.throws(() => channel.release(), {
    code: "busy",
    message: /a frame was decoded that was not read; open the channel with framesMax: 1$/,
  });
  assert.equal(await channel.next(), "two");
  channel.release();
  assert.throws(() => channel.release(), { code: "closed", message: /the channel has ended$/ });
});

test("Framed.release() throws the error that ended the channel", async () => {
  await using pair = await connectionPair();
  await pair.client.write("size 5\nbody without a line feed");
  // Without framesMax: 1 the body is decoded as a line.
  const channel = framed(pair.server, lines({ bytesMax: 10 }));
  assert.equal(await channel.next(), "size 5");
  assert.throws(() => channel.release(), { code: "frame-too-long" });
  assert.throws(() => channel.release(), { code: "closed" });
  assert.equal(await channel.next(), null);
});

test("Framed.close() leaves a released connection open", async () => {
  await using pair = await connectionPair();
  {
    await using first = framed(pair.server, lines(), { framesMax: 1 });
    const second = first.changeCodec(lines(), { framesMax: 1 });
    await first.close();
    second.release();
  }
  assert.equal(pair.server.state, "established");
  await pair.client.write("still there");
  assert.equal(String(await pair.server.readExactly(11)), "still there");
});

test("Framed.release() throws closed after close() of the connection", async () => {
  for (const end of ["close", "reset", "detach"] as const) {
    await using pair = await connectionPair();
    await pair.client.write("one\ntwo\n");
    const channel = framed(pair.server, lines(), { framesMax: 1 });
    assert.equal(await channel.next(), "one");
    const given = pair.server[end]();
    assert.throws(() => channel.release(), { code: "closed" });
    if (given !== undefined && "socket" in given) given.socket.destroy();
    pair.client.reset();
    await pair.server.closed;
  }
});
