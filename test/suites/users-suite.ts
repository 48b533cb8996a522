/**
 * The suite that every `Users` passes, with one node and with two nodes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Users } from "../../packages/server/src/hub/mod.ts";

export function usersSuite(
  name: string,
  factory: (nodes: number) => readonly Users[] | Promise<readonly Users[]>,
): void {
  for (const nodes of [1, 2]) {
    describe(`${name} as Users, ${nodes === 1 ? "one node" : "two nodes"}`, () => suite(() => factory(nodes)));
  }
}

function suite(factory: () => readonly Users[] | Promise<readonly Users[]>): void {
  let views: readonly Users[];
  let here: Users;
  let there: Users;

  beforeEach(async () => {
    views = await factory();
    here = views[0] as Users;
    there = views.at(-1) as Users;
  });
  afterEach(async () => {
    for (const view of views) await view.close();
  });

  test("a read position belongs to a user and a room", async () => {
    assert.deepEqual(await here.markRead("ada", "lobby", { epoch: "a", seq: 5 }), { epoch: "a", seq: 5 });
    assert.deepEqual(await there.readPosition("ada", "lobby"), { epoch: "a", seq: 5 });
    assert.equal(await there.readPosition("ada", "kitchen"), undefined);
    assert.equal(await there.readPosition("bob", "lobby"), undefined);
  });

  test("a read position moves forward within an epoch, and starts again in another one", async () => {
    await here.markRead("ada", "lobby", { epoch: "a", seq: 5 });
    assert.deepEqual(await there.markRead("ada", "lobby", { epoch: "a", seq: 3 }), { epoch: "a", seq: 5 });
    assert.deepEqual(await here.readPosition("ada", "lobby"), { epoch: "a", seq: 5 });
    assert.deepEqual(await there.markRead("ada", "lobby", { epoch: "b", seq: 1 }), { epoch: "b", seq: 1 });
    assert.deepEqual(await here.readPosition("ada", "lobby"), { epoch: "b", seq: 1 });
  });

  test("concurrent changes keep the furthest position", async () => {
    const seqs = [3, 9, 1, 7, 5];
    await Promise.all(seqs.map((seq, i) => (i % 2 === 0 ? here : there).markRead("ada", "lobby", { epoch: "a", seq })));
    assert.deepEqual(await here.readPosition("ada", "lobby"), { epoch: "a", seq: 9 });
  });

  test("forget() removes what is stored about one user", async () => {
    for (const user of ["ada", "bob"]) {
      for (const room of ["lobby", "kitchen"]) await here.markRead(user, room, { epoch: "a", seq: 5 });
    }
    await there.forget("ada");
    await there.forget("nobody");
    for (const room of ["lobby", "kitchen"]) {
      assert.equal(await here.readPosition("ada", room), undefined);
      assert.deepEqual(await here.readPosition("bob", room), { epoch: "a", seq: 5 });
    }
  });

  test("any user and room are accepted, such as __proto__", async () => {
    for (const text of ["__proto__", "constructor", "a/b", "a b"]) {
      await here.markRead(text, text, { epoch: "a", seq: 1 });
      assert.deepEqual(await there.readPosition(text, text), { epoch: "a", seq: 1 });
    }
    assert.equal(await there.readPosition("a", "b"), undefined);
  });
}
