import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fc } from "../../../../test/seed.ts";
import { KeyedBuckets } from "./keyed-buckets.ts";

const RATE = { perSecond: 1, burst: 2 };

describe("KeyedBuckets", () => {
  test("keeps one bucket for each key", () => {
    const buckets = new KeyedBuckets(RATE);
    buckets.of("a", 0).take();
    buckets.of("a", 0).take();
    assert.ok(buckets.of("a", 0).waitMs(0) > 0);
    assert.equal(buckets.of("b", 0).waitMs(0), 0);
  });

  test("evicts full buckets as new keys come, and keeps the others", () => {
    const buckets = new KeyedBuckets(RATE);
    for (const key of ["idle 1", "idle 2", "idle 3"]) buckets.of(key, 0).take();
    const used = buckets.of("used", 5_000);
    used.take();
    for (let i = 0; i < 5; i += 1) buckets.of(`new ${i}`, 5_000).take();
    assert.equal(buckets.of("used", 5_000), used);
    assert.equal(buckets.size, 6);
  });

  test("never holds more buckets than its limit", () => {
    const visit = fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 60 }));
    fc.assert(
      fc.property(fc.array(visit, { minLength: 50, maxLength: 200 }), (visits) => {
        const buckets = new KeyedBuckets(RATE, 10);
        let now = 0;
        for (const [key, pauseMs] of visits) {
          now += pauseMs;
          const bucket = buckets.of(String(key), now);
          if (bucket.waitMs(now) === 0) bucket.take();
          assert.ok(buckets.size <= 10);
          assert.equal(buckets.of(String(key), now), bucket);
        }
      }),
    );
  });
});
