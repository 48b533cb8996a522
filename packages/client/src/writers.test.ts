import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Writers } from "./writers.ts";

test("Writers removes a writer after 6 seconds without typing, and calls changed once per change", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let changes = 0;
  const writers = new Writers(() => {
    changes += 1;
  });
  writers.wrote("ada");
  writers.wrote("bob");
  mock.timers.tick(3_000);
  writers.wrote("ada");
  mock.timers.tick(3_000);
  assert.deepEqual([writers.names, changes], [["ada"], 3]);
  writers.stopped("ada");
  writers.stopped("ada");
  assert.deepEqual([writers.names, changes], [[], 4]);
  writers.wrote("ada");
  writers.clear();
  mock.timers.tick(6_000);
  assert.deepEqual([writers.names, changes], [[], 5]);
  mock.timers.reset();
});
