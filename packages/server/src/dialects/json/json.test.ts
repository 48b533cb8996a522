import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { REQUESTS } from "@landline/protocol";
import { type Command, DEFAULT_LIMITS, type Refusal, refuse } from "../../core/mod.ts";
import type { Answer, Entry, Incoming, RoomEvent } from "../../hub/mod.ts";
import { INVALID_JSON, RequestReader, version1, version2 } from "./mod.ts";

const PLACE = {
  room: "lobby",
  epoch: "e1",
  seq: 7,
  prev: 6,
  id: "m1",
  at: 1_700_000_000_000,
  author: { id: "u1", name: "Ada" },
};
const ENTRY: Entry = {
  ...PLACE,
  kind: "message",
  text: 'say "hi"\n\u0000 é 😀 \u2028 </script>',
};
const BODY = '"say \\"hi\\"\\n\\u0000 é 😀 \u2028 </script>"';
const SAID: RoomEvent = { type: "entry", entry: ENTRY, origin: undefined };
const set = (key: string, value: string): Entry => ({ ...PLACE, kind: "set", changes: new Map([[key, value]]) });
const SET = set("topic", 'Plans "B"');
const TOPIC_SET: RoomEvent = { type: "entry", entry: SET, origin: undefined };
const TYPING: RoomEvent = { type: "typing", name: "Ada", user: undefined };
const JOINED: RoomEvent = { type: "presence", name: "Ada", state: "joined", user: undefined };
const LEFT: RoomEvent = { type: "presence", name: "Ada", state: "left", user: undefined };
const JOIN_ANSWER: Answer = {
  type: "joined",
  id: "j1",
  room: "Lobby",
  username: "Ada",
  position: { epoch: "e1", seq: 7 },
  members: ["Ada", "Bob"],
  count: 2,
  entries: [ENTRY],
  more: true,
  recovered: undefined,
};
const CHAT = `{"type":"chat","room":"Lobby","username":"Ada","message":${BODY},"seq":7,"prev":6,"at":1700000000000}`;

describe("version1 encodes, as the tutorial does byte for byte:", () => {
  test("the welcome", () => {
    assert.equal(
      version1.answer({ type: "welcome" }),
      '{"type":"welcome","message":"Welcome! Send {\\"type\\": \\"join\\", \\"room\\": \\"roomname\\", \\"username\\": \\"your_name\\"}"}',
    );
  });

  test("notifications", () => {
    assert.equal(version1.event(JOINED, "Lobby"), '{"type":"notification","message":"Ada joined Lobby"}');
    assert.equal(version1.event(LEFT, "Lobby"), '{"type":"notification","message":"Ada left Lobby"}');
    assert.equal(version1.answer(JOIN_ANSWER), '{"type":"notification","message":"Ada joined Lobby"}');
  });

  test("chat with exactly four fields", () => {
    assert.equal(version1.event(SAID, "Lobby"), `{"type":"chat","username":"Ada","room":"Lobby","message":${BODY}}`);
  });

  test("a message that is not a string as its JSON value", () => {
    const entry: Entry = { ...ENTRY, text: '{"a":[1.0,null]}', isJson: true };
    const event: RoomEvent = { type: "entry", entry, origin: undefined };
    assert.equal(
      version1.event(event, "Lobby"),
      '{"type":"chat","username":"Ada","room":"Lobby","message":{"a":[1.0,null]}}',
    );
    assert.equal(JSON.parse(version2.event(event, "Lobby") as string).message, '{"a":[1.0,null]}');
  });

  test("nothing for an author's own events", () => {
    for (const event of [SAID, JOINED, LEFT]) assert.equal(version1.own(event, "Lobby"), undefined);
  });

  test("the tutorial's two errors without code and id", () => {
    assert.equal(version1.answer({ ...INVALID_JSON, id: "1" }), '{"type":"error","message":"Invalid JSON"}');
    assert.equal(
      version1.answer(refusalOf('{"type":"join","id":"1","room":"","username":"ada"}')),
      '{"type":"error","message":"Room and username required"}',
    );
  });

  test("other errors with a code", () => {
    assert.equal(
      version1.answer(refuse("not-joined", "Join the room first")),
      '{"type":"error","code":"not-joined","message":"Join the room first"}',
    );
  });

  test("a goodbye as an error with a code", () => {
    assert.equal(
      version1.answer({ type: "bye", code: "shutdown", message: "The server is shutting down", reconnect: true }),
      '{"type":"error","code":"shutdown","message":"The server is shutting down"}',
    );
  });

  test("pong, and nothing for answers that the tutorial lacks", () => {
    assert.equal(version1.answer({ type: "pong", id: undefined }), '{"type":"pong"}');
    assert.equal(version1.answer({ type: "ack", id: "1", room: "Lobby" }), undefined);
    assert.equal(version1.answer({ type: "ping" }), undefined);
  });
});

describe("version2 encodes:", () => {
  test("chat for the others, and an ack for its author", () => {
    assert.equal(version2.event(SAID, "Lobby"), CHAT);
    assert.equal(version2.own(SAID, "Lobby"), '{"type":"ack","id":"m1","room":"Lobby","seq":7,"at":1700000000000}');
    const withoutId: RoomEvent = { type: "entry", entry: { ...ENTRY, id: undefined }, origin: undefined };
    assert.equal(version2.own(withoutId, "Lobby"), '{"type":"ack","room":"Lobby","seq":7,"at":1700000000000}');
  });

  test("presence, except for its own author", () => {
    assert.equal(
      version2.event(JOINED, "Lobby"),
      '{"type":"presence","room":"Lobby","username":"Ada","state":"joined"}',
    );
    assert.equal(version2.event(LEFT, "Lobby"), '{"type":"presence","room":"Lobby","username":"Ada","state":"left"}');
    assert.equal(version2.own(JOINED, "Lobby"), undefined);
  });

  test("hello with the client's limits only", () => {
    const hello = { type: "hello", id: "h", session: "secret", username: undefined, rooms: [], limits: DEFAULT_LIMITS };
    const limits =
      '"limits":{"messageBytesMax":16384,"topicBytesMax":1024,"frameBytesMax":65536,"roomsMax":64,"historyMax":200,"pingMs":25000}}';
    assert.equal(version2.answer(hello as Answer), `{"type":"hello","id":"h","version":2,"session":"secret",${limits}`);
    assert.equal(
      version2.answer({ ...hello, id: undefined, username: "Ada", rooms: ["Lobby"] } as Answer),
      `{"type":"hello","version":2,"session":"secret","username":"Ada","rooms":["Lobby"],${limits}`,
    );
  });

  test("a change of the topic, which version 1 gets as text", () => {
    const text =
      '{"type":"set","room":"Lobby","username":"Ada","changes":{"topic":"Plans \\"B\\""},"seq":7,"prev":6,"at":1700000000000}';
    assert.equal(version2.event(TOPIC_SET, "Lobby"), text);
    assert.equal(
      version2.own(TOPIC_SET, "Lobby"),
      '{"type":"ack","id":"m1","room":"Lobby","seq":7,"at":1700000000000}',
    );
    const history: Answer = { type: "history", id: undefined, room: "Lobby", entries: [SET, SET], more: false };
    assert.equal(
      version2.answer(history),
      `{"type":"history","room":"Lobby","more":false,"entries":[${text},${text}]}`,
    );
    const inWords = (entry: Entry) => JSON.parse(version1.event({ ...TOPIC_SET, entry }, "Lobby") ?? "").message;
    assert.equal(inWords(SET), 'Ada set the topic of Lobby: Plans "B"');
    assert.equal(inWords(set("topic", "")), "Ada took away the topic of Lobby");
    assert.equal(version1.event({ ...TOPIC_SET, entry: set("role", "x") }, "Lobby"), undefined);
  });

  test("typing, which version 1 does not get", () => {
    assert.equal(version2.event(TYPING, "Lobby"), '{"type":"typing","room":"Lobby","username":"Ada"}');
    assert.equal(version2.own(TYPING, "Lobby"), undefined);
    assert.equal(version1.event(TYPING, "Lobby"), undefined);
  });

  test("joined with and without recovered", () => {
    const text = `{"type":"joined","id":"j1","room":"Lobby","position":{"epoch":"e1","seq":7},"members":["Ada","Bob"],"count":2,"more":true`;
    const entries = `"entries":[${CHAT}]}`;
    assert.equal(version2.answer(JOIN_ANSWER), `${text},${entries}`);
    assert.equal(version2.answer({ ...JOIN_ANSWER, recovered: true }), `${text},"recovered":true,${entries}`);
    assert.equal(
      version2.answer({ ...JOIN_ANSWER, recovered: false, reason: "ahead", topic: "Plans", read: 3, unread: 2 }),
      `${text},"recovered":false,"reason":"ahead","topic":"Plans","read":3,"unread":2,${entries}`,
    );
  });

  test("every other answer", () => {
    const answers: readonly (readonly [Answer, string])[] = [
      [{ type: "ack", id: "1", room: "Lobby" }, '{"type":"ack","id":"1","room":"Lobby"}'],
      [
        { type: "ack", id: "1", room: "Lobby", seq: 3, at: 5, duplicate: true },
        '{"type":"ack","id":"1","room":"Lobby","seq":3,"at":5,"duplicate":true}',
      ],
      [
        { type: "who", id: "1", room: "Lobby", members: ["Ada"], count: 201 },
        '{"type":"who","id":"1","room":"Lobby","members":["Ada"],"count":201}',
      ],
      [
        { type: "users", id: "1", room: "Lobby", users: ["Ada"], more: false },
        '{"type":"users","id":"1","room":"Lobby","users":["Ada"],"more":false}',
      ],
      [
        { type: "rooms", id: undefined, rooms: [{ room: "Lobby", count: 3 }] },
        '{"type":"rooms","rooms":[{"room":"Lobby","count":3}]}',
      ],
      [
        { type: "history", id: "1", room: "Lobby", entries: [ENTRY], more: false },
        `{"type":"history","id":"1","room":"Lobby","more":false,"entries":[${CHAT}]}`,
      ],
      [
        { type: "search", id: "1", room: "Lobby", entries: [], more: true },
        '{"type":"search","id":"1","room":"Lobby","more":true,"entries":[]}',
      ],
      [{ type: "topic", id: "1", room: "Lobby", topic: "" }, '{"type":"topic","id":"1","room":"Lobby","topic":""}'],
      [{ type: "ping" }, '{"type":"ping"}'],
      [{ type: "pong", id: "1" }, '{"type":"pong","id":"1"}'],
      [{ ...refuse("id-reused", "used"), id: "1" }, '{"type":"error","id":"1","code":"id-reused","message":"used"}'],
      [
        { ...refuse("rate-limited", "slowly"), id: "1", retryAfterMs: 1_500 },
        '{"type":"error","id":"1","code":"rate-limited","message":"slowly","retryAfterMs":1500}',
      ],
      [{ ...INVALID_JSON }, '{"type":"error","code":"invalid-json","message":"Invalid JSON"}'],
      [
        { type: "bye", code: "shutdown", message: "m", reconnect: true, afterMs: 10 },
        '{"type":"bye","code":"shutdown","message":"m","reconnect":true,"afterMs":10}',
      ],
    ];
    for (const [answer, text] of answers) assert.equal(version2.answer(answer), text);
  });

  test("names that contain JSON syntax as quoted strings", () => {
    for (const name of ["__proto__", 'a"b', "a\\b", "é"]) {
      const event: RoomEvent = { type: "presence", name, state: "joined", user: undefined };
      assert.equal(JSON.parse(version2.event(event, name) ?? "").username, name);
      for (const encoder of [version1, version2]) {
        const said: RoomEvent = { type: "entry", entry: { ...ENTRY, author: { id: "u1", name } }, origin: undefined };
        const { username, room } = JSON.parse(encoder.event(said, name) ?? "");
        assert.deepEqual([username, room], [name, name]);
      }
    }
  });

  test("every text as one line, also with lone surrogates", () => {
    const entry = { ...ENTRY, text: "\n\r\u0085\ud800" } as const;
    for (const encoder of [version1, version2]) {
      const text = encoder.event({ type: "entry", entry, origin: undefined }, "Lobby") ?? "";
      assert.doesNotMatch(text, /[\n\r]/);
      assert.ok(text.isWellFormed());
      assert.equal(JSON.parse(text).message, entry.text);
    }
  });
});

/** Reads a text after the earlier ones of the same connection. */
function read(text: string, ...before: readonly string[]): Command | Refusal {
  const received = receivedFor(...before, text).filter((request) => request.type !== "format");
  assert.equal(received.length, before.length + 1);
  return received.at(-1) as Command | Refusal;
}

function receivedFor(...texts: readonly string[]): readonly Incoming[] {
  const received: Incoming[] = [];
  const reader = new RequestReader((request) => received.push(request));
  for (const text of texts) reader.read(text);
  return received;
}

const version1Types: ReadonlySet<string> = new Set(["hello", "join", "chat", "leave", "ping", "pong"]);
const HELLO = '{"type":"hello","version":2}';

describe("RequestReader", () => {
  test("returns the request, or a refusal with the request's id", () => {
    assert.deepEqual(read('{"type":"ping","id":"1"}', HELLO), { type: "ping", id: "1" });
    assert.deepEqual(read('{"type":"dance","id":"1"}', HELLO), {
      ...refuse("unknown-type", "Unknown message type"),
      id: "1",
    });
  });

  test("changes to version 2 before the first hello, even an invalid one, and only once", () => {
    for (const hello of [HELLO, '{"type":"hello"}', '{"type":"hello","version":3}', '{"type":"hello","x":NaN}']) {
      const types = receivedFor('{"type":"ping"}', hello, HELLO, '{"type":"ping"}').map((request) => request.type);
      assert.deepEqual(types.toSpliced(2, 1), ["ping", "format", "hello", "ping"], hello);
    }
    const [change] = receivedFor(HELLO);
    assert.equal(change?.type === "format" && change.encoder, version2);
  });

  test("in version 1 refuses every request of version 2", () => {
    const requests = Object.keys(REQUESTS).filter((type) => !version1Types.has(type));
    assert.ok(requests.length > 5);
    for (const type of requests) {
      const text = JSON.stringify({ type, id: "1", room: "lobby", query: "x", prefix: "x", seq: 1 });
      const message = `Send {"type":"hello","version":2} before ${type}`;
      assert.deepEqual(read(text), { ...refuse("version-required", message), id: "1" });
    }
  });

  test("refuses text that is not JSON with the tutorial's text", () => {
    for (const text of [
      "",
      "{",
      "hello",
      "{'type':'ping'}",
      "\ufeff{}",
      '{"type":"ping"}{"type":"ping"}',
      "{NaN:1}",
      "-NaN",
    ]) {
      assert.equal(read(text), INVALID_JSON, JSON.stringify(text));
      assert.equal(read(text, HELLO), INVALID_JSON, JSON.stringify(text));
    }
  });

  test("refuses or ignores deep nesting without an overflow", () => {
    const deep = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
    for (const before of [[], [HELLO]]) {
      assert.equal(read(deep, ...before).type, "refusal");
      assert.equal(read(`{"type":"ping","x":${deep}}`, ...before).type, "ping");
      assert.equal(read(`{"type":"chat","message":1,"x":${deep}}`, ...before).type, "refusal");
      assert.equal(read(`{"type":"chat","message":${deep}}`, ...before).type, "refusal");
      assert.equal(read(`{"type":"join","username":1,"room":${deep}}`, ...before).type, "refusal");
    }
    const within = `${"[".repeat(127)}${"]".repeat(127)}`;
    assert.deepEqual(read(`{"type":"chat","message":${within}}`), { type: "chat", message: within, isJson: true });
    assert.equal(read(`{"type":"chat","message":[${within}]}`).type, "refusal");
  });

  test("is strict in version 2: no words of Python, no fields of a wrong type, after any earlier text", () => {
    const odd = [
      '{"type":"chat","message":NaN}',
      '{"type":"chat","room":"lobby","message":"x","other":Infinity}',
      '{"type":"ping","x":[-Infinity]}',
      '{"type":"hello","version":2,"x":NaN}',
    ];
    for (const text of odd) {
      assert.equal(read(text, HELLO), INVALID_JSON, text);
      assert.equal(read(text, '{"type":"hello","version":3}'), INVALID_JSON, text);
    }
    assert.equal(read(odd[3] as string), INVALID_JSON, "hello itself");
    assert.equal(
      read('{"type":"chat","message":NaN}', odd[3] as string),
      INVALID_JSON,
      "after a hello that was refused",
    );
    for (const message of ["1", "null", "[]", "{}", "true"]) {
      const refusal = { ...refuse("invalid-request", '"message" must be a string'), id: undefined };
      assert.deepEqual(read(`{"type":"chat","message":${message}}`, HELLO), refusal);
    }
    assert.equal(read('{"type":"ping","id":5}', HELLO).type, "refusal");
    assert.equal(read('{"type":"join","room":5}', HELLO).type, "refusal");
  });

  test("in version 1 reads only the fields that the tutorial's server reads", () => {
    for (const odd of ["5", "null", "[1]", '{"a":1}', "true", "NaN", '""']) {
      // NaN is read as a string, and so would be a valid id.
      const rest = `"id":${odd === "NaN" ? "5" : odd},"history":${odd},"after":${odd}`;
      assert.deepEqual(read(`{"type":"join","room":"lobby","username":"ada",${rest}}`), {
        type: "join",
        room: "lobby",
        username: "ada",
        isMove: true,
      });
      assert.deepEqual(read(`{"type":"chat","room":${odd},"message":"hi",${rest}}`), { type: "chat", message: "hi" });
      assert.deepEqual(read(`{"type":"leave","room":${odd},${rest}}`), { type: "leave" });
    }
    assert.deepEqual(read('{"type":"chat"}'), { type: "chat", message: "" });
    assert.deepEqual(read('{"type":"chat","message":"hi","id":"1"}'), { type: "chat", message: "hi" });
    assert.deepEqual(read('{"type":"leave","id":"1"}'), { type: "leave", id: "1" });
  });

  test("in version 1 accepts any value as a message, and keeps it as written", () => {
    const values = [
      "1",
      "1.0",
      "-0",
      "1e400",
      "12345678901234567890",
      "null",
      "true",
      '[1.50,"a",{"b":[]}]',
      '{"__proto__":1.0}',
    ];
    for (const value of values) {
      assert.deepEqual(read(`{"type":"chat","message":${value}}`), { type: "chat", message: value, isJson: true });
    }
    const [json, python] = ['{"a":["NaN","-Infinity"],"b":"NaN"}', '{"a": [NaN, -Infinity],\n "b": "NaN"}'];
    assert.deepEqual(read(`{"type":"chat","message":${python}}`), { type: "chat", message: json, isJson: true });
    for (const word of ["NaN", "Infinity", "-Infinity"]) {
      assert.deepEqual(read(`{"type":"chat","message":${word}}`), { type: "chat", message: word });
      const quoted = JSON.stringify({ type: "chat", message: `"${word}" ${word} \\"` });
      assert.equal((read(`[${quoted},NaN]`) as Refusal).code, "invalid-request");
      assert.deepEqual(read(quoted.replace("{", '{"x":NaN,')), JSON.parse(quoted));
    }
    const long = "9".repeat(4_301);
    assert.deepEqual(read(`{"type":"chat","message":${long.slice(1)}}`), {
      type: "chat",
      message: long.slice(1),
      isJson: true,
    });
    assert.deepEqual(read(`{"type":"chat","message":${long}}`), { type: "chat", message: `"${long}"`, isJson: true });
  });

  test("in version 1 accepts numbers and booleans as names, and treats empty ones as missing", () => {
    const join = (room: string, username: string) => read(`{"type":"join","room":${room},"username":${username}}`);
    assert.deepEqual(join("42", "true"), { type: "join", room: "42", username: "True", isMove: true });
    assert.deepEqual(join('"lobby"', "1e5"), { type: "join", room: "lobby", username: "100000.0", isMove: true });
    for (const empty of ["0", "-0.0", "false", "null", '""', "[]", "{}", "1e-400"]) {
      const required = refuse("invalid-request", "Room and username required");
      assert.deepEqual(join(empty, '"ada"'), required, empty);
      assert.deepEqual(join('"lobby"', empty), required, empty);
    }
    for (const list of ["[1]", '{"a":1}']) {
      assert.deepEqual(join(list, '"ada"'), refuse("invalid-request", '"room" must be a string'));
      assert.deepEqual(join('"lobby"', list), refuse("invalid-request", '"username" must be a string'));
      assert.deepEqual(join("1", list), refuse("invalid-request", '"username" must be a string'));
    }
  });

  test("takes time linear in the length of the text", () => {
    const texts = [
      '"\\"'.repeat(20_000),
      `[${"NaN ".repeat(15_000)}`,
      `{"a":${"NaN".repeat(20_000)}`,
      '"'.repeat(60_000),
    ];
    for (const text of texts) assert.equal(read(text), INVALID_JSON);
    assert.equal(read(`NaN${" ".repeat(60_000)}x`), INVALID_JSON);
  });
});

function refusalOf(text: string): Answer {
  const refusal = read(text);
  assert.equal(refusal.type, "refusal");
  return refusal as Answer;
}
