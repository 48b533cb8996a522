import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type FakeClient, HubFixture } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { MemoryBus, MemoryUsers } from "../adapters/memory/mod.ts";
import type { Command } from "../core/mod.ts";

failOnLeaks();

describe("Hub: a read position", () => {
  const chat = (message: string): Command => ({ type: "chat", room: "lobby", message });
  const read = (seq: number): Command => ({ type: "read", id: "r", room: "lobby", seq });
  const join = async (client: FakeClient) => {
    const [joined] = await client.hear({ type: "join", room: "lobby" });
    return [joined?.read, joined?.unread];
  };

  test("is returned by join with the number of messages from others since", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob");
    assert.deepEqual(await join(bob), [undefined, undefined]);
    await ada.hear(chat("1"), chat("2"), chat("3"));
    bob.take();
    assert.deepEqual(await bob.hear(read(3)), [{ type: "ack", id: "r", room: "lobby" }]);
    await bob.hear(chat("my own"), { type: "topic", room: "lobby", topic: "Plans" });
    assert.deepEqual(await join(bob), [3, 1]);
  });

  test("stays with the session while it waits for its client, and ends with the guest", async () => {
    const users = new MemoryUsers();
    const fixture = new HubFixture({ users });
    const ada = await fixture.member("Ada", "lobby");
    await ada.hear(chat("1"), chat("2"));
    const bob = fixture.connect();
    const [hello] = await bob.hear({ type: "hello", version: 2, username: "Bob" });
    await bob.hear({ type: "join", room: "lobby" }, read(2));
    const [bobId = ""] = (await fixture.roster.members("lobby", 9)).members.flatMap(({ id, name }) =>
      name === "Bob" ? [id] : [],
    );
    await bob.vanish();
    const back = fixture.connect();
    await back.hear({ type: "hello", version: 2, session: hello?.session as string });
    assert.deepEqual(await join(back), [2, 1]);
    await back.hear({ type: "bye" });
    assert.equal(await users.readPosition(bobId, "lobby"), undefined);
    assert.deepEqual(await join(await fixture.member("Bob")), [undefined, undefined]);
  });

  test("is told to the user's other connections in the room, also by another node", async () => {
    const ends = new Set<MemoryBus>();
    const fixture = new HubFixture({ bus: new MemoryBus(ends) });
    const elsewhere = new MemoryBus(ends);
    const hints: unknown[] = [];
    elsewhere.follow((hint) => hints.push(hint));
    const ada = await fixture.member("Ada", "lobby");
    const first = fixture.connect();
    const [hello] = await first.hear({ type: "hello", version: 2, username: "Bob" });
    const [joined] = await first.hear({ type: "join", room: "lobby" });
    const share = { type: "hello", version: 2, session: hello?.session as string, share: true } as const;
    const [second, third] = [fixture.connect(), fixture.connect()];
    for (const each of [second, third]) await each.hear(share);
    await second.hear({ type: "join", room: "lobby" });
    await ada.hear(chat("1"), chat("2"));
    for (const each of [ada, first, second, third]) each.take();
    assert.deepEqual(await first.hear(read(2)), [{ type: "ack", id: "r", room: "lobby" }]);
    assert.deepEqual(second.take(), [{ type: "read", room: "lobby", seq: 2 }]);
    // A lower position changes nothing, and the stored one is told.
    await second.hear(read(0));
    assert.deepEqual(first.take(), [{ type: "read", room: "lobby", seq: 2 }]);
    const { members } = await fixture.roster.members("lobby", 9);
    const user = members.find(({ name }) => name === "Bob")?.id as string;
    const { epoch } = (joined as unknown as { readonly position: { readonly epoch: string } }).position;
    const hint = { type: "read", room: "lobby", user, epoch, seq: 2 } as const;
    assert.deepEqual(hints, [hint, hint]);
    elsewhere.publish({ ...hint, seq: 3 });
    elsewhere.publish({ ...hint, epoch: "another log", seq: 9 });
    elsewhere.publish({ ...hint, room: "nowhere", seq: 9 });
    elsewhere.publish({ ...hint, user: "nobody", seq: 9 });
    for (const each of [first, second]) assert.deepEqual(each.take(), [{ type: "read", room: "lobby", seq: 3 }]);
    assert.deepEqual([ada.take(), third.take()], [[], []]);
  });

  test("is returned by rooms for the rooms of this connection", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby", "attic");
    const bob = await fixture.member("Bob", "lobby", "attic", "kitchen");
    await bob.hear(read(1), { type: "read", room: "kitchen", seq: 1 });
    await ada.hear(chat("1"), chat("2"));
    bob.take();
    const list = async (client: FakeClient) => (await client.hear({ type: "rooms" }))[0]?.rooms;
    assert.deepEqual(await list(bob), [
      { room: "lobby", count: 2, unread: 2 },
      { room: "attic", count: 2 },
      { room: "kitchen", count: 1, unread: 0 },
    ]);
    await ada.hear({ type: "join", room: "kitchen" });
    await bob.hear(read(2), { type: "leave", room: "kitchen" });
    assert.deepEqual(await list(bob), [
      { room: "lobby", count: 2, unread: 1 },
      { room: "attic", count: 2 },
      { room: "kitchen", count: 1 },
    ]);
  });

  test("makes rooms count unread messages only within the rate of requests", async () => {
    const fixture = new HubFixture({ hasRates: true, limits: { requestRate: 1, requestBurst: 6 } });
    const rooms = ["a", "b", "c"];
    const ada = await fixture.member("Ada", ...rooms);
    const bob = await fixture.member("Bob", ...rooms);
    for (const room of rooms) await ada.hear({ type: "chat", room, message: "hi" });
    // The burst is 6; hello and the next requests take 4.
    await bob.hear(...rooms.map((room) => ({ type: "read", room, seq: room === "a" ? 2 : 1 }) as const));
    const [list] = await bob.hear({ type: "rooms" });
    assert.deepEqual(list?.rooms, [
      { room: "a", count: 2, unread: 0 },
      { room: "b", count: 2, unread: 1 },
      { room: "c", count: 2 },
    ]);
  });

  test("past the end of the log is stored as the end, and the unread count is bounded", async () => {
    const fixture = new HubFixture({ limits: { historyMax: 3 } });
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    await bob.hear(read(1_000));
    assert.deepEqual(await join(bob), [1, 0]);
    await ada.hear(chat("1"), chat("2"), chat("3"), chat("4"));
    bob.take();
    assert.deepEqual(await join(bob), [1, 3]);
  });
});
