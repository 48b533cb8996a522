import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ReadyFrames } from "./ready-frames.ts";

test("ReadyFrames.takeAll() returns a single batch without copying or changing it", () => {
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

test("ReadyFrames returns frames in order, and releases taken frames while others arrive", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const ready = new ReadyFrames<object>();
  let next = 0;
  const push = (): void => ready.push([{ frame: next++ }]);
  const taken: WeakRef<object>[] = [];
  // At least one frame is always unread.
  push();
  for (let index = 0; index < 100; index += 1) {
    push();
    const frame = ready.take();
    assert.deepEqual(frame, { frame: index });
    taken.push(new WeakRef(frame));
  }
  assert.deepEqual(ready.length, 1);
  // A WeakRef created in this turn keeps its frame until the next.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  const kept = taken.filter((frame) => frame.deref() !== undefined);
  assert.ok(kept.length <= 4, `${kept.length} taken frames are still in memory`);
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
