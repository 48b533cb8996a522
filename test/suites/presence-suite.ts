/**
 * The suite that every `Presence` passes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Presence, PresenceChange } from "../../packages/server/src/hub/mod.ts";

export function presenceSuite(name: string, factory: () => Presence | Promise<Presence>): void {
  describe(`${name} as a Presence`, () => {
    let presence: Presence;
    let changes: PresenceChange[];

    beforeEach(async () => {
      presence = await factory();
      changes = [];
      presence.follow((change) => changes.push(change));
    });
    afterEach(() => presence.close());

    test("lists members in the order of joining, up to the limit, and counts all", async () => {
      for (const person of ["Ada", "Bob", "Eve"]) await presence.enter("lobby", person);
      assert.deepEqual(await presence.members("lobby", 10), { names: ["Ada", "Bob", "Eve"], count: 3 });
      assert.deepEqual(await presence.members("lobby", 2), { names: ["Ada", "Bob"], count: 3 });
      assert.deepEqual(await presence.members("lobby", 0), { names: [], count: 3 });
      assert.deepEqual(await presence.members("kitchen", 10), { names: [], count: 0 });
    });

    test("reports each change with its origin, before the call resolves", async () => {
      const origin = {};
      let told = 0;
      await presence.enter("lobby", "Ada", origin).then(() => {
        told = changes.length;
      });
      assert.equal(told, 1);
      await presence.leave("lobby", "Ada", origin);
      assert.deepEqual(changes, [
        { room: "lobby", name: "Ada", state: "joined", origin },
        { room: "lobby", name: "Ada", state: "left", origin },
      ]);
      assert.ok(changes.every((change) => change.origin === origin));
    });

    test("reports only the first join and the leave of a member, in any spelling of the name", async () => {
      await presence.enter("lobby", "Ada");
      await presence.enter("lobby", "ADA");
      await presence.leave("lobby", "Bob");
      await presence.leave("kitchen", "Ada");
      assert.equal(changes.length, 1);
      assert.deepEqual(await presence.members("lobby", 10), { names: ["Ada"], count: 1 });
      await presence.leave("lobby", "ada");
      assert.equal((await presence.members("lobby", 10)).count, 0);
      await presence.leave("lobby", "Ada");
      assert.equal(changes.length, 2);
      await presence.enter("lobby", "J\u030can");
      await presence.enter("lobby", "\u01f0an");
      await presence.leave("lobby", "J\u030cAN");
      assert.equal(changes.length, 4);
    });

    test("lists rooms by member count, then by how long they have had it, without empty rooms", async () => {
      for (const [room, people] of Object.entries({ b: 2, a: 2, c: 3, d: 1 })) {
        for (let i = 0; i < people; i += 1) await presence.enter(room, `p${i}`);
      }
      await presence.leave("d", "p0");
      const all = [
        { room: "c", count: 3 },
        { room: "b", count: 2 },
        { room: "a", count: 2 },
      ];
      assert.deepEqual(await presence.rooms(10), all);
      assert.deepEqual(await presence.rooms(2), all.slice(0, 2));
      assert.deepEqual(await presence.rooms(0), []);
      await presence.leave("c", "p0");
      await presence.enter("b", "p2");
      assert.deepEqual(
        (await presence.rooms(10)).map(({ room }) => room),
        ["b", "a", "c"],
      );
    });

    test("accepts any name, such as __proto__", async () => {
      for (const key of ["__proto__", "constructor", "toString"]) {
        await presence.enter(key, key);
        assert.deepEqual(await presence.members(key, 10), { names: [key], count: 1 });
      }
      assert.equal((await presence.rooms(10)).length, 3);
    });

    test("lists contain exactly the changes that were reported before the call", async () => {
      const lists: Promise<unknown>[] = [];
      const expected: unknown[] = [];
      const inside = new Set<string>();
      presence.follow(({ name, state }) => (state === "joined" ? inside.add(name) : inside.delete(name)));
      const look = () => {
        lists.push(presence.members("lobby", 10), presence.rooms(10));
        expected.push({ names: [...inside], count: inside.size });
        expected.push(inside.size === 0 ? [] : [{ room: "lobby", count: inside.size }]);
      };
      const changes = ["Ada", "Bob", "Eve"].flatMap((name) => {
        look();
        const entered = presence.enter("lobby", name);
        look();
        return [entered, entered.then(look)];
      });
      changes.push(presence.leave("lobby", "Bob"));
      look();
      await Promise.all(changes);
      look();
      assert.deepEqual(await Promise.all(lists), expected);
    });

    test("a returned list does not change later", async () => {
      await presence.enter("lobby", "Ada");
      const before = await presence.members("lobby", 10);
      await presence.enter("lobby", "Bob");
      assert.deepEqual(before, { names: ["Ada"], count: 1 });
    });
  });
}
