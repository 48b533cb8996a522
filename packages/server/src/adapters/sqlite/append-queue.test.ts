import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { outcomes, said } from "../../../../../test/suites/room-log-suite.ts";
import { AppendQueue } from "./append-queue.ts";

describe("AppendQueue", () => {
  const newQueue = (limits = {}) =>
    new AppendQueue({ waitingEntriesMax: 1_000_000, waitingCharactersMax: 1_000_000_000, ...limits });
  const add = (queue: AppendQueue, count: number, text = "") => {
    void queue.add(Array.from({ length: count }, () => said(text)));
  };
  const sizes = (queue: AppendQueue) => queue.take().map(({ entries }) => entries.length);

  test("take() returns whole calls, up to 4,096 entries", () => {
    const queue = newQueue();
    for (const count of [1, 4_000, 95, 1, 5_000, 2]) add(queue, count);
    assert.deepEqual(sizes(queue), [1, 4_000, 95]);
    assert.deepEqual(sizes(queue), [1]);
    assert.deepEqual(sizes(queue), [5_000]);
    assert.deepEqual(sizes(queue), [2]);
    assert.deepEqual(sizes(queue), []);
  });

  test("take() returns at most 4,194,304 characters, or a single larger call", () => {
    const queue = newQueue();
    for (const length of [1_000_000, 3_000_000, 1_000_000, 5_000_000, 1]) add(queue, 1, "x".repeat(length));
    assert.deepEqual(sizes(queue), [1, 1]);
    assert.deepEqual(sizes(queue), [1]);
    assert.deepEqual(sizes(queue), [1]);
    assert.deepEqual(sizes(queue), [1]);
  });

  test("add() fails with `busy` past its limits, until earlier calls are done", async () => {
    const queue = newQueue({ waitingEntriesMax: 10, waitingCharactersMax: 5_000 });
    add(queue, 9);
    add(queue, 1);
    const [refused] = await queue.add([said("")]);
    assert.match(refused?.type === "failed" ? refused.error.message : "", /10 are waiting already/);
    assert.deepEqual(await outcomes(queue.add([said("")])), ["busy"]);
    const taken = queue.take();
    assert.deepEqual(await outcomes(queue.add([said("")])), ["busy"]);
    queue.done(taken);
    add(queue, 1, "x".repeat(4_000));
    assert.deepEqual(await outcomes(queue.add([said("x".repeat(1_000))])), ["busy"]);
    queue.done(queue.take());
    add(queue, 20);
    assert.deepEqual(sizes(queue), [20]);
  });
});
