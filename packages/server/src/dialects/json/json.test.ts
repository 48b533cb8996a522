import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DEFAULT_LIMITS, refuse } from "../../core/mod.ts";
import type { Answer, Entry, RoomEvent } from "../../hub/mod.ts";
import { INVALID_JSON, readCommand, readText, version1, version2 } from "./mod.ts";

const ENTRY: Entry = {
  room: "lobby",
  epoch: "e1",
  seq: 7,
  prev: 6,
  id: "m1",
  at: 1_700_000_000_000,
  kind: "chat",
  from: "Ada",
  body: 'say "hi"\n\u0000 é 😀 \u2028 </script>',
};
const BODY = '"say \\"hi\\"\\n\\u0000 é 😀 \u2028 </script>"';
const SAID: RoomEvent = { type: "entry", entry: ENTRY, origin: undefined };
const SET: Entry = { ...ENTRY, kind: "set", key: "topic", body: 'Plans "B"' };
const TOPIC_SET: RoomEvent = { type: "entry", entry: SET, origin: undefined };
const TYPING: RoomEvent = { type: "typing", name: "Ada", origin: undefined };
const JOINED: RoomEvent = { type: "presence", name: "Ada", state: "joined", origin: undefined };
/** As an answer holds it. */
const ENTRY_TEXT = version2.event(SAID, "Lobby") as string;
const LEFT: RoomEvent = { type: "presence", name: "Ada", state: "left", origin: undefined };
const JOIN_ANSWER: Answer = {
  type: "joined",
  id: "j1",
  room: "Lobby",
  username: "Ada",
  position: { epoch: "e1", seq: 7 },
  members: ["Ada", "Bob"],
  count: 2,
  entries: [ENTRY_TEXT],
  more: true,
  recovered: undefined,
};
const CHAT = `{"type":"chat","room":"Lobby","username":"Ada","message":${BODY},"seq":7,"prev":6,"at":1700000000000}`;

describe("version 1, byte for byte as the seed's clients know it", () => {
  test("welcome", () => {
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

  test("chat has exactly four fields", () => {
    assert.equal(version1.event(SAID, "Lobby"), `{"type":"chat","username":"Ada","room":"Lobby","message":${BODY}}`);
  });

  test("an author hears nothing of its own events", () => {
    for (const event of [SAID, JOINED, LEFT]) assert.equal(version1.own(event, "Lobby"), undefined);
  });

  test("the two errors that the seed has carry no code, and no id", () => {
    assert.equal(version1.answer({ ...INVALID_JSON, id: "1" }), '{"type":"error","message":"Invalid JSON"}');
    assert.equal(
      version1.answer(readCommandRefusal({ type: "join", id: "1", room: "", username: "ada" })),
      '{"type":"error","message":"Room and username required"}',
    );
  });

  test("the other errors carry one", () => {
    assert.equal(
      version1.answer(refuse("not-joined", "Join the room first")),
      '{"type":"error","code":"not-joined","message":"Join the room first"}',
    );
  });

  test("a goodbye is an error with a code", () => {
    assert.equal(
      version1.answer({ type: "bye", code: "shutdown", message: "The server is shutting down", reconnect: true }),
      '{"type":"error","code":"shutdown","message":"The server is shutting down"}',
    );
  });

  test("pong is answered, and what the seed does not know is not said", () => {
    assert.equal(version1.answer({ type: "pong", id: undefined }), '{"type":"pong"}');
    assert.equal(version1.answer({ type: "ack", id: "1", room: "Lobby" }), undefined);
    assert.equal(version1.answer({ type: "ping" }), undefined);
  });
});

describe("version 2", () => {
  test("chat, to the others and as its author's acknowledgement", () => {
    assert.equal(version2.event(SAID, "Lobby"), CHAT);
    assert.equal(version2.own(SAID, "Lobby"), '{"type":"ack","id":"m1","room":"Lobby","seq":7,"at":1700000000000}');
    const withoutId: RoomEvent = { type: "entry", entry: { ...ENTRY, id: undefined }, origin: undefined };
    assert.equal(version2.own(withoutId, "Lobby"), '{"type":"ack","room":"Lobby","seq":7,"at":1700000000000}');
  });

  test("presence, which its own author is not told", () => {
    assert.equal(
      version2.event(JOINED, "Lobby"),
      '{"type":"presence","room":"Lobby","username":"Ada","state":"joined"}',
    );
    assert.equal(version2.event(LEFT, "Lobby"), '{"type":"presence","room":"Lobby","username":"Ada","state":"left"}');
    assert.equal(version2.own(JOINED, "Lobby"), undefined);
  });

  test("hello, with the limits that concern a client and no others", () => {
    const hello = { type: "hello", id: "h", session: "secret", username: undefined, rooms: [], limits: DEFAULT_LIMITS };
    const limits =
      '"limits":{"messageBytesMax":16384,"topicBytesMax":1024,"frameBytesMax":65536,"roomsMax":64,"historyMax":200,"pingMs":25000}}';
    assert.equal(version2.answer(hello as Answer), `{"type":"hello","id":"h","version":2,"session":"secret",${limits}`);
    assert.equal(
      version2.answer({ ...hello, id: undefined, username: "Ada", rooms: ["Lobby"] } as Answer),
      `{"type":"hello","version":2,"session":"secret","username":"Ada","rooms":["Lobby"],${limits}`,
    );
  });

  test("a change of the topic, which version 1 is told in words", () => {
    const text =
      '{"type":"set","room":"Lobby","username":"Ada","key":"topic","value":"Plans \\"B\\"","seq":7,"prev":6,"at":1700000000000}';
    assert.equal(version2.event(TOPIC_SET, "Lobby"), text);
    assert.equal(
      version2.own(TOPIC_SET, "Lobby"),
      '{"type":"ack","id":"m1","room":"Lobby","seq":7,"at":1700000000000}',
    );
    const history: Answer = { type: "history", id: undefined, room: "Lobby", entries: [text, text], more: false };
    assert.equal(
      version2.answer(history),
      `{"type":"history","room":"Lobby","more":false,"entries":[${text},${text}]}`,
    );
    const inWords = (entry: Entry) => JSON.parse(version1.event({ ...TOPIC_SET, entry }, "Lobby") ?? "").message;
    assert.equal(inWords(SET), 'Ada set the topic of Lobby: Plans "B"');
    assert.equal(inWords({ ...SET, body: "" }), "Ada took away the topic of Lobby");
    assert.equal(version1.event({ ...TOPIC_SET, entry: { ...SET, key: "role" } }, "Lobby"), undefined);
  });

  test("typing, for which version 1 has no word", () => {
    assert.equal(version2.event(TYPING, "Lobby"), '{"type":"typing","room":"Lobby","username":"Ada"}');
    assert.equal(version2.own(TYPING, "Lobby"), undefined);
    assert.equal(version1.event(TYPING, "Lobby"), undefined);
  });

  test("joined, with and without recovered", () => {
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
        { type: "rooms", id: undefined, rooms: [{ room: "Lobby", count: 3 }] },
        '{"type":"rooms","rooms":[{"room":"Lobby","count":3}]}',
      ],
      [
        { type: "history", id: "1", room: "Lobby", entries: [ENTRY_TEXT], more: false },
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

  test("names that could break JSON are quoted, each as itself", () => {
    for (const name of ["__proto__", 'a"b', "a\\b", "é"]) {
      const event: RoomEvent = { type: "presence", name, state: "joined", origin: undefined };
      assert.equal(JSON.parse(version2.event(event, name) ?? "").username, name);
      for (const encoder of [version1, version2]) {
        const said: RoomEvent = { type: "entry", entry: { ...ENTRY, from: name }, origin: undefined };
        const { username, room } = JSON.parse(encoder.event(said, name) ?? "");
        assert.deepEqual([username, room], [name, name]);
      }
    }
  });

  test("every text is one line, half surrogates too", () => {
    const entry = { ...ENTRY, body: "\n\r\u0085\ud800" };
    for (const encoder of [version1, version2]) {
      const text = encoder.event({ type: "entry", entry, origin: undefined }, "Lobby") ?? "";
      assert.doesNotMatch(text, /[\n\r]/);
      assert.ok(text.isWellFormed());
      assert.equal(JSON.parse(text).message, entry.body);
    }
  });
});

describe("readText() and readCommand()", () => {
  test("give the request, or why it is none with its id", () => {
    assert.deepEqual(readText('{"type":"ping","id":"1"}'), { type: "ping", id: "1" });
    assert.deepEqual(readCommand({ type: "dance", id: "1" }), {
      ...refuse("unknown-type", "Unknown message type"),
      id: "1",
    });
  });

  test("refuse what is not JSON in the seed's words", () => {
    for (const text of ["", "{", "hello", "{'type':'ping'}", "\ufeff{}", '{"type":"ping"}{"type":"ping"}']) {
      assert.equal(readText(text), INVALID_JSON, JSON.stringify(text));
    }
  });

  test("survive deep nesting", () => {
    const deep = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
    assert.equal(readText(deep).type, "refusal");
    assert.equal(readText(`{"type":"ping","x":${deep}}`).type, "ping");
  });
});

function readCommandRefusal(value: unknown): Answer {
  const refusal = readCommand(value);
  assert.equal(refusal.type, "refusal");
  return refusal as Answer;
}
