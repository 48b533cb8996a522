import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FaultyLog } from "../../../../test/faulty-log.ts";
import { type FakeClient, HubFixture, pick } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { put, said } from "../../../../test/suites/room-log-suite.ts";
import { idle } from "../../../../test/until.ts";
import { MemoryRoomLog, MemoryRoomStore } from "../adapters/memory/mod.ts";
import type { Command } from "../core/mod.ts";

failOnLeaks();

const setTopic = (topic: string, id = "t"): Command => ({ type: "topic", id, room: "lobby", topic });
const askTopic: Command = { type: "topic", id: "?", room: "Lobby" };

describe("Hub: a topic", () => {
  test("is sent to the others in the room's order, and acked to its author in the same place", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    const seed = await fixture.seedMember("Seed", "lobby");
    await ada.hear();
    bob.take();
    ada.ask({ type: "chat", id: "1", room: "lobby", message: "one" }, setTopic("Plans"));
    ada.ask({ type: "chat", id: "2", room: "lobby", message: "two" });
    await idle();
    assert.deepEqual(pick(ada.take(), "type", "id", "seq"), [
      ["ack", "1", 2],
      ["ack", "t", 3],
      ["ack", "2", 4],
    ]);
    assert.deepEqual(pick(bob.take(), "type", "changes", "prev"), [
      ["chat", undefined, 1],
      ["set", { topic: "Plans" }, 2],
      ["chat", undefined, 3],
    ]);
    assert.deepEqual(pick(seed.take(), "type", "message"), [
      ["chat", "one"],
      ["notification", "Ada set the topic of lobby: Plans"],
      ["chat", "two"],
    ]);
  });

  test("stays with an empty room until it is removed", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    assert.equal((await ada.hear(askTopic))[0]?.topic, "");
    await ada.hear(setTopic("Plans"));
    assert.deepEqual(await ada.hear(askTopic), [{ type: "topic", id: "?", room: "lobby", topic: "Plans" }]);
    await ada.vanish();
    const bob = await fixture.member("Bob");
    const [joined] = await bob.hear({ type: "join", room: "lobby", history: 1 });
    assert.equal(joined?.topic, "Plans");
    assert.deepEqual(pick(joined?.entries as [], "type", "changes"), [["set", { topic: "Plans" }]]);
    await bob.hear(setTopic(""));
    assert.equal((await bob.hear(askTopic))[0]?.topic, "");
    const eve = await fixture.member("Eve");
    assert.equal("topic" in ((await eve.hear({ type: "join", room: "lobby" }))[0] ?? {}), false);
  });

  test("set while the room opens is not overwritten by an older one", async () => {
    const log = new MemoryRoomLog();
    const fixture = new HubFixture({ log });
    const set = (topic: string) => log.append([put("topic", topic)]);
    await set("old");
    const open = log.open.bind(log);
    log.open = async (room) => {
      const opened = await open(room);
      await set("new");
      return opened;
    };
    const ada = await fixture.member("Ada", "lobby");
    assert.equal((await ada.hear(askTopic))[0]?.topic, "new");
  });

  test("set again with the same id is stored once", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const told = await ada.hear(setTopic("Plans"), setTopic("Plans"), setTopic("Other"));
    assert.deepEqual(pick(told, "type", "seq", "duplicate", "code"), [
      ["ack", 2, undefined, undefined],
      ["ack", 2, true, undefined],
      ["error", undefined, undefined, "id-reused"],
    ]);
  });
});

describe("Hub: a room's name", () => {
  const join = (room: string) => ({ type: "join", id: "j", room }) as const;
  const roomOf = async (client: FakeClient, room: string) =>
    (await client.hear(join(room))).find(({ id }) => id === "j")?.room;

  test("is the spelling of the first join, for good, in every answer", async () => {
    const store = new MemoryRoomStore();
    const before = new HubFixture({ log: new MemoryRoomLog(store) });
    const ada = await before.member("Ada");
    assert.equal(await roomOf(ada, "Caf\u00e9"), "Caf\u00e9");
    await ada.vanish();
    // Another server on the same log.
    const after = new HubFixture({ log: new MemoryRoomLog(store) });
    const bob = await after.member("Bob");
    assert.equal(await roomOf(bob, "CAFE\u0301"), "Caf\u00e9");
    const [who] = await bob.hear({ type: "who", room: "CAF\u00c9" });
    const [list] = await bob.hear({ type: "rooms" });
    assert.deepEqual([who?.room, list?.rooms], ["Caf\u00e9", [{ room: "Caf\u00e9", count: 1 }]]);
    const [ack] = await bob.hear({ type: "chat", id: "1", room: "CAF\u00c9", message: "hi" });
    assert.equal(ack?.room, "Caf\u00e9");
  });

  test("is one, when two nodes open the room at once", async () => {
    const store = new MemoryRoomStore();
    const fixtures = [
      new HubFixture({ log: new MemoryRoomLog(store) }),
      new HubFixture({ log: new MemoryRoomLog(store) }),
    ];
    const clients = await Promise.all(fixtures.map((fixture, i) => fixture.member(`user${i}`)));
    const names = await Promise.all(clients.map((client, i) => roomOf(client, i === 0 ? "Lobby" : "LOBBY")));
    assert.equal(names[0], names[1]);
    const { entries } = await new MemoryRoomLog(store).read("lobby", { limit: 9 });
    assert.equal(entries.length, 1);
  });

  test("is given to a room of an older version at its next join", async () => {
    const log = new MemoryRoomLog();
    await log.append([said("old"), put("topic", "tea")]);
    const fixture = new HubFixture({ log });
    const ada = await fixture.member("Ada");
    assert.equal(await roomOf(ada, "Lobby"), "Lobby");
    const { state } = await log.open("lobby");
    assert.deepEqual([...state].sort(), [
      ["name", "Lobby"],
      ["topic", "tea"],
    ]);
  });

  test("that cannot be stored is the spelling of the first member here, and joins work", async () => {
    const log = new FaultyLog(new MemoryRoomLog());
    log.doubts = () => "not-stored";
    const fixture = new HubFixture({ log });
    const ada = await fixture.member("Ada");
    assert.equal(await roomOf(ada, "Lobby"), "Lobby");
    const bob = await fixture.member("Bob");
    assert.equal(await roomOf(bob, "LOBBY"), "Lobby");
    await Promise.all([ada.vanish(), bob.vanish()]);
    log.doubts = undefined;
    const eve = await fixture.member("Eve");
    assert.equal(await roomOf(eve, "LOBBY"), "LOBBY");
  });

  test("of another node is waited for when it arrives late", async () => {
    const store = new MemoryRoomStore();
    const other = new MemoryRoomLog(store);
    const log = new FaultyLog(new MemoryRoomLog(store));
    const fixture = new HubFixture({ log });
    log.fateOf = () => "late";
    log.beforeAppend = async () => {
      log.beforeAppend = undefined;
      await other.append([put("name", "LOBBY", { from: "Eve" })]);
    };
    const ada = await fixture.member("Ada");
    assert.equal(await roomOf(ada, "lobby"), "LOBBY");
    log.deliver();
    await idle();
    assert.deepEqual(await ada.hear(), []);
    await other.close();
  });
});
