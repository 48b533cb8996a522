/**
 * Sends ten thousand random byte strings to every listener while two well-behaved clients chat undisturbed. Also tests
 * kinds of misbehaviour that random bytes do not reach.
 *
 * @module
 */
import assert from "node:assert/strict";
import dgram from "node:dgram";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { bind, serve } from "@landline/sockets";
import { portOf, TestServer } from "./chat-server.ts";
import { failOnLeaks } from "./leaks.ts";
import { RawClient, turns } from "./raw-client.ts";
import { seededRandom } from "./seed.ts";
import { until } from "./until.ts";

failOnLeaks("file");

const STRINGS = 10_000;
/** Most strings sent on one connection. */
const STRINGS_PER_CONNECTION = 20;
const CONNECTIONS_AT_ONCE = 32;
/** How much the heap may grow, in bytes: the room's log stores the messages of the well-behaved clients. */
const GROWTH_BYTES_MAX = 24 * 1024 * 1024;

const random = seededRandom();

/** A kind of connection to attack. */
interface Target {
  readonly name: string;
  readonly port: () => number;
  /** Valid requests to send first. */
  readonly greeting?: (() => readonly (string | Uint8Array)[]) | undefined;
  readonly make: () => Uint8Array;
}

describe("random bytes", { timeout: 300_000 }, () => {
  let chat: TestServer;
  let echo: Awaited<ReturnType<typeof serve>>;
  let udp: Awaited<ReturnType<typeof bind>>;
  let udpEchoes: Promise<void>;
  const warnings: Error[] = [];
  const warn = (warning: Error): void => void warnings.push(warning);
  const echoErrors: unknown[] = [];

  before(async () => {
    process.on("warning", warn);
    chat = await TestServer.start({ sniffMs: 5 });
    echo = await serve({ host: "127.0.0.1", onError: (error) => echoErrors.push(error) }, async (connection) => {
      for await (const chunk of connection) await connection.write(chunk);
    });
    udp = await bind({ host: "127.0.0.1" });
    udpEchoes = (async () => {
      for await (const { data, from } of udp) await udp.send(data, from);
    })();
  });
  after(async () => {
    await chat[Symbol.asyncDispose]();
    await echo.close();
    await udp.close();
    await udpEchoes;
    process.off("warning", warn);
    assert.deepEqual(warnings, []);
    assert.deepEqual(echoErrors, []);
  });

  const HOST = "Host: 127.0.0.1\r\n";
  const UPGRADE = `GET /ws HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
  let guests = 0;
  const join = (): string => {
    guests += 1;
    return JSON.stringify({ type: "join", room: "garbage", username: `guest${guests}` });
  };
  const hello = (): string => {
    guests += 1;
    return `{"type":"hello","version":2,"username":"guest${guests}"}{"type":"join","room":"garbage"}`;
  };
  const chatPort = (): number => chat.port;
  const targets: readonly Target[] = [
    { name: "the door", port: chatPort, make: anything },
    {
      name: "HTTP",
      port: chatPort,
      make: () => Buffer.concat([Buffer.from(pick(["GET /", "POST / HTTP/1.1\r\n"])), httpish()]),
    },
    {
      name: "a WebSocket handshake",
      port: chatPort,
      make: () => mutate(Buffer.from(UPGRADE)),
    },
    {
      name: "WebSocket frames",
      port: chatPort,
      greeting: () => [UPGRADE, maskedFrame(0x81, Buffer.from(join()))],
      make: frameish,
    },
    { name: "a chat of version 1", port: chatPort, greeting: () => [join()], make: jsonish },
    { name: "a chat of version 2", port: chatPort, greeting: () => [hello()], make: jsonish },
    {
      name: "a length-prefixed chat",
      port: chatPort,
      greeting: () => [prefixed(join())],
      make: () => (random() < 0.9 ? prefixed(jsonish()) : anything()),
    },
    { name: "the toolkit's TCP echo", port: () => portOf(echo.address), make: anything },
  ];

  for (const target of targets) {
    test(`sent to ${target.name} disturb no other client`, async () => {
      const talk = await Talk.start(chat);
      await attack(target, STRINGS / 10);
      const before = heapAfterCollection();
      await attack(target, STRINGS - STRINGS / 10);
      const growth = heapAfterCollection() - before;
      assert.ok((await talk.stop()) > 0);
      assert.deepEqual(chat.reported, []);
      assert.ok(growth < GROWTH_BYTES_MAX, `the heap grew by ${growth} bytes`);
    });
  }

  test("sent to the toolkit's UDP echo disturb no other client", async () => {
    const talk = await Talk.start(chat);
    const socket = dgram.createSocket("udp4");
    socket.connect(portOf(udp.address), "127.0.0.1");
    await once(socket, "connect");
    let echoed = 0;
    socket.on("message", () => {
      echoed += 1;
    });
    for (let i = 0; i < STRINGS; i += 1) {
      const bytes = anything();
      await new Promise((sent) => socket.send(bytes, sent));
      await turns(1);
    }
    // The kernel may drop datagrams under load. Repeat the last one until its echo arrives.
    const before = echoed;
    await until(() => {
      socket.send("still there?");
      return echoed > before;
    }, "the server echoes again");
    assert.ok(echoed > STRINGS / 10, `${echoed} echoes`);
    socket.close();
    await once(socket, "close");
    assert.ok((await talk.stop()) > 0);
  });
});

/** Sends strings over several connections at once. Each connection ends normally or by a reset. */
async function attack(target: Target, strings: number): Promise<void> {
  let left = strings;
  const caller = async (): Promise<void> => {
    while (left > 0) {
      const client = await RawClient.open(target.port());
      for (const part of target.greeting?.() ?? []) await client.sendApart([part]);
      for (let i = 0; i < STRINGS_PER_CONNECTION && left > 0; i += 1) {
        // The server has ended this connection: continue on the next one.
        if (client.hasEnded || client.socket.destroyed) break;
        left -= 1;
        client.send(target.make());
        await turns(2);
        if (!client.socket.writableNeedDrain) continue;
        await Promise.race([once(client.socket, "drain"), client.closed]).catch(() => undefined);
      }
      if (random() < 0.5) {
        client.finish();
        await client.ended();
        await client.close();
      } else {
        await client.reset();
      }
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS_AT_ONCE }, caller));
}

/** Two well-behaved clients. Checks that each message is acknowledged to one and delivered to the other. */
class Talk {
  readonly #stopped: Promise<number>;
  #goesOn = true;
  static #talks = 0;

  private constructor(author: RawClient, reader: RawClient, room: string) {
    this.#stopped = this.#run(author, reader, room);
  }

  static async start(server: TestServer): Promise<Talk> {
    Talk.#talks += 1;
    const room = `talk${Talk.#talks}`;
    const reader = await server.member(`Reader${Talk.#talks}`, room);
    const author = await server.member(`Author${Talk.#talks}`, room);
    assert.equal((await reader.next()).type, "presence");
    return new Talk(author, reader, room);
  }

  /** Stops. Returns the number of messages. */
  async stop(): Promise<number> {
    this.#goesOn = false;
    return this.#stopped;
  }

  async #run(author: RawClient, reader: RawClient, room: string): Promise<number> {
    let count = 0;
    while (this.#goesOn) {
      count += 1;
      author.send({ type: "chat", id: `${count}`, room, message: `message ${count}` });
      const [ack, heard] = await Promise.all([author.next(), reader.next()]);
      assert.deepEqual([ack.type, ack.id, ack.seq], ["ack", `${count}`, count + 1]);
      assert.deepEqual(
        [heard.type, heard.message, heard.seq, heard.prev],
        ["chat", `message ${count}`, count + 1, count],
      );
    }
    await Promise.all([author.close(), reader.close()]);
    return count;
  }
}

describe("clients that misbehave on purpose", { timeout: 300_000 }, () => {
  test("a line without an end makes the server close the connection with frame-too-long", async () => {
    await using server = await TestServer.start();
    const client = await server.seedMember("Ada", "lobby");
    client.send('{"type":"chat","message":"');
    while (!client.hasEnded) await client.sendApart(["x".repeat(10_000)]);
    assert.equal((await client.rest()).at(-1)?.code, "frame-too-long");
  });

  test("a request sent byte by byte is served like any other", async () => {
    await using server = await TestServer.start();
    const client = await server.connect();
    await client.sendApart(
      Array.from(Buffer.from('{"type":"join","room":"é","username":"Ada"}'), (b) => Uint8Array.of(b)),
    );
    assert.equal((await client.nextWith("type", "notification")).message, "Ada joined é");
  });

  test("a reader that stops is disconnected with slow-consumer, and the others receive everything", async () => {
    await using server = await TestServer.start({ limits: { awayMs: 0 } });
    const author = await server.member("Author", "lobby");
    const reader = await server.member("Reader", "lobby");
    const slow = await server.member("Slow", "lobby");
    await reader.nextWith("username", "Slow");
    await author.nextWith("username", "Slow");
    slow.socket.pause();
    let said = 0;
    let isGone = false;
    while (!isGone) {
      assert.ok(said < 3_000, "no client was disconnected");
      for (let i = 0; i < 32; i += 1) {
        said += 1;
        author.send({ type: "chat", id: `${said}`, message: `${said} ${"x".repeat(16_000)}` });
      }
      for (let acks = 0; acks < 32; ) {
        const message = await author.next();
        if (message.type === "ack") acks += 1;
        else if (message.state === "left") isGone = true;
      }
    }
    let heard = 0;
    while (heard < said) {
      const message = await reader.next();
      if (message.type !== "chat") continue;
      heard += 1;
      assert.equal(message.seq, heard + 1);
    }
    slow.socket.resume();
    const told = await slow.rest();
    assert.deepEqual([told.at(-1)?.type, told.at(-1)?.code, told.at(-1)?.reconnect], ["bye", "slow-consumer", true]);
    // It received the first messages without a gap.
    const chats = told.filter(({ type }) => type === "chat");
    assert.deepEqual(
      chats.map(({ seq }) => seq),
      chats.map((_, i) => i + 2),
    );
  });

  test("a name in use is refused until its client has gone", async () => {
    await using server = await TestServer.start();
    const first = await server.seedMember("Ada", "lobby");
    const second = await server.connect();
    second.send({ type: "join", room: "lobby", username: "ADA" });
    assert.equal((await second.nextWith("type", "error")).code, "name-in-use");
    const witness = await server.seedMember("Bob", "lobby");
    await first.reset();
    assert.equal((await witness.next()).message, "Ada left lobby");
    second.send({ type: "join", room: "lobby", username: "ADA" });
    assert.equal((await second.next()).message, "ADA joined lobby");
  });

  test("a client that finishes its side and never closes leaves the room", async () => {
    await using server = await TestServer.start();
    const witness = await server.seedMember("Bob", "lobby");
    const client = await server.seedMember("Ada", "lobby");
    client.finish();
    assert.equal((await witness.nextWith("message", "Ada left lobby")).type, "notification");
    await client.ended();
  });
});

/** Random bytes, sometimes after the first bytes of a known protocol. */
function anything(): Uint8Array {
  const bytes = noise(random() < 0.02 ? 20_000 : 200);
  if (random() < 0.5) return bytes;
  const start = pick([
    "{",
    "GET /",
    "GET ",
    "\0\0\0\x10",
    "\x16\x03\x01",
    "\r\n",
    "[",
    '"',
    "PRI * HTTP/2.0\r\n\r\n",
    "1 ",
    "\xff\xfe",
  ]);
  return Buffer.concat([Buffer.from(start, "latin1"), bytes]);
}

function noise(lengthMax: number): Buffer {
  const bytes = Buffer.allocUnsafe(Math.floor(random() * lengthMax));
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = random() * 256;
  return bytes;
}

/** A request, or nearly one. */
function jsonish(): Uint8Array {
  const requests = [
    { type: "chat", id: "1", message: "hi" },
    { type: "chat", message: "\u0301".repeat(100), room: "garbage" },
    { type: "join", room: pick(["garbage", "other", "__proto__", "é"]), username: pick(["x", "y", "constructor"]) },
    { type: "leave" },
    { type: "who", room: "garbage" },
    { type: "rooms" },
    { type: "history", room: "garbage", limit: 3 },
    { type: "hello", version: 2, session: "s" },
    { type: "ping", id: "p" },
  ];
  const text = JSON.stringify(pick<object>(requests));
  const way = random();
  if (way < 0.3) return Buffer.from(text);
  if (way < 0.8) return mutate(Buffer.from(`${text}\n`));
  return noise(100);
}

function httpish(): Uint8Array {
  const lines = [
    "Host: 127.0.0.1\r\n",
    "Host: evil\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Upgrade: websocket\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "\r\n",
    " HTTP/1.1\r\n",
  ];
  const parts = Array.from({ length: Math.floor(random() * 6) }, () => Buffer.from(pick(lines)));
  return mutate(Buffer.concat([...parts, noise(50)]));
}

function frameish(): Uint8Array {
  const way = random();
  if (way < 0.6) return maskedFrame(pick([0x81, 0x81, 0x01, 0x80, 0x00, 0x89, 0x8a]), Buffer.from(jsonish()));
  if (way < 0.7) return maskedFrame(pick([0x82, 0x88, 0xc1, 0x8f]), noise(150));
  if (way < 0.9) return mutate(maskedFrame(0x81, Buffer.from(jsonish())));
  return noise(100);
}

function maskedFrame(first: number, payload: Buffer): Buffer {
  const header =
    payload.length < 126
      ? Buffer.from([first, 0x80 | payload.length])
      : Buffer.from([first, 0xfe, payload.length >> 8, payload.length & 255]);
  const key = Buffer.from([1, 2, 3, 4]);
  return Buffer.concat([header, key, payload.map((byte, i) => byte ^ (key[i % 4] as number))]);
}

function prefixed(body: string | Uint8Array): Buffer {
  const bytes = Buffer.from(body as string);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(bytes.length);
  return Buffer.concat([header, bytes]);
}

/** Changes, duplicates, removes or inserts some bytes. */
function mutate(bytes: Uint8Array): Buffer {
  let changed = Buffer.from(bytes);
  for (let times = Math.floor(random() * 4); times > 0; times -= 1) {
    const at = Math.floor(random() * changed.length);
    const way = random();
    if (way < 0.5 && changed.length > 0) changed[at] = random() * 256;
    else if (way < 0.7) changed = changed.subarray(0, at);
    else if (way < 0.85) changed = Buffer.concat([changed.subarray(0, at), noise(8), changed.subarray(at)]);
    else changed = Buffer.concat([changed, changed.subarray(at)]);
  }
  return changed;
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T;
}

/** Bytes that JavaScript still holds, including buffers. */
function heapAfterCollection(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
