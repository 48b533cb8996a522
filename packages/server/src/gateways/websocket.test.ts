import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { serve } from "@landline/sockets";
import { type ClientOptions, WebSocket } from "ws";
import { portOf, TestServer } from "../../../../test/chat-server.ts";
import { HubFixture, type Message } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { RawClient, turns } from "../../../../test/raw-client.ts";
import { idle, turn, until } from "../../../../test/until.ts";
import { RequestReader, version1 } from "../dialects/json/mod.ts";
import { HttpGateway } from "./http.ts";
import { WebSocketGateway } from "./websocket.ts";

failOnLeaks();

const LIMIT = { timeout: 300_000 };

/** A WebSocket client that queues the messages it receives. */
class WebClient {
  readonly socket: WebSocket;
  readonly closed: Promise<readonly [number, string]>;
  readonly #heard: Message[] = [];
  #wake: () => void = () => undefined;

  constructor(port: number, options: ClientOptions = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, options);
    this.closed = new Promise((resolve) => {
      this.socket.on("close", (code, reason) => resolve([code, String(reason)]));
    });
    this.socket.on("message", (data, isBinary) => {
      assert.equal(isBinary, false);
      this.#heard.push(JSON.parse(String(data)));
      this.#wake();
    });
  }

  send(...values: readonly (object | string)[]): this {
    for (const value of values) this.socket.send(typeof value === "string" ? value : JSON.stringify(value));
    return this;
  }

  async next(): Promise<Message> {
    for (;;) {
      const message = this.#heard.shift();
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async nextWith(field: string, value: unknown): Promise<Message> {
    for (;;) {
      const message = await this.next();
      if (message[field] === value) return message;
    }
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

describe("WebSocketGateway", LIMIT, () => {
  test("serves both versions in a room shared with TCP clients", async () => {
    await using server = await TestServer.start();
    const seed = await server.seedMember("Ada", "lobby");
    const web = new WebClient(server.port);
    await once(web.socket, "open");
    assert.equal((await web.next()).type, "welcome");
    web.send({ type: "hello", id: "h", version: 2, username: "Bob" }, { type: "join", id: "j", room: "lobby" });
    assert.equal((await web.next()).id, "h");
    assert.deepEqual((await web.next()).members, ["Ada", "Bob"]);
    assert.deepEqual(await seed.next(), { type: "notification", message: "Bob joined lobby" });
    web.send({ type: "chat", id: "c", message: "é😀" });
    assert.equal((await web.next()).type, "ack");
    assert.equal((await seed.next()).message, "é😀");
    seed.send({ type: "chat", message: "x".repeat(300) }, { type: "chat", message: "short" });
    assert.equal((await web.next()).message, "x".repeat(300));
    assert.equal((await web.next()).message, "short");
    await web.close();
    assert.deepEqual(await seed.next(), { type: "notification", message: "Bob left lobby" });
  });

  test("sends answers of every length as whole frames", async () => {
    await using server = await TestServer.start();
    const web = new WebClient(server.port);
    await once(web.socket, "open");
    web.send({ type: "hello", version: 2, username: "Bob" }, { type: "join", room: "lobby" });
    const lengths = [0, 1, 100, 125, 126, 1_000, 16_000];
    for (const length of lengths) web.send({ type: "chat", message: "x".repeat(length) });
    web.send({ type: "history", id: "all", room: "lobby" });
    const history = await web.nextWith("id", "all");
    // The first entry is the room's name.
    const messages = (history.entries as readonly { message: string }[]).slice(1).map(({ message }) => message.length);
    assert.deepEqual(messages, lengths);
    await web.close();
  });

  test("answers invalid JSON with an error, and reads on", async () => {
    await using server = await TestServer.start();
    const web = new WebClient(server.port);
    await once(web.socket, "open");
    web.send("nonsense", "", '{"type":"ping"}{"type":"ping"}', { type: "ping", id: "p" });
    await web.next();
    for (let i = 0; i < 3; i += 1) assert.deepEqual(await web.next(), { type: "error", message: "Invalid JSON" });
    assert.deepEqual(await web.next(), { type: "pong", id: "p" });
    await web.close();
  });

  test("accepts its own pages and clients without Origin, and no others", async () => {
    const strange = ["http://evil.example", "null", "http://203.0.113.6", "http://localhost.evil.example"];
    for (const hosts of [[], ["chat.example"]]) {
      await using server = await TestServer.start({ hosts });
      const own = [undefined, `http://127.0.0.1:${server.port}`];
      // Another page of this machine, only if no host name is configured.
      const local = ["http://localhost:5173", `http://localhost:${server.port}`];
      const [open, closed] =
        hosts.length === 0
          ? [[...own, ...local], strange]
          : [
              [...own, "https://chat.example"],
              [...strange, ...local],
            ];
      for (const origin of open) {
        const web = new WebClient(server.port, origin === undefined ? {} : { origin });
        await once(web.socket, "open");
        await web.close();
      }
      for (const origin of closed) {
        const web = new WebClient(server.port, { origin });
        const [error] = (await once(web.socket, "error")) as [Error];
        assert.match(error.message, /403/, origin);
        await web.closed;
      }
    }
  });

  test("answers 400 to an invalid handshake, with the usual headers", async () => {
    await using server = await TestServer.start();
    const good = ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"];
    for (const fields of [
      [good[0]],
      [good[1]],
      [good[0], "Sec-WebSocket-Version: 99"],
      [...good, "Sec-WebSocket-Protocol: ,"],
    ]) {
      const client = await server.connect();
      const lines = ["GET /ws HTTP/1.1", "Host: 127.0.0.1", "Connection: Upgrade", "Upgrade: websocket", ...fields];
      client.send(`${lines.join("\r\n")}\r\n\r\n`);
      const text = await client.restText();
      assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*x-content-type-options: nosniff\r\n/);
      assert.match(text, /\r\nsec-websocket-version: 13\r\n[\s\S]*\r\n\r\n(Missing or i|I)nvalid Sec-WebSocket-/);
      await client.close();
    }
  });

  test("closes with 1000 after the client's own bye", async () => {
    await using server = await TestServer.start();
    const web = new WebClient(server.port);
    await once(web.socket, "open");
    web.send({ type: "hello", version: 2, username: "Ada" }, { type: "bye" });
    assert.deepEqual(await web.closed, [1000, ""]);
  });

  test("ends the connection at binary, oversized and invalid frames, with the right close code", async () => {
    await using server = await TestServer.start();
    const witness = await server.member("Ada", "lobby");
    const cases: readonly (readonly [number, (web: WebClient) => void])[] = [
      [1003, (web) => web.socket.send(Buffer.from('{"type":"ping"}'))],
      [1009, (web) => web.send("x".repeat(65_537))],
      // A client must mask, reserved bits must be 0, and text must be UTF-8.
      [1002, (web) => tcpOf(web).write(Buffer.from([0x81, 0x00]))],
      [1002, (web) => tcpOf(web).write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]))],
      [1007, (web) => tcpOf(web).write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff]))],
    ];
    for (const [code, misbehave] of cases) {
      const web = new WebClient(server.port);
      web.socket.on("error", () => undefined);
      await once(web.socket, "open");
      web.send({ type: "join", room: "lobby", username: "Bob" });
      await web.nextWith("type", "notification");
      assert.equal((await witness.next()).state, "joined");
      misbehave(web);
      assert.equal((await web.closed)[0], code);
      assert.equal((await witness.next()).state, "left");
    }
    // A frame of exactly the limit is accepted.
    const web = new WebClient(server.port);
    await once(web.socket, "open");
    web.send(`{"type":"ping","x":"${"x".repeat(65_536 - 22)}"}`);
    assert.equal((await web.nextWith("type", "pong")).type, "pong");
    await web.close();
  });

  test("removes a client that disconnects", async () => {
    await using server = await TestServer.start();
    const witness = await server.seedMember("Ada", "lobby");
    const web = new WebClient(server.port);
    web.socket.on("error", () => undefined);
    await once(web.socket, "open");
    web.send({ type: "join", room: "lobby", username: "Bob" });
    assert.equal((await witness.next()).message, "Bob joined lobby");
    web.socket.terminate();
    assert.equal((await witness.next()).message, "Bob left lobby");
    await web.closed;
  });

  test("sends all answers, however late the client reads", async () => {
    await using server = await TestServer.start();
    const web = new WebClient(server.port);
    await once(web.socket, "open");
    web.send({ type: "hello", version: 2, username: "Ada" }, { type: "join", room: "lobby" });
    for (let i = 0; i < 20; i += 1) web.send({ type: "chat", id: `c${i}`, message: "x".repeat(10_000) });
    await web.nextWith("id", "c19");
    web.socket.pause();
    const requests = 150;
    for (let i = 0; i < requests; i += 1) web.send({ type: "history", id: `${i}`, room: "lobby" });
    await idle();
    web.socket.resume();
    for (let i = 0; i < requests; i += 1) assert.equal((await web.next()).id, `${i}`);
    await web.close();
  });

  test("disconnects a client that pings without reading the pongs", async () => {
    await using server = await TestServer.start();
    const witness = await server.seedMember("Ada", "lobby");
    const web = new WebClient(server.port);
    web.socket.on("error", () => undefined);
    await once(web.socket, "open");
    web.send({ type: "join", room: "lobby", username: "Bob" });
    assert.equal((await witness.next()).message, "Bob joined lobby");
    const socket = tcpOf(web);
    socket.pause();
    const ping = Buffer.concat([Buffer.from([0x89, 0xfd, 0, 0, 0, 0]), Buffer.alloc(125)]);
    const pings = Buffer.concat(Array.from({ length: 1_000 }, () => ping));
    while (!socket.destroyed) {
      socket.write(pings);
      await turns(1);
    }
    assert.equal((await witness.next()).message, "Bob left lobby");
    await web.closed;
  });
});

/** A client's frame, with a mask of zeros. */
function frame(firstByte: number, payload: string | Uint8Array = ""): Buffer {
  const bytes = Buffer.from(payload as string);
  const length =
    bytes.length < 126 ? [0x80 | bytes.length] : [0xfe, Math.floor(bytes.length / 256) % 256, bytes.length % 256];
  return Buffer.concat([Buffer.from([firstByte, ...length, 0, 0, 0, 0]), bytes]);
}

/** Clients that do not answer must leave for another reason than a ping. */
const NO_PINGS = { limits: { pingMs: 3_600_000 } };

const TEXT = 0x81;
const TEXT_BEGIN = 0x01;
const CONTINUATION = 0x00;
const CONTINUATION_END = 0x80;
const CLOSE = 0x88;
const PING = 0x89;
const PONG = 0x8a;

/** A raw WebSocket client in a room. It answers nothing by itself. */
async function rawMember(server: Pick<TestServer, "connect">, username: string): Promise<RawClient> {
  const client = await server.connect();
  client.send(
    `GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${"A".repeat(22)}==\r\n\r\n`,
  );
  client.send(frame(TEXT, JSON.stringify({ type: "join", room: "lobby", username })));
  await client.textUntil(`${username} joined lobby"}`);
  return client;
}

describe("WebSocketGateway: a half-closed client", LIMIT, () => {
  const ways: Readonly<Record<string, (client: RawClient) => unknown>> = {
    "after its close frame": (client) => client.send(frame(CLOSE, Buffer.from([0x03, 0xe8]))),
    "after a close frame without a code": (client) => client.send(frame(CLOSE)),
    "after a close frame behind a request": (client) =>
      client.send(Buffer.concat([frame(TEXT, '{"type":"ping"}'), frame(CLOSE)])),
    "after a close frame cut in two": (client) =>
      client.sendApart([frame(CLOSE).subarray(0, 3), frame(CLOSE).subarray(3)]),
    "after a binary frame (1003)": (client) => client.send(frame(0x82, "x")),
    "after a frame without a mask (1002)": (client) => client.send(Buffer.from([0x81, 0x00])),
    "after a close frame with an invalid code (1002)": (client) => client.send(frame(CLOSE, Buffer.from([0, 1]))),
    "after text that is not UTF-8 (1007)": (client) => client.send(frame(TEXT, Buffer.from([0xff]))),
    "after a frame over the limit (1009)": (client) =>
      client.send(Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0])),
    "after an invalid length (1009)": (client) => client.send(Buffer.from([0x81, 0xff, ...Array(12).fill(0xff)])),
    "after too many fragments (1008)": (client) =>
      client.send(Buffer.concat([frame(TEXT_BEGIN, "x"), ...Array(64).fill(frame(CONTINUATION))])),
    "after too many pings": (client) => client.send(Buffer.concat(Array(1_000).fill(frame(PING, "x")))),
    "after too many pongs": (client) => client.send(Buffer.concat(Array(1_000).fill(frame(PONG)))),
    "after the end of its side": (client) => client.finish(),
    "after the end of its side in a frame": (client) => client.send(frame(TEXT, "{}").subarray(0, 5)).finish(),
  };
  for (const [when, act] of Object.entries(ways)) {
    test(`leaves its rooms ${when}, and its connection ends`, async (t) => {
      await using server = await TestServer.start(NO_PINGS);
      const witness = await server.seedMember("Ada", "lobby");
      const client = await rawMember(server, "Bob");
      assert.equal((await witness.next()).message, "Bob joined lobby");
      t.mock.timers.enable({ apis: ["setTimeout"] });
      // The client never ends its side and never answers a close frame.
      await act(client);
      assert.equal((await witness.next()).message, "Bob left lobby");
      const next = await server.seedMember("Bob", "lobby");
      assert.equal((await witness.next()).message, "Bob joined lobby");
      for (let seconds = 0; !client.socket.destroyed && !client.hasEnded; seconds += 1) {
        assert.ok(seconds < 8, "TCP stays open");
        for (let turns = 0; turns < 20; turns += 1) await turn();
        t.mock.timers.tick(1_000);
      }
      next.send({ type: "leave" });
      await next.reset();
    });
  }
});

describe("WebSocketGateway: fragmented messages", LIMIT, () => {
  test("are accepted in 64 frames, with control frames between them", async () => {
    await using server = await TestServer.start();
    const client = await rawMember(server, "Bob");
    const request = `{"type":"ping"${" ".repeat(47)}}`;
    assert.equal(request.length, 62);
    const parts = [...request].map((byte, index) => frame(index === 0 ? TEXT_BEGIN : CONTINUATION, byte));
    parts.splice(30, 0, frame(PING, "between"), frame(CONTINUATION));
    client.send(Buffer.concat([...parts, frame(CONTINUATION_END)]));
    assert.match(await client.textUntil('{"type":"pong"}'), /between/);
    client.send(frame(TEXT, '{"type":"ping"}'));
    await client.textUntil('{"type":"pong"}');
  });

  test("are rejected one byte per chunk", async () => {
    await using server = await TestServer.start(NO_PINGS);
    const witness = await server.seedMember("Ada", "lobby");
    const client = await rawMember(server, "Bob");
    let hasLeft = false;
    const left = witness.nextWith("message", "Bob left lobby").then(() => {
      hasLeft = true;
    });
    const length = 60_000;
    client.send(frame(TEXT, " ".repeat(length)).subarray(0, 8));
    for (let sent = 1; !hasLeft; sent += 1) {
      assert.ok(sent < length, "all bytes were accepted");
      client.send(" ");
      await turn();
    }
    await left;
  });
});

test("WebSocketGateway keeps a small part of the chunk in which an unfinished frame begins", LIMIT, async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const heldBytes = () => {
    collectGarbage();
    return process.memoryUsage().arrayBuffers;
  };
  await using server = await TestServer.start(NO_PINGS);
  const clients: RawClient[] = [];
  for (let count = 0; count < 100; count += 1) clients.push(await rawMember(server, `U${count}`));
  const ping = frame(TEXT, `{"type":"ping"}${" ".repeat(4_000)}`);
  const pings = Buffer.concat([...Array(16).fill(ping), frame(TEXT, " ".repeat(200)).subarray(0, 20)]);
  const before = heldBytes();
  let pongs = 0;
  for (const { socket } of clients) {
    socket.on("data", (chunk: Buffer) => {
      pongs += chunk.toString().match(/"pong"/g)?.length ?? 0;
    });
    socket.write(pings);
  }
  await until(
    () => pongs === 16 * clients.length,
    () => `${pongs} pings are answered`,
  );
  const keptBytes = () => (heldBytes() - before) / clients.length;
  await until(
    () => keptBytes() < 16_384,
    () => `each client keeps little memory, not ${keptBytes()} bytes`,
    10_000,
  );
});

describe("WebSocketGateway: a handler that throws", LIMIT, () => {
  const ways: Readonly<Record<string, (client: RawClient) => unknown>> = {
    "at a request": (client) => client.send(frame(TEXT, "fail")),
    "at a request behind others": (client) =>
      client.send(Buffer.concat([...Array(400).fill(frame(TEXT, '{"type":"ping"}')), frame(TEXT, "fail")])),
    "at a request behind a long chunk": (client) =>
      client.send(Buffer.concat([...Array(600).fill(frame(TEXT, " ".repeat(90))), frame(TEXT, "fail")])),
    "at a request in single bytes": (client) =>
      client.sendApart([...frame(TEXT, "fail")].map((byte) => Uint8Array.of(byte))),
    "at a request before the end": (client) => client.send(frame(TEXT, "fail"), frame(CLOSE)).finish(),
  };
  for (const [when, act] of Object.entries(ways)) {
    test(`ends its connection, is reported, and leaves the others: ${when}`, async () => {
      const fixture = new HubFixture();
      const witness = await fixture.seedMember("Ada", "lobby");
      const webSocket = new WebSocketGateway(fixture.hub, {
        encoder: version1,
        reader: (receive) => {
          const reader = new RequestReader(receive);
          return (text) => {
            if (text === "fail") throw new Error("a fault in the reader");
            reader.read(text);
          };
        },
      });
      const http = new HttpGateway({
        assets: new Map(),
        hosts: [],
        headersTimeoutMs: 10_000,
        health: () => ({}),
        isReady: () => true,
        upgrade: (request, stream) => webSocket.accept(request, stream),
      });
      const reported: Error[] = [];
      await using server = await serve(
        { host: "127.0.0.1", port: 0, onError: (error) => reported.push(error) },
        { open: (connection) => http.accept(connection, new Uint8Array(0)) },
      );
      const connect = () => RawClient.open(portOf(server.address));
      const other = await rawMember({ connect }, "Cy");
      const client = await rawMember({ connect }, "Bob");
      await act(client);
      await client.ended();
      await client.close();
      await until(() => reported.length > 0, "the failure is reported");
      assert.deepEqual(
        reported.map(({ cause }) => (cause as Error).message),
        ["a fault in the reader"],
      );
      await until(() => witness.take().some(({ message }) => message === "Bob left lobby"), "Bob leaves");
      other.send(frame(TEXT, '{"type":"ping"}'));
      await other.textUntil('{"type":"pong"}');
      await other.close();
      await http.close(100);
      await fixture.hub.close();
    });
  }
});

/** The TCP connection under a WebSocket client. */
function tcpOf(web: WebClient): import("node:net").Socket {
  return (web.socket as unknown as { _socket: import("node:net").Socket })._socket;
}
