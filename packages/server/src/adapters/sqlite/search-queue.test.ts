import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SearchQueue } from "./search-queue.ts";

/** A search of several slices, which records each one. */
function sliced(name: string, slices: number, begun: string[]) {
  let left = slices;
  return async () => {
    begun.push(name);
    left -= 1;
    return left === 0 ? name : undefined;
  };
}

describe("SearchQueue", () => {
  test("runs one slice at a time, and continues after one that fails", async () => {
    const queue = new SearchQueue();
    const begun: number[] = [];
    const first = Promise.withResolvers<string>();
    const search = (index: number, result: Promise<string>) => {
      begun.push(index);
      return result;
    };
    const results = [
      queue.add("a", () => search(0, first.promise)),
      queue.add("a", () => search(1, Promise.reject(new Error("failed")))),
      queue.add("a", () => search(2, Promise.resolve("third"))),
    ];
    const settled = Promise.allSettled(results);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(begun, [0]);
    first.resolve("first");
    assert.deepEqual(
      (await settled).map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    assert.deepEqual(begun, [0, 1, 2]);
  });

  test("gives turns to the askers, and to the searches of each", async () => {
    const queue = new SearchQueue();
    const begun: string[] = [];
    void queue.add("first", async () => "while the others come");
    const results = await Promise.all([
      queue.add("a", sliced("a1", 3, begun)),
      queue.add("a", sliced("a2", 2, begun)),
      queue.add("a", sliced("a3", 1, begun)),
      queue.add("b", sliced("b1", 1, begun)),
      queue.add("c", sliced("c1", 2, begun)),
    ]);
    assert.deepEqual(results, ["a1", "a2", "a3", "b1", "c1"]);
    assert.deepEqual(begun, ["a1", "b1", "c1", "a2", "c1", "a3", "a1", "a2", "a1"]);
  });

  test("rejects with `timeout` after 5 s, and runs no slice of a search that timed out", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const queue = new SearchQueue();
    const slow = Promise.withResolvers<undefined>();
    const begun: number[] = [];
    const slice = (index: number) => () => {
      begun.push(index);
      return slow.promise;
    };
    const first = assert.rejects(queue.add("a", slice(0)), { code: "timeout" });
    t.mock.timers.tick(1);
    const second = assert.rejects(queue.add("a", slice(1)), { code: "timeout" });
    t.mock.timers.tick(4_999);
    await first;
    t.mock.timers.tick(1);
    await second;
    slow.resolve(undefined);
    assert.equal(await queue.add("a", async () => "next"), "next");
    assert.deepEqual(begun, [0]);
  });

  test("rejects with `busy` past 64 searches: the new one, or the newest of an asker with more", async () => {
    const queue = new SearchQueue();
    const slow = Promise.withResolvers<string>();
    const waiting = Array.from({ length: 64 }, () => queue.add("a", () => slow.promise));
    const last = assert.rejects(waiting.pop() as Promise<string>, { code: "busy" });
    await assert.rejects(
      queue.add("a", async () => "one more"),
      { code: "busy" },
    );
    const other = queue.add("b", async () => "other");
    await last;
    slow.resolve("done");
    assert.equal(await other, "other");
    await Promise.all(waiting);
    assert.equal(await queue.add("a", async () => "again"), "again");
  });
});
