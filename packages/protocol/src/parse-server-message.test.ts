import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HELLO_LIMITS } from "../../../test/hello-limits.ts";
import { fc } from "../../../test/seed.ts";
import { parseServerMessage } from "./parse-server-message.ts";

const CHAT = { type: "chat", username: "bob", room: "lobby", message: "hi", seq: 1, prev: 0, at: 5 };
const SET = { type: "set", room: "lobby", username: "bob", changes: { topic: "x" }, seq: 2, prev: 1, at: 6 };
const LIMITS = { ...HELLO_LIMITS, pingMs: 0 };
const PAGE = { id: "1", room: "lobby", entries: [CHAT, SET], more: false };

interface Message {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** A valid message of each type with every field, and the fields that it cannot lack. */
const MESSAGES: readonly (readonly [message: Message, required: readonly string[]])[] = [
  [{ type: "welcome", message: "hi" }, ["message"]],
  [{ type: "notification", message: "hi" }, ["message"]],
  [CHAT, ["username", "room", "message"]],
  [{ type: "resync", room: "lobby" }, ["room"]],
  [{ type: "kicked", room: "lobby", username: "bob", reason: "" }, ["room", "username", "reason"]],
  [SET, ["room", "username", "changes", "seq", "prev", "at"]],
  [{ type: "error", id: "1", code: "busy", message: "x", retryAfterMs: 1 }, ["message"]],
  [
    { type: "hello", id: "1", version: 2, session: "s", username: "ada", rooms: ["lobby"], limits: LIMITS },
    ["version", "session", "limits"],
  ],
  [
    {
      type: "joined",
      id: "1",
      room: "lobby",
      position: { epoch: "e", seq: 2 },
      members: ["ada"],
      count: 1,
      entries: [CHAT, SET],
      more: true,
      topic: "x",
      read: 1,
      unread: 1,
      recovered: false,
      reason: "too-old",
    },
    ["room", "position", "members", "count", "entries"],
  ],
  [{ type: "ack", id: "1", room: "lobby", seq: 1, at: 1, duplicate: true }, ["room"]],
  [{ type: "who", id: "1", room: "lobby", members: ["ada"], count: 1 }, ["room", "members", "count"]],
  [{ type: "users", id: "1", room: "lobby", users: ["ada"], more: false }, ["room", "users", "more"]],
  [{ type: "rooms", id: "1", rooms: [{ room: "lobby", count: 1, unread: 0 }] }, ["rooms"]],
  [{ type: "history", ...PAGE }, ["room", "entries", "more"]],
  [{ type: "search", ...PAGE }, ["room", "entries", "more"]],
  [{ type: "topic", id: "1", room: "lobby", topic: "" }, ["room", "topic"]],
  [{ type: "typing", room: "lobby", username: "bob" }, ["room", "username"]],
  [{ type: "presence", room: "lobby", username: "bob", state: "left" }, ["room", "username", "state"]],
  [{ type: "ping" }, []],
  [{ type: "pong", id: "1" }, []],
  [{ type: "bye", code: "shutdown", message: "x", reconnect: true, afterMs: 5 }, ["code", "message", "reconnect"]],
];

describe("parseServerMessage()", () => {
  for (const [message, required] of MESSAGES) {
    test(`accepts ${message.type} with every field, with the required fields only, and with unknown fields`, () => {
      assert.deepEqual(parseServerMessage(JSON.stringify(message)), message);
      const least = Object.fromEntries(
        Object.entries(message).filter(([name]) => ["type", ...required].includes(name)),
      );
      assert.deepEqual(parseServerMessage(JSON.stringify(least)), least);
      assert.deepEqual(parseServerMessage(JSON.stringify({ ...message, x: [{}] })), { ...message, x: [{}] });
    });

    for (const name of required) {
      test(`rejects ${message.type} without "${name}"`, () => {
        assert.throws(() => parseServerMessage(JSON.stringify({ ...message, [name]: undefined })), SyntaxError);
      });
    }

    for (const [name, valid] of Object.entries(message).filter(([field]) => field !== "type")) {
      test(`rejects ${message.type} with a "${name}" of another JSON type`, () => {
        for (const value of [null, true, 1, "x", [], {}, [null], [[]], [{}]]) {
          if (isSameKind(value, valid) || (name === "changes" && Object.keys(value ?? [null]).length === 0)) continue;
          const text = JSON.stringify({ ...message, [name]: value });
          assert.throws(() => parseServerMessage(text), SyntaxError, text);
        }
      });

      if (typeof valid !== "number") continue;
      test(`rejects ${message.type} with a "${name}" that is not a safe integer of at least 0`, () => {
        for (const value of ["-1", "0.5", "1e300", "9007199254740992"]) {
          const text = JSON.stringify({ ...message, [name]: 0 }).replace(`"${name}":0`, `"${name}":${value}`);
          assert.throws(() => parseServerMessage(text), SyntaxError, text);
        }
      });
    }
  }

  test("rejects an `at` that is later than a Date can hold", () => {
    const latest = { ...CHAT, at: 8.64e15 };
    assert.deepEqual(parseServerMessage(JSON.stringify(latest)), latest);
    assert.throws(() => parseServerMessage(JSON.stringify({ ...CHAT, at: 8.64e15 + 1 })), SyntaxError);
  });

  test("rejects entries that are neither chat nor set", () => {
    for (const entry of [null, 1, "chat", [], {}, { ...CHAT, type: "edit" }, { type: "chat" }, { ...SET, at: null }]) {
      const text = JSON.stringify({ type: "history", ...PAGE, entries: [CHAT, entry] });
      assert.throws(() => parseServerMessage(text), SyntaxError, text);
    }
  });

  test("accepts error codes, bye codes and reasons that this version does not know", () => {
    for (const [message] of MESSAGES.filter(([{ type }]) => ["error", "bye", "joined"].includes(type))) {
      const newer = { ...message, ...(message.type === "joined" ? { reason: "new" } : { code: "new" }) };
      assert.deepEqual(parseServerMessage(JSON.stringify(newer)), newer);
    }
  });

  test("returns undefined for unknown types", () => {
    for (const type of ["edit", "", "__proto__", "constructor", "toString"]) {
      assert.equal(parseServerMessage(JSON.stringify({ type })), undefined);
    }
  });

  test("reads no field from __proto__", () => {
    assert.throws(() => parseServerMessage('{"__proto__":{"type":"ping"}}'), SyntaxError);
    assert.throws(() => parseServerMessage('{"type":"welcome","__proto__":{"message":"x"}}'), SyntaxError);
  });

  test("throws SyntaxError for text that is not an object with a type", () => {
    for (const text of ["", "{", "null", "1", "[]", '"x"', "{}", '{"type":1}', "[".repeat(100_000)]) {
      assert.throws(() => parseServerMessage(text), SyntaxError, text.slice(0, 20));
    }
  });

  test("throws only SyntaxError, for any JSON in any field", () => {
    const types = MESSAGES.map(([{ type }]) => type);
    const names = [...new Set(MESSAGES.flatMap(([message]) => Object.keys(message)))].filter((name) => name !== "type");
    const fields = fc.dictionary(fc.constantFrom(...names), fc.jsonValue());
    fc.assert(
      fc.property(fc.constantFrom(...types), fields, (type, values) => {
        try {
          parseServerMessage(JSON.stringify({ ...values, type }));
        } catch (error) {
          assert.ok(error instanceof SyntaxError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Objects and lists with wrong contents count as another kind; an empty list is valid for any list. */
function isSameKind(value: unknown, valid: unknown): boolean {
  if (Array.isArray(valid)) return Array.isArray(value) && value.length === 0;
  return typeof valid !== "object" && typeof value === typeof valid;
}
