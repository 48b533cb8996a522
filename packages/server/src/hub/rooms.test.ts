import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FaultyLog } from "../../../../test/faulty-log.ts";
import { HubFixture, type Message, pick } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { said } from "../../../../test/suites/room-log-suite.ts";
import { idle } from "../../../../test/until.ts";
import { MemoryRoomLog, MemoryRoomStore, MemoryRoster } from "../adapters/memory/mod.ts";
import type { MemberPage } from "./mod.ts";
import { RoomLogError } from "./ports/room-log.ts";

failOnLeaks();

/** A node with a member, to which an entry of another node has not come yet, and a client that knows it. */
async function behind(fate: "late" | "lost") {
  const store = new MemoryRoomStore({ now: () => 1_700_000_000_000 });
  const log = new FaultyLog(new MemoryRoomLog(store));
  const fixture = new HubFixture({ log });
  const ada = await fixture.member("Ada", "lobby");
  const bob = await fixture.member("Bob");
  log.fateOf = () => fate;
  const other = new MemoryRoomLog(store);
  const [result] = await other.append([said("elsewhere", { from: "Eve" })]);
  assert.ok(result?.type === "appended");
  const { position } = await other.open("lobby");
  await other.close();
  const join = (seq: number) => ({ type: "join", id: "j", room: "lobby", after: { ...position, seq } }) as const;
  return { log, fixture, ada, bob, position, join };
}

function answer(messages: readonly Message[]): readonly unknown[] {
  const joined = messages.find(({ id }) => id === "j");
  return [joined?.type, joined?.recovered, joined?.reason, joined?.position];
}

describe("Hub: a client that knows more of a room than its node", () => {
  test("is answered when the entries have arrived", async () => {
    const { log, ada, bob, position, join } = await behind("late");
    assert.deepEqual(await bob.hear(join(position.seq)), []);
    log.deliver();
    assert.deepEqual(answer(await bob.hear()), ["joined", true, undefined, position]);
    log.fateOf = () => "arrives";
    assert.deepEqual(pick(await ada.hear(), "message"), [[undefined], ["elsewhere"]]);
    const chat = { type: "chat", id: "c", room: "lobby", message: "next" } as const;
    assert.deepEqual(pick(await ada.hear(chat), "type"), [["ack"]]);
    assert.deepEqual(pick(await bob.hear(), "message", "prev"), [["next", position.seq]]);
  });

  test("is answered when the entries never arrive, and the members are told to resync", async () => {
    const { fixture, ada, bob, position, join } = await behind("lost");
    assert.deepEqual(await bob.hear(join(position.seq)), []);
    fixture.hub.sweep();
    assert.deepEqual(await bob.hear(), []);
    fixture.hub.sweep();
    assert.deepEqual(answer(await bob.hear()), ["joined", true, undefined, position]);
    assert.deepEqual(pick(await ada.hear(), "type"), [["presence"], ["resync"]]);
    // Nothing waits any more.
    const calls = fixture.reported.length;
    for (let i = 0; i < 3; i += 1) fixture.hub.sweep();
    await ada.hear();
    assert.equal(fixture.reported.length, calls);
  });

  test("is told at once that it is ahead of a log that does not have its position", async () => {
    const { log, bob, position, join } = await behind("late");
    log.deliver();
    assert.deepEqual(answer(await bob.hear(join(position.seq + 1))), ["joined", false, "ahead", position]);
  });

  test("is answered when the log turns out to be another one, and the members resync once", async () => {
    const { log, fixture, ada, bob, position, join } = await behind("lost");
    assert.deepEqual(await bob.hear(join(position.seq)), []);
    const present = { epoch: "restored", seq: 0 };
    log.opens = async () => ({ position: present, state: new Map(), stateSeq: 0 });
    for (let i = 0; i < 6; i += 1) {
      fixture.hub.sweep();
      await idle();
    }
    assert.deepEqual(answer(bob.take()), ["joined", false, "log-changed", present]);
    assert.deepEqual(pick(ada.take(), "type"), [["presence"], ["resync"]]);
  });

  test("is refused when the room cannot be opened again", async () => {
    const { log, fixture, bob, position, join } = await behind("lost");
    assert.deepEqual(await bob.hear(join(position.seq)), []);
    log.opens = () => Promise.reject(new RoomLogError("io", "The disk is gone"));
    fixture.hub.sweep();
    fixture.hub.sweep();
    const told = await bob.hear({ type: "ping", id: "p" });
    assert.deepEqual(pick(told, "type", "id", "code"), [
      ["error", "j", "unavailable"],
      ["pong", "p", undefined],
    ]);
  });
});

describe("Hub: a list of members", () => {
  /** Has not heard yet that Ada is a member of any room. */
  class LateRoster extends MemoryRoster {
    override async members(room: string, limit: number): Promise<MemberPage> {
      const { members, count } = await super.members(room, limit);
      const known = members.filter(({ name }) => name !== "Ada");
      return { members: known, count: count - (members.length - known.length) };
    }
  }

  test("has the user who asks, in its rooms, even if the roster does not", async () => {
    const fixture = new HubFixture({ roster: (store) => new LateRoster(store) });
    const [ada, bob] = [await fixture.member("Ada"), await fixture.member("Bob")];
    const list = (type: "join" | "who") => ({ type, room: "lobby" }) as const;
    await bob.hear(list("join"));
    assert.deepEqual(pick(await ada.hear(list("who")), "members", "count"), [[["Bob"], 1]]);
    assert.deepEqual(pick(await ada.hear(list("join")), "members", "count"), [[["Bob", "Ada"], 2]]);
    assert.deepEqual(pick(await ada.hear(list("who")), "members", "count"), [[["Bob", "Ada"], 2]]);
    bob.take();
    assert.deepEqual(pick(await bob.hear(list("who")), "members", "count"), [[["Bob"], 1]]);
  });
});
