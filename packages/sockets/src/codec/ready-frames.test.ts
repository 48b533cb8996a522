import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ReadyFrames } from "./ready-frames.ts";

test("ReadyFrames gives a batch that is taken at once without copying it, and leaves it as it was", () => {
  const ready = new ReadyFrames<number>();
  const [first, second] = [Object.freeze([1, 2]), Object.freeze([3])];
  ready.push(first);
  assert.equal(ready.takeAll(), first);
  assert.equal(ready.length, 0);
  ready.push(first);
  assert.equal(ready.take(), 1);
  ready.push(second);
  assert.equal(ready.length, 2);
  assert.deepEqual(ready.takeAll(), [2, 3]);
  assert.deepEqual([first, second, ready.takeAll()], [[1, 2], [3], []]);
});

test("ReadyFrames gives all frames in their order, and lets those go that were taken while others come in", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const ready = new ReadyFrames<object>();
  let next = 0;
  const push = (): void => ready.push([{ frame: next++ }]);
  const taken: WeakRef<object>[] = [];
  // There is always one that waits.
  push();
  for (let index = 0; index < 100; index += 1) {
    push();
    const frame = ready.take();
    assert.deepEqual(frame, { frame: index });
    taken.push(new WeakRef(frame));
  }
  assert.deepEqual(ready.length, 1);
  // A reference that was made in this turn holds its frame until the next.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  const kept = taken.filter((frame) => frame.deref() !== undefined);
  assert.ok(kept.length <= 4, `${kept.length} frames that were taken are kept`);
  assert.deepEqual(ready.takeAll(), [{ frame: 100 }]);
});

test("ReadyFrames counts bytes until all frames are taken", () => {
  const ready = new ReadyFrames<number>();
  ready.bytes += 10;
  ready.push([1, 2]);
  ready.take();
  assert.equal(ready.bytes, 10);
  ready.take();
  assert.equal(ready.bytes, 0);
});
