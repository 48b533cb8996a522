import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { Housekeeping, type Task } from "./housekeeping.ts";

describe("Housekeeping", () => {
  const steps = (count: number): Task & { done: number } => ({
    done: 0,
    step() {
      if (this.done === count) return false;
      this.done += 1;
      return true;
    },
  });

  test("runs the steps of all tasks in turn when idle", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "setImmediate"] });
    const [first, second] = [steps(3), steps(2)];
    const housekeeping = new Housekeeping([first, second], () => undefined, assert.ifError);
    housekeeping.wake(5);
    t.mock.timers.tick(4);
    assert.equal(first.done, 0);
    t.mock.timers.tick(1);
    assert.deepEqual([first.done, second.done], [1, 0]);
    t.mock.timers.runAll();
    assert.deepEqual([first.done, second.done], [3, 2]);
  });

  test("leaves most of the time to commits", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "setImmediate"] });
    let now = 0;
    mock.method(performance, "now", () => now);
    const task: Task & { done: number } = {
      done: 0,
      step() {
        now += 10;
        this.done += 1;
        return true;
      },
    };
    const housekeeping = new Housekeeping([task], () => undefined, assert.ifError);
    housekeeping.wake(1);
    t.mock.timers.tick(1);
    for (let ms = 0; ms < 900; ms += 1) {
      housekeeping.wake(1);
      t.mock.timers.tick(1);
    }
    assert.equal(task.done, 11);
    housekeeping.stop();
    mock.restoreAll();
  });

  test("reports a failure once, retries every second, and reports the next one after a success", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "setImmediate"] });
    const errors: unknown[] = [];
    let isBroken = true;
    let tries = 0;
    const task: Task = {
      step() {
        tries += 1;
        if (isBroken) throw new Error("full");
        return tries < 5;
      },
    };
    const housekeeping = new Housekeeping(
      [task],
      () => undefined,
      (error) => errors.push(error),
    );
    housekeeping.wake(1);
    t.mock.timers.tick(1);
    for (let i = 0; i < 2; i += 1) {
      housekeeping.wake(1);
      t.mock.timers.tick(1_000);
    }
    assert.deepEqual([tries, errors.length], [3, 1]);
    isBroken = false;
    t.mock.timers.tick(1_000);
    isBroken = true;
    housekeeping.hurry(task);
    t.mock.timers.tick(1_000);
    assert.equal(errors.length, 2);
    housekeeping.stop();
  });
});
