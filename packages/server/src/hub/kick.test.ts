import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FaultyLog } from "../../../../test/faulty-log.ts";
import { FakeLink, HubFixture, pick } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { idle } from "../../../../test/until.ts";
import { MemoryRoomLog, MemoryRoomStore } from "../adapters/memory/mod.ts";
import type { NewEntry } from "./mod.ts";

failOnLeaks();

const chat = (message: string) => ({ type: "chat", id: message, room: "lobby", message }) as const;

/** A node with Ada, Bob and Bob's second connection in a room, and a way to kick Bob from another node. */
async function world() {
  const store = new MemoryRoomStore({ now: () => 1_700_000_000_000 });
  const log = new FaultyLog(new MemoryRoomLog(store));
  const fixture = new HubFixture({ log });
  const ada = await fixture.member("Ada", "lobby");
  const bob = fixture.connect();
  const [hello] = await bob.hear({ type: "hello", version: 2, username: "Bob" });
  const phone = fixture.connect();
  await phone.hear({ type: "hello", version: 2, session: hello?.session as string, share: true });
  for (const each of [bob, phone]) await each.hear({ type: "join", room: "lobby" });
  await bob.hear({ type: "join", room: "kitchen" });
  ada.take();
  const { members } = await fixture.roster.members("lobby", 10);
  const user = members.find(({ name }) => name === "Bob");
  assert.ok(user);
  const kick: NewEntry = {
    kind: "kick",
    room: "lobby",
    id: undefined,
    author: { id: "eve", name: "Eve" },
    user,
    reason: "spam",
  };
  return { log, store, fixture, ada, bob, phone, kick };
}

describe("Hub: a kick", () => {
  test("takes all connections of the user out of that room, and tells them and the others", async () => {
    const { log, fixture, ada, bob, phone, kick } = await world();
    await log.append([kick]);
    await idle();
    for (const each of [bob, phone]) {
      assert.deepEqual(pick(each.take(), "type", "room", "username", "reason"), [
        ["set", "lobby", "Eve", undefined],
        ["kicked", "lobby", "Eve", "spam"],
      ]);
      assert.deepEqual(pick(await each.hear(chat("no")), "code"), [["not-joined"]]);
    }
    assert.deepEqual(pick(ada.take(), "type", "username", "state"), [
      ["set", "Eve", undefined],
      ["presence", "Bob", "left"],
    ]);
    assert.deepEqual([await fixture.members("lobby"), await fixture.members("kitchen")], [["Ada"], ["Bob"]]);
    // Joining again is allowed, and the old kick has no effect on it.
    assert.deepEqual(pick(await bob.hear({ type: "join", room: "lobby" }, chat("back")), "type"), [
      ["joined"],
      ["ack"],
    ]);
    assert.deepEqual(fixture.reported, []);
  });

  test("is told to a client of version 1", async () => {
    const { log, fixture, kick } = await world();
    const eve = fixture.connect(new FakeLink());
    await eve.hear({ type: "join", room: "lobby", username: "Old" });
    const { members } = await fixture.roster.members("lobby", 10);
    const user = members.find(({ name }) => name === "Old");
    assert.ok(user);
    await log.append([{ ...kick, user } as NewEntry]);
    assert.equal((await eve.hear()).at(-1)?.message, "Eve took you out of lobby: spam");
  });

  test("that was lost is enforced when the room is opened again, but not on who joined after it", async () => {
    const { log, fixture, bob, phone, kick } = await world();
    log.fateOf = () => "lost";
    await log.append([kick]);
    log.fateOf = () => "arrives";
    await phone.hear({ type: "leave", room: "lobby" });
    log.lose("lobby");
    // The join waits until the room is open, and is after the kick.
    const joined = await phone.hear({ type: "join", room: "lobby" });
    assert.deepEqual(pick(joined, "type"), [["joined"]]);
    assert.deepEqual(pick(bob.take(), "type"), [["resync"], ["kicked"]]);
    assert.deepEqual(await phone.hear(chat("here")).then((told) => pick(told, "type")), [["ack"]]);
    assert.deepEqual(pick(await bob.hear(chat("no")), "code"), [["not-joined"]]);
    assert.equal(fixture.reported.length, 1);
  });

  test("does not leave messages in flight without an answer", async () => {
    const { log, store, bob, kick } = await world();
    // The kick of another node comes before the message in the log, and both arrive late.
    log.fateOf = () => "late";
    log.beforeAppend = async () => {
      log.beforeAppend = undefined;
      const other = new MemoryRoomLog(store);
      await other.append([kick]);
      await other.close();
    };
    assert.deepEqual(await bob.hear(chat("mine"), { type: "ping", id: "p" }), []);
    log.deliver();
    assert.deepEqual(pick(await bob.hear(), "type", "id"), [
      ["set", undefined],
      ["kicked", undefined],
      ["ack", "mine"],
      ["pong", "p"],
    ]);
  });

  test("does not leave a change of the state waiting that conflicted", async () => {
    const { log, store, ada, bob, phone, kick } = await world();
    for (const each of [ada, phone]) await each.hear({ type: "leave", room: "lobby" });
    bob.take();
    const result = Promise.withResolvers<void>();
    const append = log.append.bind(log);
    log.append = async (entries) => {
      const other = new MemoryRoomLog(store);
      await other.append([
        kick,
        { kind: "set", room: "lobby", id: "e", author: kick.author, changes: new Map([["a", "b"]]) },
      ]);
      await other.close();
      const results = await append(entries);
      await result.promise;
      return results;
    };
    // Bob was the last one there. His change is in flight while the room is closed, and opened for Ada.
    const told = await bob.hear({ type: "topic", id: "t", room: "lobby", topic: "mine" }, { type: "ping", id: "p" });
    assert.deepEqual(pick(told, "type"), [["set"], ["kicked"]]);
    const opening = Promise.withResolvers<void>();
    log.opens = async (_, open) => {
      await opening.promise;
      return open();
    };
    await ada.hear({ type: "join", room: "lobby" });
    result.resolve();
    await idle();
    opening.resolve();
    assert.deepEqual(pick(await bob.hear(), "type", "id", "code"), [
      ["error", "t", "not-joined"],
      ["pong", "p", undefined],
    ]);
  });

  test("during a join that enters the room again is before that join", async () => {
    const { log, fixture, bob, kick } = await world();
    const { position } = await log.open("lobby");
    log.fateOf = () => "late";
    const other = { ...kick, user: { id: "nobody", name: "Nobody" } } as NewEntry;
    await log.append([kick, other]);
    // Bob knows both entries from another node, so his join waits for them.
    const after = { ...position, seq: position.seq + 2 };
    assert.deepEqual(await bob.hear({ type: "join", room: "lobby", after }), []);
    log.deliver();
    assert.deepEqual(pick(await bob.hear(), "type"), [["set"], ["kicked"], ["joined"]]);
    log.fateOf = () => "arrives";
    assert.deepEqual((await fixture.members("lobby")).toSorted(), ["Ada", "Bob"]);
    assert.deepEqual(pick(await bob.hear(chat("here")), "type"), [["ack"]]);
  });
});
