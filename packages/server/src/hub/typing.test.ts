import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HubFixture, pick } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { idle } from "../../../../test/until.ts";
import { MemoryBus } from "../adapters/memory/mod.ts";
import type { Command } from "../core/mod.ts";

failOnLeaks();

const typing = (room = "lobby"): Command => ({ type: "typing", room });

describe("Hub: typing", () => {
  test("is sent to the other version 2 members, not stored, and not answered", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    const seed = await fixture.seedMember("Seed", "lobby");
    ada.take();
    bob.take();
    assert.deepEqual(await ada.hear(typing()), []);
    assert.deepEqual(bob.take(), [{ type: "typing", room: "lobby", username: "Ada" }]);
    assert.deepEqual(seed.take(), []);
    const [history] = await bob.hear({ type: "history", room: "lobby" });
    assert.deepEqual(pick(history?.entries as [], "type", "changes"), [["set", { name: "lobby" }]]);
  });

  test("is left out for version 1 members without breaking the messages around it", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    const seed = await fixture.seedMember("Seed", "lobby");
    ada.take();
    bob.take();
    const say = (message: string): Command => ({ type: "chat", id: message, room: "lobby", message });
    ada.ask(typing(), say("1"), say("2"));
    bob.ask(typing(), say("3"), say("4"));
    seed.ask({ type: "chat", message: "5" });
    const heard = await seed.hear();
    assert.deepEqual(pick(heard, "message").flat().sort(), ["1", "2", "3", "4"]);
    assert.deepEqual(pick(ada.take(), "type").flat().sort(), ["ack", "ack", "chat", "chat", "chat", "typing"]);
    assert.deepEqual(pick(bob.take(), "type").flat().sort(), ["ack", "ack", "chat", "chat", "chat", "typing"]);
  });

  test("is forwarded at most every three seconds per member and room", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby", "kitchen");
    const bob = await fixture.member("Bob", "lobby", "kitchen");
    ada.take();
    const told = () => pick(bob.take(), "type", "room");
    await ada.hear(...Array.from({ length: 100 }, () => typing()), typing("kitchen"));
    assert.deepEqual(told(), [
      ["typing", "lobby"],
      ["typing", "kitchen"],
    ]);
    fixture.now += 2_999;
    await ada.hear(typing());
    assert.deepEqual(told(), []);
    fixture.now += 1;
    await ada.hear(typing());
    assert.deepEqual(told(), [["typing", "lobby"]]);
  });

  test("reaches the members on other nodes, and not the user's own connections there", async () => {
    const ends = new Set<MemoryBus>();
    const fixture = new HubFixture({ bus: new MemoryBus(ends) });
    const elsewhere = new MemoryBus(ends);
    const hints: unknown[] = [];
    elsewhere.follow((hint) => hints.push(hint));
    const ada = await fixture.member("Ada", "lobby");
    const bob = await fixture.member("Bob", "lobby");
    await ada.hear(typing());
    const [id] = (await fixture.roster.members("lobby", 9)).members.flatMap(({ id, name }) =>
      name === "Ada" ? [id] : [],
    );
    const hint = { type: "typing", room: "lobby", user: { id: id as string, name: "Ada" } } as const;
    assert.deepEqual(hints, [hint]);
    ada.take();
    bob.take();
    elsewhere.publish(hint);
    elsewhere.publish({ ...hint, user: { id: "another", name: "Cy" } });
    elsewhere.publish({ ...hint, room: "nowhere" });
    await idle();
    assert.deepEqual(pick(bob.take(), "type", "username"), [
      ["typing", "Ada"],
      ["typing", "Cy"],
    ]);
    assert.deepEqual(pick(ada.take(), "type", "username"), [["typing", "Cy"]]);
  });
});
