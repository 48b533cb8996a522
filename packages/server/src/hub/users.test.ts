import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HubFixture } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { idle } from "../../../../test/until.ts";

failOnLeaks();

describe("Hub: users", () => {
  test("lists members whose names begin with the prefix, compared as names are", async () => {
    const fixture = new HubFixture();
    for (const name of ["Zoe", "\u00c9va", "Eve", "evan", "Bob"]) await fixture.member(name, "lobby");
    await fixture.member("Evelyn", "kitchen");
    const ada = await fixture.member("Ada", "lobby");
    const usersOf = async (prefix: string, limit?: number) => {
      const [answer] = await ada.hear({ type: "users", id: "u", prefix, ...(limit === undefined ? {} : { limit }) });
      assert.deepEqual([answer?.type, answer?.id, answer?.room], ["users", "u", "lobby"]);
      return [answer?.users, answer?.more];
    };
    assert.deepEqual(await usersOf("EV"), [["Eve", "evan"], false]);
    assert.deepEqual(await usersOf("e\u0301"), [["\u00c9va"], false]);
    assert.deepEqual(await usersOf("ev", 1), [["Eve"], true]);
    assert.deepEqual(await usersOf("ev", 0), [[], true]);
    assert.deepEqual(await usersOf("evelyn"), [[], false]);
    assert.deepEqual(await usersOf(""), [["Ada", "Bob", "Eve", "Zoe", "evan", "\u00c9va"], false]);
    for (const prefix of ["__proto__", "\u0301".repeat(60_000), ".*", "\u0000"]) {
      assert.deepEqual(await usersOf(prefix), [[], false]);
    }
  });

  test("asks which room when there are several, and refuses those that were not joined", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby", "kitchen");
    const [any] = await ada.hear({ type: "users", prefix: "a" });
    assert.deepEqual([any?.code, any?.message], ["not-joined", "Say in which room"]);
    const [other] = await ada.hear({ type: "users", room: "cellar", prefix: "a" });
    assert.equal(other?.code, "not-joined");
    const [kitchen] = await ada.hear({ type: "users", room: "KITCHEN", prefix: "a" });
    assert.deepEqual([kitchen?.room, kitchen?.users], ["kitchen", ["Ada"]]);
  });

  test("looks at 2,000 members, and says that there may be more", async () => {
    const fixture = new HubFixture();
    const ada = await fixture.member("Ada", "lobby");
    for (let i = 0; i < 2_000; i += 1) {
      const client = fixture.connect();
      client.ask({ type: "join", room: "lobby", username: `user${i}` });
    }
    await idle();
    ada.take();
    const first = (await ada.hear({ type: "users", room: "lobby", prefix: "user1998" })).at(-1);
    assert.deepEqual([first?.users, first?.more], [["user1998"], true]);
    const last = (await ada.hear({ type: "users", room: "lobby", prefix: "user1999" })).at(-1);
    assert.deepEqual([last?.users, last?.more], [[], true]);
  });
});
