import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../../../test/until.ts";
import { Turns } from "./turns.ts";

test("Turns runs a bounded number of tasks per turn, in order, also those added meanwhile", async () => {
  const turns = new Turns(3);
  const done: number[] = [];
  const perTurn: number[] = [];
  let turn = 0;
  const count = (): void => {
    turn += 1;
    if (done.length < 9) setImmediate(count);
  };
  const work = (index: number): void => {
    done.push(index);
    perTurn[turn] = (perTurn[turn] ?? 0) + 1;
    if (index === 0) turns.take(() => work(8));
  };
  setImmediate(count);
  for (let index = 0; index < 8; index += 1) turns.take(() => work(index));
  assert.deepEqual(done, [], "nothing runs at once");
  await until(() => done.length === 9, "all tasks have run");
  assert.deepEqual(done, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(
    perTurn.filter((works) => works > 3),
    [],
  );
});
