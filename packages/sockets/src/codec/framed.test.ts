import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connectionPair } from "../../../../test/connection-pair.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { until } from "../../../../test/until.ts";
import { type Address, formatAddress } from "../address.ts";
import { serve } from "../tcp/serve.ts";
import type { Codec } from "./codec.ts";
import { framed } from "./framed.ts";
import { json } from "./json.ts";
import { lengthPrefixed } from "./length-prefixed.ts";
import { lines } from "./lines.ts";
import { mapped } from "./mapped.ts";

failOnLeaks();

const fixture = (name: string): Buffer => readFileSync(new URL(`../../../../test/fixtures/${name}`, import.meta.url));
const [key, cert] = [fixture("localhost-key.pem"), fixture("localhost-cert.pem")];

const nextTurn = (): Promise<void> => new Promise((next) => setImmediate(next));

/** Reads all batches until the end. */
async function collect<T>(batches: AsyncIterable<readonly T[]>): Promise<T[]> {
  const frames: T[] = [];
  for await (const batch of batches) frames.push(...batch);
  return frames;
}

test("framed() carries frames both ways", async () => {
  await using pair = await connectionPair();
  const client = framed(pair.client, json());
  const server = framed(pair.server, json());
  await client.write({ hello: 1 });
  assert.deepEqual(await server.read(), [{ hello: 1 }]);
  assert.equal(server.send([2]), true);
  assert.deepEqual(await client.read(), [[2]]);
  assert.equal(client.connection, pair.client);
});

test("framed() decodes bytes that were unread before it", async () => {
  await using pair = await connectionPair();
  await pair.client.write("HELLO\nfirst\nsec");
  assert.equal(Buffer.from(await pair.server.readUntil("\n")).toString(), "HELLO\n");
  const channel = framed(pair.server, lines());
  assert.deepEqual(await channel.read(), ["first"]);
  await pair.client.write("ond\n");
  assert.deepEqual(await channel.read(), ["second"]);
});

test("framed() makes reads of the connection reject with busy", async () => {
  await using pair = await connectionPair();
  framed(pair.server, lines());
  await assert.rejects(pair.server.read(), { code: "busy" });
});

test("Framed yields frames in for await until the peer finishes, the last line included", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  await pair.client.write("a\nb\nc");
  pair.client.closeWrite();
  assert.deepEqual(await Array.fromAsync(channel), ["a", "b", "c"]);
  assert.deepEqual(await channel.read(), []);
});

test("Framed leaves our side open when the peer finishes", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  await pair.client.write("question\n");
  pair.client.closeWrite();
  assert.deepEqual(await collect(channel.batches()), ["question"]);
  await channel.write("answer");
  assert.equal(Buffer.from(await pair.client.readUntil("\n")).toString(), "answer\n");
});

test("Framed.read() returns all ready frames", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  await pair.client.write("first\n");
  assert.deepEqual(await channel.read(), ["first"]);
  await pair.client.write("a\nb\n");
  await pair.client.flush();
  await pair.client.write("c\n");
  pair.client.closeWrite();
  assert.deepEqual(await collect(channel.batches()), ["a", "b", "c"]);
});

test("Framed throws an error of the codec once, after the frames before it, then ends", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lengthPrefixed({ bytesMax: 5 }));
  // The peer sends no more: the error must not wait for another chunk.
  await pair.client.write(Buffer.from("00000001610000000600000001", "hex"));
  assert.deepEqual((await channel.read()).map(String), ["a"]);
  await assert.rejects(channel.read(), { code: "frame-too-long" });
  assert.deepEqual(await channel.read(), []);
  assert.deepEqual(await Array.fromAsync(channel), []);
  assert.equal(pair.server.state, "established");
});

test("Framed rejects a waiting read with the codec's error", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lengthPrefixed({ bytesMax: 5 }));
  const read = channel.read();
  await pair.client.write(Buffer.from("00000006", "hex"));
  await assert.rejects(read, { code: "frame-too-long" });
});

test("Framed reports an end inside a frame, after the frames before it", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lengthPrefixed());
  await pair.client.write(Buffer.from("0000000161000000046162", "hex"));
  pair.client.closeWrite();
  const frames: Uint8Array[] = [];
  await assert.rejects(
    async () => {
      for await (const frame of channel) frames.push(frame);
    },
    { code: "frame-truncated", partial: Buffer.from("000000046162", "hex") },
  );
  assert.deepEqual(frames.map(String), ["a"]);
  assert.deepEqual(await channel.read(), []);
});

test("Framed reports a bad last line, after the lines before it", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines({ bytesMax: 3 }));
  await pair.client.write("a\nb\ncccc");
  pair.client.closeWrite();
  assert.deepEqual([...(await channel.read())], ["a", "b"]);
  await assert.rejects(channel.read(), { code: "frame-too-long" });
});

test("Framed reports a connection that the peer broke", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  const read = channel.read();
  pair.client.reset();
  await assert.rejects(read, { code: "reset" });
  assert.deepEqual(await channel.read(), []);
});

test("framed() on a broken connection returns the frames that had arrived, then the error", async () => {
  await using pair = await connectionPair();
  await pair.client.write("one\ntw");
  assert.equal(String(await pair.server.readExactly(1)), "o");
  pair.client.reset();
  await pair.server.closed;
  pair.server.unread(Buffer.from("o"));
  const channel = framed(pair.server, lines());
  assert.deepEqual(await channel.read({ timeoutMs: 5_000 }), ["one"]);
  await assert.rejects(channel.read({ timeoutMs: 5_000 }), { code: "reset" });
});

test("Framed reads reject with closed when this side closes", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  const read = assert.rejects(channel.read(), { code: "closed" });
  const closed = channel.close();
  await pair.client.close();
  await closed;
  await read;
  await assert.rejects(channel.next(), { code: "closed" });
  await assert.rejects(channel.write("x"), { code: "closed" });
  assert.equal(channel.send("x"), false);
});

test("Framed.read() rejects with busy while another read waits", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  const read = channel.read();
  await assert.rejects(channel.read(), { code: "busy" });
  await pair.client.write("a\n");
  assert.deepEqual(await read, ["a"]);
});

test("Framed.read() loses no frame when aborted or timed out", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  await pair.client.write("hal");
  const controller = new AbortController();
  const aborted = assert.rejects(channel.read({ signal: controller.signal }), /enough/);
  controller.abort(new Error("enough"));
  await aborted;
  const timedOut = assert.rejects(channel.read({ timeoutMs: 10 }), { code: "timeout" });
  t.mock.timers.tick(10);
  await timedOut;
  await assert.rejects(channel.read({ signal: controller.signal }), /enough/);
  await pair.client.write("f\nwhole\n");
  pair.client.closeWrite();
  assert.deepEqual(await collect(channel.batches()), ["half", "whole"]);
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
});

test("Framed delivers any number of frames of one chunk, with or without a waiting read", async () => {
  const count = 5_000;
  for (const waits of [true, false]) {
    await using pair = await connectionPair();
    const channel = framed(pair.server, lines());
    const read = waits ? channel.read() : undefined;
    await pair.client.write("x\n".repeat(count));
    await pair.client.flush();
    let left = count - ((await read)?.length ?? 0);
    while (left > 0) {
      const batch = await channel.read();
      assert.ok(batch.length > 0);
      left -= batch.length;
    }
    await pair.client.write("last\n");
    assert.deepEqual(await channel.read(), ["last"]);
  }
});

test("Framed delivers unread frames after the peer finished", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  await pair.client.write("x\n".repeat(5_000));
  pair.client.closeWrite();
  const frames = await collect(channel.batches());
  assert.equal(frames.length, 5_000);
});

test("Framed pauses the connection while its frames are unread", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lengthPrefixed());
  const frame = Buffer.alloc(32 * 1024);
  const total = 2_048;
  const sent = (async () => {
    for (let i = 0; i < total; i += 1) await pair.client.write([Buffer.from("00008000", "hex"), frame]);
  })();
  // 64 MiB do not fit into the kernel's buffers: the writer must stop.
  let before = -1;
  for (let turns = 0; pair.client.bufferedBytes !== before || pair.client.canWrite; turns += 1) {
    assert.ok(turns < 10_000, "the writer never had to wait");
    before = pair.client.bufferedBytes;
    for (let turn = 0; turn < 20; turn += 1) await new Promise((next) => setImmediate(next));
  }
  let count = 0;
  for await (const batch of channel.batches()) {
    for (const taken of batch) assert.equal(taken.length, frame.length);
    count += batch.length;
    if (count === total) break;
  }
  await sent;
});

test("Framed closes its connection at the end of an await using scope", async () => {
  await using server = await serve({ host: "127.0.0.1" }, async (connection) => {
    for await (const line of framed(connection, lines())) await connection.write(`${line.toUpperCase()}\n`);
  });
  await using pair = await connectionPair();
  const { connection } = await (async () => {
    await using channel = framed(pair.client, lines());
    pair.server.closeWrite();
    return channel;
  })();
  assert.equal(connection.state, "closed");
  assert.equal(server.connections, 0);
});

test("Framed.close() rejects a waiting read at once, before the peer has finished", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.client, lines());
  const waiting = assert.rejects(channel.read(), { code: "closed" });
  const closed = channel.close();
  await waiting;
  assert.equal(pair.client.state, "closing");
  pair.server.reset();
  await closed;
});

test("Framed.write() rejects a frame that cannot be encoded, and send() throws", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.client, lengthPrefixed({ bytesMax: 1 }));
  await assert.rejects(channel.write(Buffer.from("ab")), { code: "frame-too-long" });
  assert.throws(() => channel.send(Buffer.from("ab")), { code: "frame-too-long" });
});

test("framed({ framesMax }) limits the frames per read, and returns all, then the error or the end", async () => {
  for (const framesMax of [1, 2, 3]) {
    for (const ending of ["end", "error", "truncated"]) {
      await using pair = await connectionPair();
      const channel = framed(pair.server, lengthPrefixed({ bytesMax: 5 }), { framesMax });
      const extra = { end: "", error: "00000006", truncated: "000000" }[ending] as string;
      await pair.client.write(Buffer.from(`${"00000001610000000162".repeat(4)}${extra}`, "hex"));
      if (ending !== "error") pair.client.closeWrite();
      const sizes: number[] = [];
      const frames: string[] = [];
      const read = async (): Promise<void> => {
        for await (const batch of channel.batches()) {
          sizes.push(batch.length);
          frames.push(...batch.map(String));
        }
      };
      if (ending === "end") await read();
      else await assert.rejects(read, { code: ending === "error" ? "frame-too-long" : "frame-truncated" });
      assert.equal(frames.join(""), "abababab");
      assert.ok(Math.max(...sizes) <= framesMax, `${sizes}`);
      assert.deepEqual(await channel.read(), []);
    }
  }
});

test("framed({ framesMax }) decodes nothing after an unread frame", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines(), { framesMax: 1 });
  for (const text of ["one\ntw", "o\nthr", "ee\n"]) pair.server.unread(Buffer.from(text));
  for (const line of ["one", "two", "three"]) assert.deepEqual(await channel.read(), [line]);
});

test("framed({ framesMax }) limits the frames per read over several chunks", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines(), { framesMax: 3 });
  for (const text of ["1\n2\n", "3\n4\n", "5\n"]) pair.server.unread(Buffer.from(text));
  assert.deepEqual(await channel.read(), ["1", "2", "3"]);
  assert.deepEqual(await channel.read(), ["4", "5"]);
});

test("framed() refuses an invalid framesMax", async () => {
  await using pair = await connectionPair();
  for (const framesMax of [0, -1, Number.NaN]) {
    assert.throws(() => framed(pair.server, lines(), { framesMax }), RangeError);
  }
  assert.equal(pair.server.isHandled, false);
});

test("Framed.changeCodec() continues at the next byte, at every split", async () => {
  // The part between the lines is not valid as lines: not UTF-8, with a line feed inside, and longer than the limit.
  const sample = Buffer.from(
    "73776974 63680a 00000005 ff0affff0a 00000001 61 6f6c640a 6c617374".replaceAll(" ", ""),
    "hex",
  );
  for (let cut = 0; cut <= sample.length; cut += 1) {
    await using pair = await connectionPair();
    const first = framed(pair.server, lines({ bytesMax: 6 }), { framesMax: 1 });
    await pair.client.write(sample.subarray(0, cut));
    await pair.client.flush();
    const read = first.read();
    await pair.client.write(sample.subarray(cut));
    // The last codec gets the end, which arrives with the rest or has already arrived.
    pair.client.closeWrite();
    assert.deepEqual(await read, ["switch"]);
    await until(() => pair.server.state !== "established", "the server has received the end");
    assert.equal(pair.server.state, "half-closed-remote");
    const second = first.changeCodec(lengthPrefixed(), { framesMax: 1 });
    assert.deepEqual(await second.read(), [Buffer.from("ff0affff0a", "hex")]);
    assert.deepEqual((await second.read()).map(String), ["a"]);
    const third = second.changeCodec(lines());
    assert.deepEqual(await collect(third.batches()), ["old", "last"]);
    assert.deepEqual([await first.read(), await second.read()], [[], []]);
  }
});

test("Framed.changeCodec() in a loop decodes later bytes, and writes keep their order", async () => {
  await using pair = await connectionPair();
  const server = (async () => {
    const greeting = framed(pair.server, lines(), { framesMax: 1 });
    for await (const line of greeting) {
      if (line !== "upgrade") continue;
      const channel = greeting.changeCodec(lengthPrefixed());
      // The last answer uses the old codec, the next one the new codec.
      await Promise.all([greeting.write("upgraded"), channel.write(Buffer.from("ready"))]);
      for await (const frame of channel) await channel.write(frame);
    }
  })();
  await pair.client.write("hello\nupgrade\n");
  assert.equal(String(await pair.client.readUntil("\n")), "upgraded\n");
  await pair.client.write([Buffer.from("00000002", "hex"), "\n\n"]);
  const channel = framed(pair.client, lengthPrefixed());
  const answers: string[] = [];
  while (answers.length < 2) answers.push(...(await channel.read()).map(String));
  assert.deepEqual(answers, ["ready", "\n\n"]);
  pair.client.closeWrite();
  await server;
});

test("Framed.changeCodec() throws when frames would be lost, and works after they are read", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  const waiting = channel.read();
  assert.throws(() => channel.changeCodec(json()), { code: "busy", message: /a read is waiting$/ });
  await pair.client.write("one\n");
  assert.deepEqual(await waiting, ["one"]);
  pair.server.unread(Buffer.from("two\nthree\n"));
  assert.throws(() => channel.changeCodec(json()), {
    code: "busy",
    message: /2 frames were decoded that were not read; .*framesMax/,
  });
  assert.deepEqual(await channel.read(), ["two", "three"]);
  const changed = channel.changeCodec(json());
  await pair.client.write("[1]");
  assert.deepEqual(await changed.read(), [[1]]);
  assert.throws(() => changed.changeCodec(json(), { framesMax: 0 }), RangeError);
  await pair.client.write("[2]");
  assert.deepEqual(await changed.read(), [[2]]);
  assert.throws(() => channel.changeCodec(json()), { code: "closed" });
});

test("Framed.changeCodec() throws the error of a reset, and closed after close()", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines(), { framesMax: 1 });
  await pair.client.write("one\n[2]");
  assert.deepEqual(await channel.read(), ["one"]);
  pair.client.reset();
  const changed = channel.changeCodec(json(), { framesMax: 1 });
  assert.deepEqual(await changed.read(), [[2]]);
  await assert.rejects(changed.read(), { code: "reset" });
  void changed.close();
  assert.throws(() => changed.changeCodec(lines()), { code: "closed" });
});

test("Framed makes startTls() reject with undecoded or unread plain text, and loses none of it", async () => {
  const starting: readonly [sent: string, framesMax: number, taken: string, left: readonly string[]][] = [
    ["STARTTLS\ninjected\n", 1, "read", ["injected"]],
    ["STARTTLS\ninject", 1, "read", ["inject"]],
    ["STARTTLS\ninjected\n", 1_024, "loop", ["injected"]],
  ];
  for (const [sent, framesMax, taken, left] of starting) {
    await using pair = await connectionPair();
    const channel = framed(pair.server, lines(), { framesMax });
    await pair.client.write(sent);
    const frames = channel[Symbol.asyncIterator]();
    if (taken === "read") assert.deepEqual(await channel.read(), ["STARTTLS"]);
    else assert.deepEqual(await frames.next(), { value: "STARTTLS", done: false });
    await assert.rejects(pair.server.startTls({ isServer: true, key, cert }), {
      code: "malformed",
      message: /bytes are unread$/,
    });
    assert.equal(pair.server.state, "established");
    pair.client.closeWrite();
    const rest: string[] = [];
    for await (const frame of taken === "read" ? channel : { [Symbol.asyncIterator]: () => frames }) rest.push(frame);
    assert.deepEqual(rest, left);
  }
});

test("Framed continues over TLS after startTls()", async () => {
  await using pair = await connectionPair();
  const client = framed(pair.client, lines(), { framesMax: 1 });
  const server = framed(pair.server, lines(), { framesMax: 1 });
  client.send("STARTTLS");
  assert.deepEqual(await server.read(), ["STARTTLS"]);
  server.send("ok");
  const secured = pair.server.startTls({ isServer: true, key, cert });
  assert.deepEqual(await client.read(), ["ok"]);
  await Promise.all([secured, pair.client.startTls({ ca: cert, servername: "localhost" })]);
  assert.ok(pair.client.peerCertificate);
  client.send("inside");
  assert.deepEqual(await server.read(), ["inside"]);
});

test("Framed.changeCodec() in a loop throws while decoded frames are left", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  await pair.client.write("switch\nnext\n");
  for await (const line of channel) {
    if (line === "switch")
      assert.throws(() => channel.changeCodec(json()), { code: "busy", message: /a frame was decoded/ });
    else break;
  }
  channel.changeCodec(json());
});

test("Framed.next() returns one frame at a time, then null, and read() returns the rest", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  const waiting = channel.next();
  await pair.client.write("one\ntwo\nthree\nfour\n");
  assert.equal(await waiting, "one");
  assert.equal(await channel.next(), "two");
  assert.deepEqual(await channel.read(), ["three", "four"]);
  await pair.client.write("fi");
  await assert.rejects(channel.next({ timeoutMs: 0 }), { code: "timeout" });
  pair.client.send("ve\n");
  pair.client.closeWrite();
  assert.deepEqual([await channel.next(), await channel.next(), await channel.next()], ["five", null, null]);
});

test("Framed.next() returns the frames before an error, throws it once, then returns null", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines({ bytesMax: 3 }));
  await pair.client.write("a\nb\nlonger\n");
  assert.deepEqual([await channel.next(), await channel.next()], ["a", "b"]);
  await assert.rejects(channel.next(), { code: "frame-too-long" });
  assert.equal(await channel.next(), null);
});

test("Framed returns all frames in order for any combination of reads", async () => {
  for (const framesMax of [1, 3, 1_024]) {
    await using pair = await connectionPair();
    const channel = framed(pair.server, lines(), { framesMax });
    const expected = Array.from({ length: 3_000 }, (_, index) => `${index}`);
    const sent = (async () => {
      for (let at = 0; at < expected.length; at += 70) {
        await pair.client.write(`${expected.slice(at, at + 70).join("\n")}\n`);
        await nextTurn();
      }
      pair.client.closeWrite();
    })();
    const taken: (string | null)[] = [];
    while (taken.at(-1) !== null) {
      for (let count = 0; count < 5 && taken.at(-1) !== null; count += 1) taken.push(await channel.next());
      if (taken.at(-1) === null) break;
      let count = 0;
      for await (const frame of channel) {
        taken.push(frame);
        count += 1;
        if (count === 40) break;
      }
      const batch = await channel.read();
      assert.ok(batch.length <= framesMax, `${batch.length} frames in one read`);
      taken.push(...batch);
    }
    assert.deepEqual(taken, [...expected, null]);
    await sent;
  }
});

test("Framed keeps the other frames when a loop is left", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  await pair.client.write("one\ntwo\nthree\nfour\n");
  for await (const line of channel) if (line === "two") break;
  assert.equal(await channel.next(), "three");
  for await (const line of channel.frames()) {
    assert.equal(line, "four");
    break;
  }
  pair.client.closeWrite();
  assert.deepEqual(await Array.fromAsync(channel), []);
});

test("Framed yields null frames in a loop", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, json());
  await pair.client.write("null 1 null\n");
  pair.client.closeWrite();
  assert.deepEqual(await Array.fromAsync(channel), [null, 1, null]);
});

test("Framed.frames() and batches() apply their options to each wait, and lose nothing", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  for (const how of ["frames", "batches"] as const) {
    const controller = new AbortController();
    await pair.client.write("one\n");
    const loop = channel[how]({ signal: controller.signal, timeoutMs: 50 });
    assert.equal(String((await loop.next()).value), "one");
    // The time limit is per wait, not for the whole loop.
    t.mock.timers.tick(40);
    await pair.client.write("two\n");
    assert.equal(String((await loop.next()).value), "two");
    const late = assert.rejects(loop.next(), { code: "timeout" });
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    t.mock.timers.tick(49);
    t.mock.timers.tick(1);
    await late;
    const aborted = assert.rejects(channel[how]({ signal: controller.signal }).next(), /enough/);
    controller.abort(new Error("enough"));
    await aborted;
    assert.equal(getEventListeners(controller.signal, "abort").length, 0);
    await pair.client.write("three\n");
    assert.equal(await channel.next(), "three");
  }
});

test("Framed.frames() stops at an abort even with frames ready, and keeps them", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines());
  await pair.client.write("one\ntwo\n");
  const controller = new AbortController();
  const taken: string[] = [];
  await assert.rejects(async () => {
    for await (const line of channel.frames({ signal: controller.signal })) {
      taken.push(line);
      controller.abort(new Error("enough"));
    }
  }, /enough/);
  assert.deepEqual(taken, ["one"]);
  assert.equal(await channel.next(), "two");
});

test("Framed adds the peer to errors of the codec and keeps their fields", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using pair = await connectionPair();
  const { local, remote } = pair.server;
  const peer = formatAddress(remote as Address);
  const channel = framed(pair.server, lengthPrefixed({ bytesMax: 5 }));
  const late = assert.rejects(channel.read({ timeoutMs: 50 }), {
    message: `Cannot read frames from ${peer}: timed out after 50 ms`,
    operation: "read",
    remote,
    local,
  });
  t.mock.timers.tick(50);
  await late;
  assert.throws(() => channel.send(Buffer.alloc(6)), {
    message: `Cannot write frame to ${peer}: length 6 exceeds limit 5 bytes (option bytesMax)`,
    code: "frame-too-long",
    operation: "encode",
    remote,
  });
  await pair.client.write(Buffer.from("000000056162", "hex"));
  pair.client.closeWrite();
  await assert.rejects(channel.read(), {
    message: `Cannot read frame from ${peer}: the stream ended inside its payload`,
    code: "frame-truncated",
    operation: "decode",
    partial: Buffer.from("000000056162", "hex"),
    remote,
    local,
  });
});

test("Framed keeps the cause of a codec's error, and does not change errors that are not SocketErrors", async () => {
  const oops = new Error("oops");
  const broken: Codec<string> = {
    decoder: () => ({
      decode() {
        throw oops;
      },
      end: () => [],
      rest: () => Buffer.alloc(0),
    }),
    encode() {
      throw oops;
    },
  };
  await using pair = await connectionPair();
  const bad = framed(pair.client, broken);
  await pair.server.write("x");
  await assert.rejects(bad.read(), (error) => error === oops);
  await assert.rejects(bad.write("x"), (error) => error === oops);
  const channel = framed(
    pair.server,
    mapped(lines(), {
      decode: () => {
        throw oops;
      },
      encode: (line: string) => line,
    }),
  );
  await pair.client.write("x\n");
  await assert.rejects(channel.next(), { code: "malformed", cause: oops, remote: pair.server.remote });
});

test("framed() throws busy while another channel reads the connection", async () => {
  await using pair = await connectionPair();
  const channel = framed(pair.server, lines({ bytesMax: 5 }));
  assert.throws(() => framed(pair.server, lines()), { code: "busy", message: /another channel reads the connection$/ });
  await pair.client.write("one\ntoo long\n");
  assert.deepEqual(await channel.read(), ["one"]);
  await assert.rejects(channel.read(), { code: "frame-too-long" });
  // After an error a new channel can continue.
  const next = framed(pair.server, lines());
  const changed = next.changeCodec(json());
  assert.throws(() => framed(pair.server, lines()), { code: "busy" });
  await pair.client.write("[1]");
  assert.deepEqual(await changed.next(), [1]);
});
