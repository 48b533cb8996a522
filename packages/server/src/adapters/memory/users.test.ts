import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { usersSuite } from "../../../../../test/suites/users-suite.ts";
import { MemoryUsers } from "./mod.ts";

usersSuite("MemoryUsers", (nodes) => {
  const users = new MemoryUsers();
  return Array.from({ length: nodes }, () => users);
});

describe("MemoryUsers", () => {
  test("forgets the oldest position of the user whose positions changed least recently, past its limit", async () => {
    const users = new MemoryUsers({ positionsMax: 3 });
    const mark = (user: string, room: string) => users.markRead(user, room, { epoch: "a", seq: 1 });
    const isKept = async (user: string, room: string) => (await users.readPosition(user, room)) !== undefined;
    await mark("ada", "one");
    await mark("ada", "two");
    await mark("bob", "one");
    await mark("ada", "one");
    await mark("bob", "two");
    assert.deepEqual([await isKept("ada", "one"), await isKept("ada", "two")], [true, false]);
    assert.deepEqual([await isKept("bob", "one"), await isKept("bob", "two")], [true, true]);
    await users.forget("bob");
    for (const room of ["two", "three"]) await mark("ada", room);
    for (const room of ["one", "two", "three"]) assert.equal(await isKept("ada", room), true, room);
  });
});
