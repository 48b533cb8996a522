import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TestServer } from "../../../../test/chat-server.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { idle } from "../../../../test/until.ts";

failOnLeaks();

const LIMIT = { timeout: 300_000 };
const JOIN = { type: "join", room: "lobby", username: "Ada" } as const;
const ECHO = '{"type":"notification","message":"Ada joined lobby"}\n';

describe("StreamGateway: requests", LIMIT, () => {
  const bytes = Buffer.from('{"type":"join","room":"küche","username":"Zoë 😀"}'.replace(" ", ""));
  const expected = { type: "notification", message: "Zoë😀 joined küche" };

  const ways: Readonly<Record<string, readonly (string | Uint8Array)[]>> = {
    "as a line": [bytes, "\n"],
    "without a line end": [bytes],
    "with CRLF and blank lines": ["\r\n\r\n", bytes, "\r\n"],
    "cut in three": [bytes.subarray(0, 9), bytes.subarray(9, 30), bytes.subarray(30)],
    "cut in a character of two bytes": [
      bytes.subarray(0, bytes.indexOf("ü") + 1),
      bytes.subarray(bytes.indexOf("ü") + 1),
    ],
    "cut in a character of four bytes": [
      bytes.subarray(0, bytes.indexOf("😀") + 3),
      bytes.subarray(bytes.indexOf("😀") + 3),
    ],
    "byte by byte": Array.from(bytes, (byte) => Uint8Array.of(byte)),
  };
  for (const [way, parts] of Object.entries(ways)) {
    test(`reads a request ${way}`, async () => {
      await using server = await TestServer.start();
      const client = await server.connect();
      await client.sendApart(parts);
      assert.equal((await client.next()).type, "welcome");
      assert.deepEqual(await client.next(), expected);
    });
  }

  test("reads requests back to back in one segment, without separators", async () => {
    await using server = await TestServer.start();
    const reader = await server.seedMember("Bob", "lobby");
    const client = await server.connect();
    client.send(`${JSON.stringify(JOIN)}{"type":"chat","message":"one"}{"type":"chat","message":"two"}`);
    assert.deepEqual(await reader.next(), { type: "notification", message: "Ada joined lobby" });
    assert.deepEqual(await reader.next(), { type: "chat", username: "Ada", room: "lobby", message: "one" });
    assert.deepEqual(await reader.next(), { type: "chat", username: "Ada", room: "lobby", message: "two" });
  });

  test("answers invalid JSON, a non-object and invalid UTF-8 with errors, and reads on", async () => {
    await using server = await TestServer.start();
    const client = await server.connect();
    client.send(JOIN);
    await client.nextWith("type", "notification");
    for (const wrong of ["hello\n", "{'a':1}\n", '{"a":}\n', Buffer.from('{"a":"\xff"}\n', "latin1"), "}\n"]) {
      client.send(wrong);
      assert.deepEqual(await client.next(), { type: "error", message: "Invalid JSON" }, String(wrong));
    }
    client.send("[1]\n7\n");
    for (let i = 0; i < 2; i += 1) assert.equal((await client.next()).code, "invalid-request");
    client.send({ type: "ping", id: "p" });
    assert.deepEqual(await client.next(), { type: "pong", id: "p" });
  });

  test("answers requests when the client ends its side right after them", async () => {
    await using server = await TestServer.start();
    const client = await server.connect();
    client.send({ type: "hello", version: 2, username: "Ada" }, { type: "join", room: "lobby", id: "j" });
    client.send({ type: "chat", message: "last", id: "c" }, { type: "history", room: "lobby", id: "h" });
    client.send({ type: "ping", id: "p" });
    client.finish();
    const answers = await client.rest();
    assert.deepEqual(
      answers.map(({ type, id }) => id ?? type),
      ["welcome", "hello", "j", "c", "h", "p"],
    );
  });

  test("ignores a request that the end of the stream cuts off", async () => {
    await using server = await TestServer.start();
    const client = await server.connect();
    client.send(JOIN, '{"type":"chat","mess').finish();
    assert.deepEqual(
      (await client.rest()).map(({ type }) => type),
      ["welcome", "notification"],
    );
  });

  test("ends the connection one byte over frameBytesMax, and accepts a request of exactly that size", async () => {
    const max = 1_200;
    const limits = { frameBytesMax: max, messageBytesMax: 100, topicBytesMax: 100 };
    await using server = await TestServer.start({ limits });
    const fits = await server.connect();
    const request = (length: number) => `{"type":"ping","x":"${"x".repeat(length - 22)}"}`;
    assert.equal(request(max).length, max);
    fits.send(request(max));
    assert.equal((await fits.nextWith("type", "pong")).type, "pong");
    for (const parts of [
      [request(max + 1)],
      [`${request(100)}${request(max + 1)}`],
      [request(max + 1).slice(0, max - 50), "x".repeat(99)],
    ]) {
      const client = await server.connect();
      await client.sendApart(parts);
      assert.deepEqual((await client.rest()).at(-1), {
        type: "error",
        code: "frame-too-long",
        message: `A request has at most ${max} bytes`,
      });
    }
  });

  test("answers a message over its limit with an error, and reads on", async () => {
    await using server = await TestServer.start();
    const client = await server.member("Ada", "lobby");
    client.send(
      { type: "chat", id: "1", message: "x".repeat(16_385) },
      { type: "chat", id: "2", message: "x".repeat(16_384) },
    );
    assert.equal((await client.next()).code, "message-too-long");
    assert.deepEqual((await client.next()).id, "2");
  });
});

describe("StreamGateway: length-prefixed requests", LIMIT, () => {
  test("are answered with length-prefixed frames", async () => {
    await using server = await TestServer.start();
    const lines = await server.seedMember("Bob", "lobby");
    const client = await server.connect();
    client.sendPrefixed(JOIN, { type: "chat", message: "é😀" });
    assert.equal((await client.next("prefixed")).type, "welcome");
    assert.deepEqual(await client.next("prefixed"), { type: "notification", message: "Ada joined lobby" });
    assert.deepEqual((await lines.nextWith("type", "chat")).message, "é😀");
    lines.send({ type: "chat", message: "ü" });
    assert.deepEqual(await client.next("prefixed"), { type: "chat", username: "Bob", room: "lobby", message: "ü" });
  });

  test("are read byte by byte", async () => {
    await using server = await TestServer.start();
    const client = await server.connect();
    const body = Buffer.from(JSON.stringify(JOIN));
    await client.sendApart(
      Array.from(Buffer.concat([Buffer.from([0, 0, 0, body.length]), body]), (b) => Uint8Array.of(b)),
    );
    assert.equal((await client.nextWith("type", "notification", "prefixed")).message, "Ada joined lobby");
  });

  test("with invalid JSON, invalid UTF-8 or length 0 are answered with errors", async () => {
    await using server = await TestServer.start();
    const client = await server.connect();
    const notUtf8 = Buffer.from('{"type":"ping","x":"\xff"}', "latin1");
    client.sendPrefixed(JOIN, "nonsense", "", notUtf8, "[", { type: "ping" });
    await client.nextWith("type", "notification", "prefixed");
    for (let i = 0; i < 4; i += 1) {
      assert.deepEqual(await client.next("prefixed"), { type: "error", message: "Invalid JSON" });
    }
    assert.deepEqual(await client.next("prefixed"), { type: "pong" });
  });

  test("end the connection when a length is over the limit, before the bytes arrive", async () => {
    await using server = await TestServer.start();
    const client = await server.connect();
    client.sendPrefixed({ type: "ping" }).send(Buffer.from([0, 1, 0, 1]));
    const messages = await client.rest("prefixed");
    assert.deepEqual(
      messages.map(({ type, code }) => code ?? type),
      ["welcome", "pong", "frame-too-long"],
    );
  });
});

describe("StreamGateway: the opening of a connection", LIMIT, () => {
  const attack = `POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n\r\n${JSON.stringify({ ...JOIN, username: "Mallory" })}\n`;

  const starts: Readonly<Record<string, readonly string[]>> = {
    "after the welcome": [],
    "after empty lines": ["\r\n", "\r", "\n \t\n"],
    "after words, each a line": ["hello\n", "quit\r\n"],
    "after a word whose line goes on": ["hello"],
    "after the beginning of its method": ["P", "O"],
  };
  const cuts: Readonly<Record<string, (bytes: string) => readonly string[]>> = {
    "in one piece": (text) => [text],
    "byte by byte": (text) => [...text],
    "cut in its first line": (text) => [
      text.slice(0, 2),
      text.slice(2, 3),
      text.slice(3, 5),
      text.slice(5, 9),
      text.slice(9),
    ],
  };
  for (const [when, start] of Object.entries(starts)) {
    for (const [how, cut] of Object.entries(cuts)) {
      test(`ends at HTTP ${when}, ${how}, and reads no body as chat`, async () => {
        await using server = await TestServer.start({ silentMs: 1, sniffMs: 1 });
        const witness = await server.member("Bob", "lobby");
        const client = await server.connect();
        assert.equal((await client.next()).type, "welcome");
        await client.sendApart(start);
        await client.sendApart(cut(attack));
        assert.deepEqual((await client.rest()).at(-1), {
          type: "error",
          code: "protocol-error",
          message: "A chat connection begins with a JSON object",
        });
        witness.send({ type: "ping" });
        assert.deepEqual(await witness.next(), { type: "pong" }, "nobody joined");
      });
    }
  }

  test("answers each word with an invalid-JSON error, and reads on", async () => {
    await using server = await TestServer.start({ sniffMs: 1 });
    const client = await server.connect();
    for (const word of ["hello", "\n", "there\r\n", "what"]) {
      client.send(word);
      if (word === "hello") assert.equal((await client.next()).type, "welcome");
      if (word !== "\n") assert.deepEqual(await client.next(), { type: "error", message: "Invalid JSON" });
    }
    client.send(JOIN);
    assert.equal((await client.next()).message, "Ada joined lobby");
  });

  test("after JSON, answers any invalid text with an error and stays open", async () => {
    await using server = await TestServer.start();
    const client = await server.connect();
    client.send("{nonsense}\n");
    await client.nextWith("message", "Invalid JSON");
    for (const line of ["not json", "GET / HTTP/1.1", "{'a':1}", "\x16\x03\x01"]) {
      client.send(`${line}\n`);
      assert.equal((await client.next()).message, "Invalid JSON", line);
      client.send({ type: "ping", id: line });
      assert.equal((await client.nextWith("type", "pong")).id, line);
    }
  });

  test("ends a length-prefixed connection whose first frame is not an object", async () => {
    await using server = await TestServer.start();
    for (const text of ["", "7", "nonsense", ' {"type":"ping"}', '[{"type":"ping"}]']) {
      const client = await server.connect();
      client.sendPrefixed(text, { type: "ping" });
      assert.equal((await client.rest("prefixed")).at(-1)?.code, "protocol-error", text);
    }
  });

  test("waits for a slow first length-prefixed frame", async () => {
    await using server = await TestServer.start({ sniffMs: 1 });
    const client = await server.connect();
    const body = Buffer.from(JSON.stringify(JOIN));
    client.send(Buffer.from([0, 0]));
    assert.equal((await client.next("prefixed")).type, "welcome");
    client.send(Buffer.from([0, body.length]), body);
    assert.equal((await client.next("prefixed")).message, "Ada joined lobby");
  });
});

describe("StreamGateway: a client that sends without a pause", LIMIT, () => {
  test("gets an error for each invalid text as fast as it reads, and is not disconnected", async () => {
    await using server = await TestServer.start();
    const witness = await server.member("Bob", "lobby");
    const client = await server.connect();
    const errors = 30_000;
    client.send("{".repeat(errors + 1));
    let seen = 0;
    let pongs = 0;
    await client.next();
    while (seen < errors) {
      assert.equal((await client.next()).message, "Invalid JSON");
      seen += 1;
      if (seen % 1_000 === 0) {
        witness.send({ type: "ping" });
        assert.equal((await witness.next()).type, "pong");
        pongs += 1;
      }
    }
    assert.equal(pongs, 30);
    client.send('"type":"ping"}');
    assert.deepEqual(await client.next(), { type: "pong" });
  });

  test("gets all its answers, however late it reads", async () => {
    await using server = await TestServer.start();
    const client = await server.member("Ada", "lobby");
    for (let i = 0; i < 20; i += 1) client.send({ type: "chat", id: `c${i}`, message: "x".repeat(10_000) });
    await client.nextWith("id", "c19");
    client.socket.pause();
    // More than the kernel's buffers and the outbox hold.
    const requests = 150;
    for (let i = 0; i < requests; i += 1) client.send({ type: "history", id: `${i}`, room: "lobby" });
    await idle();
    client.socket.resume();
    for (let i = 0; i < requests; i += 1) assert.equal((await client.next()).id, `${i}`);
    client.send({ type: "ping" });
    assert.equal((await client.next()).type, "pong");
  });
});

test("StreamGateway removes a client that disconnects in the middle of a message", LIMIT, async () => {
  await using server = await TestServer.start();
  const witness = await server.seedMember("Bob", "lobby");
  for (const end of ["reset", "close"] as const) {
    const client = await server.seedMember("Ada", "lobby");
    assert.equal((await witness.next()).message, "Ada joined lobby");
    client.send('{"type":"chat","message":"half of');
    await client[end]();
    assert.deepEqual(await witness.next(), { type: "notification", message: "Ada left lobby" });
  }
});

test("StreamGateway sends a tutorial client exactly the tutorial's bytes", LIMIT, async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  client.send(JOIN, "x\n", { type: "join" }, { type: "leave" });
  client.finish();
  assert.equal(
    await client.restText(),
    '{"type":"welcome","message":"Welcome! Send {\\"type\\": \\"join\\", \\"room\\": \\"roomname\\", \\"username\\": \\"your_name\\"}"}\n' +
      `${ECHO}{"type":"error","message":"Invalid JSON"}\n{"type":"error","message":"Room and username required"}\n`,
  );
});
