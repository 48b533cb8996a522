import assert from "node:assert/strict";
import test from "node:test";
import { PullIterator } from "./pull-iterator.ts";

function countTo(last: number): PullIterator<number> {
  let count = 0;
  return new PullIterator(async () => {
    count += 1;
    if (count === 2) throw new Error("two");
    return PullIterator.result(count <= last ? count : undefined);
  });
}

test("PullIterator continues after an error, and ends with its source", async () => {
  const numbers = countTo(3);
  assert.deepEqual(await numbers.next(), { done: false, value: 1 });
  await assert.rejects(numbers.next(), /two/);
  assert.deepEqual(await numbers.next(), { done: false, value: 3 });
  assert.deepEqual(await numbers.next(), { done: true, value: undefined });
});

test("PullIterator pulls no more after the loop is left", async () => {
  const leave: Record<string, (numbers: PullIterator<number>) => Promise<unknown>> = {
    return: (numbers) => numbers.return(),
    throw: (numbers) => numbers.throw(new Error("left")).catch(() => undefined),
    dispose: (numbers) => numbers[Symbol.asyncDispose](),
    break: async (numbers) => {
      for await (const _ of numbers) break;
    },
  };
  for (const [how, act] of Object.entries(leave)) {
    let pulls = 0;
    const numbers = new PullIterator(async () => {
      pulls += 1;
      return PullIterator.result(pulls);
    });
    await act(numbers);
    const before = pulls;
    assert.equal((await numbers.next()).done, true, how);
    assert.equal(pulls, before, how);
  }
});
