import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SearchQueue } from "./search-queue.ts";

describe("SearchQueue", () => {
  test("begins one search after another, also after one that fails", async () => {
    const queue = new SearchQueue();
    const begun: number[] = [];
    const first = Promise.withResolvers<string>();
    const search = (index: number, result: Promise<string>) => {
      begun.push(index);
      return result;
    };
    const results = [
      queue.add(() => search(0, first.promise)),
      queue.add(() => search(1, Promise.reject(new Error("failed")))),
      queue.add(() => search(2, Promise.resolve("third"))),
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

  test("rejects with `timeout` after 5 s, and never begins what was given up before its turn", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const queue = new SearchQueue();
    const slow = Promise.withResolvers<string>();
    let isBegun = false;
    const first = assert.rejects(
      queue.add(() => slow.promise),
      { code: "timeout" },
    );
    t.mock.timers.tick(1);
    const second = assert.rejects(
      queue.add(async () => {
        isBegun = true;
      }),
      { code: "timeout" },
    );
    t.mock.timers.tick(4_999);
    await first;
    t.mock.timers.tick(1);
    await second;
    slow.resolve("too late");
    assert.equal(await queue.add(async () => "next"), "next");
    assert.equal(isBegun, false);
  });

  test("rejects with `busy` while 64 are waiting", async () => {
    const queue = new SearchQueue();
    const slow = Promise.withResolvers<string>();
    const waiting = Array.from({ length: 64 }, () => queue.add(() => slow.promise));
    await assert.rejects(
      queue.add(async () => "one more"),
      { code: "busy" },
    );
    slow.resolve("done");
    await Promise.all(waiting);
    assert.equal(await queue.add(async () => "again"), "again");
  });
});
