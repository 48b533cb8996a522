import assert from "node:assert/strict";
import { test } from "node:test";
import { parseChatInput } from "./chat-input.ts";

test("parseChatInput() tells messages from commands", () => {
  assert.deepEqual(parseChatInput("  "), { kind: "nothing" });
  assert.deepEqual(parseChatInput(" hello "), { kind: "say", text: " hello " });
  assert.deepEqual(parseChatInput("//join is a command"), { kind: "say", text: "/join is a command" });
  assert.deepEqual(parseChatInput("/join  my room "), { kind: "join", room: "my room" });
  assert.deepEqual(parseChatInput("/quit"), { kind: "quit" });
  assert.deepEqual(parseChatInput("/who "), { kind: "who" });
  assert.deepEqual(parseChatInput("/topic"), { kind: "topic", topic: "" });
  assert.deepEqual(parseChatInput("/topic  all about it "), { kind: "topic", topic: "all about it" });
  assert.deepEqual(parseChatInput("/search two words"), { kind: "search", query: "two words" });
  assert.deepEqual(parseChatInput("/search"), { kind: "unknown", command: "/search without words" });
  assert.deepEqual(parseChatInput("/join"), { kind: "unknown", command: "/join without a room" });
  assert.deepEqual(parseChatInput("/constructor"), { kind: "unknown", command: "/constructor" });
});
