import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { failOnLeaks } from "../../../test/leaks.ts";
import { checkTimeout, Wait, type WaitOptions } from "./wait.ts";

failOnLeaks();

function waitFor(options?: WaitOptions): { wait: Wait<string>; cancelled: () => number } {
  let count = 0;
  const wait = new Wait<string>(
    options,
    () => "Cannot wait",
    () => {
      count += 1;
    },
  );
  return { wait, cancelled: () => count };
}

test("Wait settles once and ignores later calls", async () => {
  const { wait, cancelled } = waitFor();
  wait.resolve("first");
  wait.resolve("second");
  wait.reject(new Error("third"));
  assert.equal(await wait.promise, "first");
  assert.equal(cancelled(), 0);
});

test("Wait rejects with a timeout error and cancels", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { wait, cancelled } = waitFor({ timeoutMs: 50 });
  const rejected = assert.rejects(wait.promise, { code: "timeout", message: "Cannot wait: timed out after 50 ms" });
  t.mock.timers.tick(49);
  assert.equal(cancelled(), 0);
  t.mock.timers.tick(1);
  await rejected;
  assert.equal(cancelled(), 1);
});

test("Wait rejects with the signal's own reason of any type", async () => {
  for (const reason of [new Error("mine"), "a string", 0, null]) {
    const controller = new AbortController();
    const { wait, cancelled } = waitFor({ signal: controller.signal });
    controller.abort(reason);
    const caught = await wait.promise.catch((error: unknown) => ({ error }));
    assert.deepEqual(caught, { error: reason });
    assert.equal(cancelled(), 1);
    assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  }
});

test("Wait removes its timer and listener when it settles", async () => {
  const { signal } = new AbortController();
  const first = waitFor({ signal, timeoutMs: 60_000 });
  const second = waitFor({ signal, timeoutMs: 60_000 });
  assert.equal(getEventListeners(signal, "abort").length, 2);
  first.wait.resolve("done");
  second.wait.reject(new Error("failed"));
  await assert.rejects(second.wait.promise, /failed/);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("Wait ignores timeout and abort after it settled", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const controller = new AbortController();
  const { wait, cancelled } = waitFor({ signal: controller.signal, timeoutMs: 5 });
  wait.resolve("done");
  t.mock.timers.tick(10);
  controller.abort();
  assert.equal(await wait.promise, "done");
  assert.equal(cancelled(), 0);
});

test("Wait has no timer with timeoutMs Infinity", () => {
  const { wait } = waitFor({ timeoutMs: Number.POSITIVE_INFINITY });
  assert.equal(process.getActiveResourcesInfo().includes("Timeout"), false);
  wait.resolve("done");
});

test("Wait leaks no listener over 1,000 waits on one signal", async () => {
  const controller = new AbortController();
  const waits = Array.from({ length: 1_000 }, () => waitFor({ signal: controller.signal }).wait.promise);
  controller.abort(new Error("all"));
  const results = await Promise.allSettled(waits);
  assert.ok(results.every((result) => result.status === "rejected"));
});

test("checkTimeout() accepts 0 to 2^31 - 1 and Infinity", () => {
  for (const timeoutMs of [0, 0.5, 1, 2 ** 31 - 1, Number.POSITIVE_INFINITY]) checkTimeout(timeoutMs);
  for (const timeoutMs of [-1, 2 ** 31, Number.NaN, Number.NEGATIVE_INFINITY]) {
    assert.throws(() => checkTimeout(timeoutMs), RangeError);
  }
});
