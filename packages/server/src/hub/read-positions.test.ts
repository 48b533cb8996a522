import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type FakeClient, HubFixture } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import type { Command } from "../core/mod.ts";
import { ReadPositions } from "./read-positions.ts";

failOnLeaks();

describe("ReadPositions", () => {
  test("moves forward within a log, and starts again in another log", () => {
    const positions = new ReadPositions();
    positions.set("ada", "lobby", { epoch: "a", seq: 5 });
    positions.set("ada", "lobby", { epoch: "a", seq: 3 });
    assert.equal(positions.get("ada", "lobby", "a"), 5);
    assert.equal(positions.get("ada", "lobby", "b"), undefined);
    assert.equal(positions.get("bob", "lobby", "a"), undefined);
    positions.set("ada", "lobby", { epoch: "b", seq: 1 });
    assert.equal(positions.get("ada", "lobby", "b"), 1);
  });

  test("evicts the least recently changed position past its limit", () => {
    const positions = new ReadPositions(2);
    const set = (room: string) => positions.set("ada", room, { epoch: "a", seq: 1 });
    for (const room of ["one", "two", "one", "three"]) set(room);
    assert.deepEqual(
      ["one", "two", "three"].map((room) => positions.get("ada", room, "a")),
      [1, undefined, 1],
    );
  });
});

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
    assert.deepEqual(await bob.hear(read(2)), [{ type: "ack", id: "r", room: "lobby" }]);
    await bob.hear(chat("my own"), { type: "topic", room: "lobby", topic: "Plans" });
    assert.deepEqual(await join(bob), [2, 1]);
    await bob.hear({ type: "bye" });
    await ada.hear(chat("4"));
    assert.deepEqual(await join(await fixture.member("BOB")), [2, 2]);
  });

  test("is returned by rooms for the rooms of this connection", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby", "attic");
    const bob = await fixture.member("Bob", "lobby", "attic", "kitchen");
    await bob.hear(read(0), { type: "read", room: "kitchen", seq: 0 });
    await ada.hear(chat("1"), chat("2"));
    bob.take();
    const list = async (client: FakeClient) => (await client.hear({ type: "rooms" }))[0]?.rooms;
    assert.deepEqual(await list(bob), [
      { room: "lobby", count: 2, unread: 2 },
      { room: "attic", count: 2 },
      { room: "kitchen", count: 1, unread: 0 },
    ]);
    await ada.hear({ type: "join", room: "kitchen" });
    await bob.hear(read(1), { type: "leave", room: "kitchen" });
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
    await bob.hear(...rooms.map((room) => ({ type: "read", room, seq: room === "a" ? 1 : 0 }) as const));
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
    assert.deepEqual(await join(bob), [0, 0]);
    await ada.hear(chat("1"), chat("2"), chat("3"), chat("4"));
    bob.take();
    assert.deepEqual(await join(bob), [0, 3]);
  });
});
