import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChatMessage, EntryMessage, HistoryMessage, JoinedMessage, SetMessage } from "@landline/protocol";
import * as conversation from "./conversation.ts";
import { type Block, blocksOf, presenceTexts, withOutgoing } from "./timeline.ts";

const NOON = new Date(2026, 10, 22, 12).getTime();

function said(seq: number, username = "bob", at = NOON): ChatMessage {
  return { type: "chat", room: "lobby", username, message: `m${seq}`, seq, prev: seq - 1, at };
}

function joined(entries: readonly EntryMessage[], members = ["ada", "bob"], epoch = "e"): JoinedMessage {
  const position = { epoch, seq: entries.length };
  return { type: "joined", room: "lobby", position, members, count: members.length, entries };
}

function textsOf(state: conversation.Conversation): readonly string[] {
  return state.lines.map((line) => (line.kind === "message" ? line.text : line.kind));
}

test("sent() moves one's own message to its place in the room's order", () => {
  let state = conversation.entered(joined([said(1)]));
  state = conversation.sending(state, 1, "mine");
  state = conversation.messageArrived(state, said(2));
  assert.deepEqual(textsOf(state), ["m1", "m2"]);
  state = conversation.sent(state, 1, "ada", { type: "ack", room: "lobby", seq: 3, at: NOON });
  assert.deepEqual(textsOf(state), ["m1", "m2", "mine"]);
  assert.deepEqual(state.outgoing, []);
});

test("sent() shows a message once that came back among the missed ones", () => {
  let state = conversation.sending(conversation.entered(joined([said(1)])), 1, "m2");
  state = conversation.rejoined(state, joined([]), [said(2, "ada")], true);
  state = conversation.sent(state, 1, "ada", { type: "ack", room: "lobby", seq: 2, at: NOON, duplicate: true });
  assert.deepEqual(textsOf(state), ["m1", "m2"]);
});

test("rejoined() shows a hole where not all was recovered", () => {
  const state = conversation.rejoined(conversation.entered(joined([said(1)])), joined([], ["ada"]), [said(9)], false);
  assert.deepEqual(textsOf(state), ["m1", "gap", "m9"]);
  assert.deepEqual(state.members, ["ada"]);
});

test("sent() shows a message that has the seq of one from before the server's restart", () => {
  let state = conversation.sending(conversation.entered(joined([said(1), said(2)])), 1, "mine");
  state = conversation.rejoined(state, joined([], ["ada"], "restarted"), [], false);
  state = conversation.sent(state, 1, "ada", { type: "ack", room: "lobby", seq: 1, at: NOON });
  state = conversation.messageArrived(state, said(2));
  assert.deepEqual(textsOf(state), ["m1", "m2", "gap", "mine", "m2"]);
  const keys = state.lines.flatMap((line) => (line.kind === "message" ? [conversation.lineKey(line)] : []));
  assert.equal(new Set(keys).size, 4, `lines cannot be told apart: ${keys}`);
});

test("rejoined() offers no older messages of a log that is gone", () => {
  let state = conversation.entered({ ...joined([said(5), said(6)]), more: true });
  assert.deepEqual([state.hasOlder, conversation.oldestSeq(state)], [true, 5]);
  state = conversation.rejoined(state, joined([]), [said(7)], true);
  assert.deepEqual([state.hasOlder, conversation.oldestSeq(state)], [true, 5]);
  state = conversation.rejoined(state, { ...joined([], ["ada"], "restarted"), more: true }, [said(60)], false);
  assert.deepEqual([state.hasOlder, conversation.oldestSeq(state)], [false, undefined]);
});

test("a failed message stays until it is sent again or given up", () => {
  let state = conversation.sending(conversation.entered(joined([])), 1, "long");
  state = conversation.sendingFailed(state, 1, { message: "too long", mayRetry: false });
  const states = () => state.outgoing.map(({ key, text, failure }) => [key, text, failure?.message]);
  assert.deepEqual(states(), [[1, "long", "too long"]]);
  state = conversation.sending(state, 1, "long");
  assert.deepEqual(states(), [[1, "long", undefined]]);
  assert.deepEqual(conversation.discarded(state, 1).outgoing, []);
});

test("presenceChanged() counts each member once", () => {
  const change = { type: "presence", room: "lobby", username: "cy", state: "joined" } as const;
  let state = conversation.presenceChanged(conversation.entered(joined([])), change);
  assert.equal(state.count, 3);
  state = conversation.presenceChanged(state, change);
  assert.equal(state.count, 3);
  state = conversation.presenceChanged(state, { ...change, state: "left" });
  assert.deepEqual([state.members, state.count], [["ada", "bob"], 2]);
});

test("blocksOf() groups one person's messages up to a pause, and begins each day", () => {
  const minutes = (count: number) => NOON + count * 60_000;
  const entries = [
    said(1),
    said(2, "bob", minutes(5)),
    said(3, "bob", minutes(11)),
    said(4, "ada", minutes(11)),
    said(5, "ada", minutes(24 * 60)),
  ];
  const blocks = blocksOf(conversation.entered(joined(entries)).lines);
  const shapes = blocks.map((block) => (block.kind === "messages" ? block.lines.length : block.kind));
  assert.deepEqual(shapes, ["day", 2, 1, 1, "day", 1]);
});

test("blocksOf() puts a divider before the first unread message, also within a person's", () => {
  const unread = { epoch: "e", seq: 2, count: 2, isSeen: false };
  const state = conversation.entered(joined([said(1), said(2), said(3), said(4)]));
  const shapes = blocksOf(state.lines, unread).map((block) => {
    return block.kind === "messages" ? block.lines.length : block.kind;
  });
  assert.deepEqual(shapes, ["day", 2, "unread", 2]);
  const gone = blocksOf(state.lines, { ...unread, epoch: "gone" });
  assert.deepEqual(
    gone.map(({ kind }) => kind),
    ["day", "messages"],
  );
});

test("what is unread is counted from the last look, and over when the person answers", () => {
  let state = conversation.entered({ ...joined([said(1), said(2), said(3)]), read: 1, unread: 2 });
  assert.deepEqual(state.unread, { epoch: "e", seq: 1, count: 2, isSeen: false });
  state = conversation.unseen(conversation.messageArrived(state, said(4)), [said(4)]);
  assert.deepEqual(state.unread, { epoch: "e", seq: 1, count: 3, isSeen: false });
  state = conversation.messageArrived(conversation.seen(state), said(5));
  assert.deepEqual(state.unread, { epoch: "e", seq: 1, count: 3, isSeen: true });
  state = conversation.unseen(conversation.messageArrived(state, said(6)), [said(6)]);
  assert.deepEqual(state.unread, { epoch: "e", seq: 5, count: 1, isSeen: false });
  assert.equal(conversation.sending(state, 1, "mine").unread, undefined);
  assert.equal(conversation.entered({ ...joined([said(1)]), read: 1, unread: 0 }).unread, undefined);
});

test("presenceTexts() says each person once", () => {
  const lines = [
    { username: "cy", state: "joined" },
    { username: "bob", state: "left" },
    { username: "cy", state: "left" },
    { username: "bob", state: "joined" },
    { username: "dee", state: "joined" },
  ];
  assert.deepEqual(presenceTexts(lines), [
    { username: "cy", text: "joined and left" },
    { username: "bob", text: "left and came back" },
    { username: "dee", text: "joined" },
  ]);
});

test("messageArrived() keeps the newest lines, and lets the older ones be asked for again", () => {
  const many = Array.from({ length: conversation.LINES_MAX }, (_, index) => said(index + 1));
  let state = conversation.entered(joined(many));
  assert.equal(state.hasOlder, false);
  state = conversation.messageArrived(state, said(conversation.LINES_MAX + 1));
  assert.equal(state.lines.length, conversation.LINES_MAX);
  assert.equal(textsOf(state)[0], "m2");
  assert.equal(conversation.oldestSeq(state), 2);
});

test("messageArrived() does not offer again what was in a log that is gone", () => {
  const many = Array.from({ length: conversation.LINES_MAX }, (_, index) => said(index + 1));
  let state = conversation.rejoined(conversation.entered(joined(many)), joined([], ["ada"], "restarted"), [], true);
  state = conversation.messageArrived(state, said(1));
  assert.equal(conversation.oldestSeq(state), undefined);
});

test("the topic is what was set last, and each change of it a line that older messages can be asked before", () => {
  const set = (seq: number, value: string, key = "topic"): SetMessage => {
    return { type: "set", room: "lobby", username: "bob", changes: { [key]: value }, seq, prev: seq - 1, at: NOON };
  };
  const room = { ...joined([set(7, "Plans"), set(8, "op", "role"), said(9)]), topic: "Plans", more: true };
  let state = conversation.entered(room);
  assert.deepEqual([state.topic, textsOf(state), conversation.oldestSeq(state)], ["Plans", ["topic", "m9"], 7]);
  state = conversation.topicChanged(state, { username: "ada", topic: "", seq: 10, at: NOON });
  assert.deepEqual([state.topic, textsOf(state)], ["", ["topic", "m9", "topic"]]);
  assert.equal(conversation.rejoined(state, room, [], true).topic, "Plans");
});

test("withOutgoing() puts a message where it will stand when it is sent", () => {
  const minute = 60_000;
  for (const [before, now] of [
    [[], NOON],
    [[["ada", NOON]], NOON + minute],
    [[["ada", NOON]], NOON + 6 * minute],
    [[["bob", NOON]], NOON + minute],
    [
      [
        ["ada", NOON],
        ["bob", NOON],
      ],
      NOON + minute,
    ],
    [[["ada", NOON]], NOON + 24 * 60 * minute],
  ] as const) {
    const lines = before.map(([username, at], index) => {
      return { kind: "message", username, text: "x", at, epoch: "e", seq: index + 1 } as const;
    });
    const outgoing = { key: 1, text: "mine", at: now };
    const sent = { kind: "message", username: "ada", text: "mine", at: now, epoch: "e", seq: 9 } as const;
    const pending = blocksOf(withOutgoing(lines, [outgoing], "ada"));
    const afterwards = blocksOf([...lines, sent]);
    // The same blocks, with as many messages in each.
    const shape = (blocks: readonly Block[]) =>
      blocks.map((block) => (block.kind === "messages" ? block.username + block.lines.length : block.kind));
    assert.deepEqual(shape(pending), shape(afterwards));
  }
  assert.deepEqual(withOutgoing([], [], "ada"), []);
});

test("withOutgoing() keeps a failed message in its place while lines come and go", () => {
  const failure = { message: "too long", mayRetry: false };
  const shown = ({ lines, outgoing }: conversation.Conversation) =>
    withOutgoing(lines, outgoing, "ada").map((line) =>
      line.kind === "outgoing" ? line.outgoing.text : line.kind === "message" ? line.text : line.kind,
    );
  for (const [before, after] of [
    [[], ["x", "m9", "pending"]],
    [[said(1)], ["m1", "x", "m9", "pending"]],
    [
      [said(1, "ada"), said(2, "ada")],
      ["m1", "m2", "x", "m9", "pending"],
    ],
  ] as const) {
    let state = conversation.sending(conversation.entered(joined(before)), 1, "x");
    state = conversation.sendingFailed(state, 1, failure);
    state = conversation.sending(conversation.messageArrived(state, said(9)), 2, "pending");
    assert.deepEqual(shown(state), after);
    // A second failure keeps its own place.
    state = conversation.messageArrived(conversation.sendingFailed(state, 2, failure), said(10));
    assert.deepEqual(shown(state), [...after, "m10"]);
    // Sent again, a message goes to the end.
    assert.deepEqual(shown(conversation.sending(state, 1, "x")), [...after.filter((text) => text !== "x"), "m10", "x"]);
    assert.deepEqual(shown(conversation.discarded(state, 1)), [...after.filter((text) => text !== "x"), "m10"]);
  }
  // Two that fail at one place stay in their order.
  let state = conversation.entered({ ...joined([said(5)]), more: true });
  for (const key of [1, 2]) state = conversation.sending(state, key, `x${key}`);
  for (const key of [1, 2]) state = conversation.sendingFailed(state, key, failure);
  state = conversation.messageArrived(state, said(6));
  assert.deepEqual(shown(state), ["m5", "x1", "x2", "m6"]);
  const older = { type: "history", room: "lobby", more: false, entries: [said(3), said(4)] } as const;
  assert.deepEqual(shown(conversation.olderShown(state, older as unknown as HistoryMessage)), [
    "m3",
    "m4",
    "m5",
    "x1",
    "x2",
    "m6",
  ]);
});
