import assert from "node:assert/strict";
import { test } from "node:test";
import { backOff } from "./back-off.ts";

test("backOff() doubles each wait and fits all attempts into the time", () => {
  assert.deepEqual(
    backOff(1_500, 4, () => 0.5),
    [100, 200, 400],
  );
  assert.deepEqual(
    backOff(1_000, 1, () => 0.5),
    [],
  );
});

test("backOff() stays within a quarter of each wait", () => {
  assert.deepEqual(
    backOff(1_500, 4, () => 0),
    [75, 150, 300],
  );
  assert.deepEqual(
    backOff(1_500, 4, () => 1),
    [125, 250, 500],
  );
});

test("backOff() leaves the last attempt three eighths of the time for every random value", () => {
  for (let attempts = 1; attempts <= 10; attempts += 1) {
    const total = backOff(1_000, attempts, () => 1).reduce((sum, wait) => sum + wait, 0);
    assert.ok(total < 625, `${attempts} attempts: the last one after ${total} ms`);
  }
});
