import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { limitPage } from "./page-limits.ts";

describe("limitPage()", () => {
  const sizeOf = (size: number): number => size;

  test("takes items up to the limit and the size, and tells whether there are more", () => {
    const taken = (limit: number, sizeMax?: number) => {
      const { items, more } = limitPage([3, 3, 3], { limit, sizeMax, sizeOf });
      return [items.length, more];
    };
    assert.deepEqual(taken(0), [0, true]);
    assert.deepEqual(taken(2), [2, true]);
    assert.deepEqual(taken(3), [3, false]);
    assert.deepEqual(taken(3, 9), [3, false]);
    assert.deepEqual(taken(3, 8), [2, true]);
    assert.deepEqual(taken(1, 8), [1, true]);
  });

  test("takes the first item at any size", () => {
    assert.deepEqual(limitPage([9, 1], { sizeMax: 0, sizeOf }), { items: [9], more: true });
    assert.deepEqual(limitPage([9], { sizeMax: 0, sizeOf }), { items: [9], more: false });
    assert.deepEqual(limitPage([], { sizeMax: 0, sizeOf }), { items: [], more: false });
  });

  test("reads at most one item that does not fit", () => {
    let looks = 0;
    const items = [5, 5, 5, 5].values().map((size) => {
      looks += 1;
      return size;
    });
    assert.equal(limitPage(items, { sizeMax: 10, sizeOf }).items.length, 2);
    assert.equal(looks, 3);
  });
});
