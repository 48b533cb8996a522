import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChatMessage, type HelloMessage, type JoinedMessage, nameKey } from "@landline/protocol";
import { HELLO_LIMITS } from "../../../test/hello-limits.ts";
import { backoffMs, planResume, RoomTail } from "./resume.ts";

function joined(seq: number, entries: readonly ChatMessage[] = [], epoch = "e1"): JoinedMessage {
  return { type: "joined", room: "Lobby", position: { epoch, seq }, members: [], count: 0, entries };
}

function said(seq: number, prev = seq - 1): ChatMessage {
  return { type: "chat", room: "Lobby", username: "bob", message: `m${seq}`, seq, prev, at: seq };
}

function hello(fields: Partial<HelloMessage> = {}): HelloMessage {
  return { type: "hello", version: 2, session: "s", limits: HELLO_LIMITS, ...fields };
}

test("RoomTail accepts each message once, in order", () => {
  const tail = new RoomTail(joined(3));
  assert.equal(tail.arrive(said(3)), "seen");
  assert.equal(tail.arrive(said(4)), "next");
  assert.equal(tail.arrive(said(4)), "seen");
  assert.equal(tail.arrive(said(2)), "seen");
  assert.deepEqual(tail.position, { epoch: "e1", seq: 4 });
});

test("RoomTail reports a gap from prev, not from a skipped seq", () => {
  const tail = new RoomTail(joined(3));
  assert.equal(tail.arrive(said(9, 3)), "next");
  assert.equal(tail.arrive(said(12, 10)), "gap");
  assert.equal(tail.arrive(said(13)), "next");
});

test("RoomTail.acknowledged() moves the position forward only", () => {
  const tail = new RoomTail(joined(3));
  tail.acknowledged(5);
  tail.acknowledged(4);
  assert.equal(tail.position.seq, 5);
  assert.equal(tail.arrive(said(6)), "next");
});

test("RoomTail accepts any message without seq", () => {
  const tail = new RoomTail(joined(3));
  assert.equal(tail.arrive({ type: "chat", room: "Lobby", username: "bob", message: "hi" }), "next");
  assert.equal(tail.position.seq, 3);
});

test("RoomTail.resume() returns only messages not seen before", () => {
  const tail = new RoomTail(joined(3));
  tail.pause();
  assert.equal(tail.isLive, false);
  assert.deepEqual(tail.resume(joined(5, [said(3), said(4), said(5)])), [said(4), said(5)]);
  assert.equal(tail.isLive, true);
  assert.equal(tail.position.seq, 5);
});

test("RoomTail.resume() returns every message of another epoch, also with a smaller seq", () => {
  const tail = new RoomTail(joined(900));
  tail.pause();
  assert.deepEqual(tail.resume(joined(2, [said(1), said(2)], "e2")), [said(1), said(2)]);
  assert.deepEqual(tail.position, { epoch: "e2", seq: 2 });
});

test("planResume() joins each room after its position and resends chats in order", () => {
  const rooms = new Map([[nameKey("Lobby"), new RoomTail(joined(7))]]);
  const chats = [
    { type: "chat", id: "c-1", room: "lobby", message: "one" },
    { type: "chat", id: "c-2", room: "gone", message: "two" },
    { type: "chat", id: "c-3", room: "LOBBY", message: "three" },
  ] as const;
  const taken = hello({ username: "ada", rooms: ["Lobby", "left", "Found"] });
  const unjoined = new Set([nameKey("found")]);
  const plan = planResume({ hello: taken, username: "ada", rooms, unjoined, chats });
  assert.deepEqual(plan.join, [{ type: "join", room: "Lobby", after: { epoch: "e1", seq: 7 } }]);
  assert.deepEqual(plan.leave, [{ type: "leave", room: "left" }]);
  assert.deepEqual(
    plan.resend.map((chat) => chat.id),
    ["c-1", "c-3"],
  );
  assert.deepEqual(plan.drop, ["c-2"]);
});

test("planResume() sends the name again when the session was not resumed", () => {
  const rooms = new Map([[nameKey("Lobby"), new RoomTail(joined(7))]]);
  const plan = planResume({ hello: hello(), username: "ada", rooms, unjoined: new Set(), chats: [] });
  assert.deepEqual(plan.join, [{ type: "join", room: "Lobby", after: { epoch: "e1", seq: 7 }, username: "ada" }]);
});

test("backoffMs() doubles up to maxMs and stays between half the ceiling and the ceiling", () => {
  const bounds = { minMs: 500, maxMs: 15_000 };
  const ceilings = [500, 1000, 2000, 4000, 8000, 15_000, 15_000];
  for (const [attempt, ceiling] of ceilings.entries()) {
    assert.equal(backoffMs(attempt, bounds, 0), ceiling / 2);
    assert.equal(backoffMs(attempt, bounds, 1), ceiling);
    assert.equal(backoffMs(attempt, bounds, 0.5), ceiling * 0.75);
  }
  assert.equal(backoffMs(5000, bounds, 1), 15_000);
});
