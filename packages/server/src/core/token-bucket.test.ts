import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fc } from "../../../../test/seed.ts";
import { TokenBucket } from "./token-bucket.ts";

const RATE = { perSecond: 2, burst: 3 };

/** Takes a token if there is one. Returns how long to wait, in milliseconds. */
function ask(bucket: TokenBucket, now: number): number {
  const waitMs = bucket.waitMs(now);
  if (waitMs === 0) bucket.take();
  return waitMs;
}

describe("TokenBucket", () => {
  test("gives a burst, then returns a wait of at least a second", () => {
    const bucket = new TokenBucket(RATE, 100);
    assert.deepEqual([ask(bucket, 100), ask(bucket, 100), ask(bucket, 100), ask(bucket, 100)], [0, 0, 0, 1_000]);
    const slow = new TokenBucket({ perSecond: 0.1, burst: 1 }, 0);
    assert.deepEqual([ask(slow, 0), ask(slow, 0), ask(slow, 4_000.5), ask(slow, 10_000)], [0, 10_000, 6_000, 0]);
  });

  test("stays closed until the returned wait is over, and refills meanwhile", () => {
    const bucket = new TokenBucket(RATE, 0);
    for (let i = 0; i < 3; i += 1) ask(bucket, 0);
    assert.deepEqual([ask(bucket, 0), ask(bucket, 999), ask(bucket, 1_000)], [1_000, 1, 0]);
    assert.deepEqual([ask(bucket, 1_000), ask(bucket, 1_000)], [0, 1_000]);
  });

  test("closes for no longer than it takes to fill", () => {
    const fast = new TokenBucket({ perSecond: 200, burst: 50 }, 0);
    for (let i = 0; i < 50; i += 1) assert.equal(ask(fast, 0), 0);
    assert.equal(ask(fast, 0), 250);
    for (let i = 0; i < 50; i += 1) assert.equal(ask(fast, 250), 0);
  });

  test("never holds more than its burst", () => {
    const bucket = new TokenBucket(RATE, 0);
    ask(bucket, 0);
    assert.equal(bucket.isFull(499), false);
    assert.equal(bucket.isFull(500), true);
    const waits = Array.from({ length: 4 }, () => ask(bucket, 1_000_000));
    assert.deepEqual(waits, [0, 0, 0, 1_000]);
  });

  test("never refuses at an infinite rate", () => {
    const bucket = new TokenBucket({ perSecond: Number.POSITIVE_INFINITY, burst: 1 }, 0);
    for (let i = 0; i < 10; i += 1) assert.equal(ask(bucket, 0), 0);
    assert.equal(bucket.isFull(0), true);
  });

  test("gives no more than burst plus rate in any interval, and has a token after the wait it returned", () => {
    const rates = fc.record({
      perSecond: fc.double({ min: 0.01, max: 500, noNaN: true }),
      burst: fc.integer({ min: 1, max: 20 }),
    });
    const pauses = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 0, max: 5_000, noNaN: true })), {
      minLength: 50,
      maxLength: 200,
    });
    fc.assert(
      fc.property(rates, pauses, (rate, pausesMs) => {
        const bucket = new TokenBucket(rate, 0);
        const given: number[] = [];
        let now = 0;
        for (const pauseMs of pausesMs) {
          now += pauseMs;
          const waitMs = ask(bucket, now);
          if (waitMs === 0) given.push(now);
          else if (pauseMs === 0) {
            now += waitMs;
            assert.equal(ask(bucket, now), 0, "has a token after the wait it returned");
            given.push(now);
          }
        }
        for (const [first, from] of given.entries()) {
          for (let last = first; last < given.length; last += 1) {
            const most = rate.burst + (((given[last] as number) - from + 1) * rate.perSecond) / 1_000;
            assert.ok(last - first + 1 <= most + 0.001);
          }
        }
      }),
    );
  });
});
