import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ChatError } from "@landline/client";
import { EventLines, formatMessage } from "./chat-lines.ts";

const at = new Date(2026, 0, 2, 12, 34).getTime();
const message = { type: "chat", username: "ada", room: "lobby", message: "hello", at } as const;

describe("formatMessage()", () => {
  test("names the room only where it is another", () => {
    assert.equal(formatMessage(message, "lobby"), "12:34 <ada> hello");
    assert.equal(formatMessage(message, "builds"), "12:34 lobby <ada> hello");
  });

  test("lets no text look like another's line", () => {
    const text = formatMessage({ ...message, message: "hi\n12:34 <bob> me too" }, "lobby");
    assert.equal(text, "12:34 <ada> hi\n      12:34 <bob> me too");
  });
});

describe("EventLines", () => {
  test("tells once that the connection is lost", () => {
    const lines = new EventLines();
    const lost = { type: "state", state: "connecting", error: new ChatError("disconnected", "Gone") } as const;
    assert.match(lines.format(lost, "lobby"), /^\d\d:\d\d \* Gone; trying again$/);
    assert.equal(lines.format(lost, "lobby"), "");
    assert.equal(lines.format({ type: "state", state: "online" }, "lobby"), "");
    assert.match(lines.format(lost, "lobby"), /trying again$/);
  });

  test("prints a new topic with its author, and no typing events", () => {
    const lines = new EventLines();
    const topic = { type: "topic", room: "lobby", username: "ada", topic: "Plans", seq: 1, at } as const;
    assert.equal(lines.format(topic, "lobby"), "12:34 * ada set the topic of lobby: Plans");
    assert.equal(lines.format({ ...topic, topic: "" }, "lobby"), "12:34 * ada set the topic of lobby: none");
    assert.equal(lines.format({ type: "typing", room: "lobby", username: "ada" }, "lobby"), "");
  });

  test("tells a goodbye once", () => {
    const lines = new EventLines();
    const bye = { type: "bye", code: "shutdown", message: "Going down", reconnect: true } as const;
    assert.match(lines.format(bye, "lobby"), /\* Going down; trying again$/);
    const lost = { type: "state", state: "connecting", error: new ChatError("bye", "Going down") } as const;
    assert.equal(lines.format(lost, "lobby"), "");
  });

  test("shows what was missed", () => {
    const joined = {
      type: "joined",
      room: "lobby",
      position: { epoch: "e", seq: 1 },
      members: [],
      count: 0,
      entries: [],
    } as const;
    const text = new EventLines().format({ type: "rejoined", joined, missed: [message], recovered: true }, "lobby");
    assert.match(text, /^\d\d:\d\d \* Back in lobby\n12:34 <ada> hello$/);
  });
});
