import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HubFixture, pick } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { put } from "../../../../test/suites/room-log-suite.ts";
import { idle } from "../../../../test/until.ts";
import { MemoryRoomLog } from "../adapters/memory/mod.ts";
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
      ["ack", "1", 1],
      ["ack", "t", 2],
      ["ack", "2", 3],
    ]);
    assert.deepEqual(pick(bob.take(), "type", "changes", "prev"), [
      ["chat", undefined, 0],
      ["set", { topic: "Plans" }, 1],
      ["chat", undefined, 2],
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
    const [joined] = await bob.hear({ type: "join", room: "lobby", history: 5 });
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
      ["ack", 1, undefined, undefined],
      ["ack", 1, true, undefined],
      ["error", undefined, undefined, "id-reused"],
    ]);
  });
});
