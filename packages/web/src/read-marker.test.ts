import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { ReadMarker } from "./read-marker.ts";

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => mock.timers.reset());

/** A marker, and what it told. */
function recorder() {
  const told: number[] = [];
  const answer: { failure?: Error } = {};
  const marker = new ReadMarker(async (seq) => {
    told.push(seq);
    if (answer.failure !== undefined) throw answer.failure;
  });
  return { told, answer, marker };
}

test("ReadMarker tells at once, and what follows within two seconds together, or when asked to", () => {
  const { told, marker } = recorder();
  for (const seq of [1, 2, 3, 3]) marker.seen({ epoch: "e", seq });
  assert.deepEqual(told, [1]);
  marker.flush();
  marker.flush();
  assert.deepEqual(told, [1, 3]);
  marker.seen({ epoch: "e", seq: 4 });
  mock.timers.tick(1_999);
  assert.deepEqual(told, [1, 3]);
  mock.timers.tick(1);
  assert.deepEqual(told, [1, 3, 4]);
  mock.timers.tick(10_000);
  marker.seen({ epoch: "e", seq: 4 });
  assert.deepEqual(told, [1, 3, 4], "nothing is told twice");
  marker.seen({ epoch: "e", seq: 5 });
  assert.deepEqual(told, [1, 3, 4, 5]);
});

test("ReadMarker tells again what failed, with the next look and not before", async () => {
  const { told, answer, marker } = recorder();
  answer.failure = new Error("not connected");
  marker.seen({ epoch: "e", seq: 5 });
  await Promise.resolve();
  mock.timers.tick(10_000);
  assert.deepEqual(told, [5]);
  delete answer.failure;
  marker.seen({ epoch: "e", seq: 5 });
  assert.deepEqual(told, [5, 5]);
});

test("ReadMarker tells smaller numbers of another log", () => {
  const { told, marker } = recorder();
  marker.seen({ epoch: "e", seq: 5 });
  marker.seen({ epoch: "restarted", seq: 1 });
  mock.timers.tick(2_000);
  assert.deepEqual(told, [5, 1]);
});

test("ReadMarker.close() tells what is left and leaves no timer", () => {
  const { told, marker } = recorder();
  marker.seen({ epoch: "e", seq: 1 });
  marker.seen({ epoch: "e", seq: 2 });
  marker.close();
  mock.timers.tick(10_000);
  assert.deepEqual(told, [1, 2]);
});
