import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ChatLimits, DEFAULT_LIMITS } from "./limits.ts";
import { type ConnectionRates, type RateKind, RateLimits } from "./rate-limits.ts";

const LIMITS: ChatLimits = {
  ...DEFAULT_LIMITS,
  messageRate: 1,
  messageBurst: 3,
  messageRatePerAddress: 1,
  messageBurstPerAddress: 5,
  joinRate: 1,
  joinBurst: 1,
};

/** Counts how many `take` calls succeed. */
function count(rates: ConnectionRates, user: string, kind: RateKind = "message", now = 0): number {
  let taken = 0;
  while (taken < 100 && rates.take(kind, user, now) === 0) taken += 1;
  return taken;
}

describe("RateLimits", () => {
  test("limits a connection, also when it changes its name", () => {
    const limits = new RateLimits(LIMITS);
    const rates = limits.of("192.0.2.1", 0);
    assert.equal(count(rates, "ada"), 3);
    assert.equal(count(rates, "bob"), 0);
    assert.equal(count(rates, "bob", "join"), 1);
  });

  test("limits a person across connections and addresses", () => {
    const limits = new RateLimits(LIMITS);
    assert.equal(count(limits.of("192.0.2.1", 0), "ada"), 3);
    assert.equal(count(limits.of("192.0.2.2", 0), "ada"), 0);
    assert.equal(count(limits.of("192.0.2.2", 0), "bob"), 3);
  });

  test("limits an address, and takes no token from a person refused for it", () => {
    const limits = new RateLimits(LIMITS);
    assert.equal(count(limits.of("192.0.2.1", 0), "ada"), 3);
    const bob = limits.of("::ffff:192.0.2.1", 0);
    assert.equal(count(bob, "bob"), 2);
    for (let i = 0; i < 5; i += 1) assert.ok(bob.take("message", "bob", 0) > 0);
    assert.equal(bob.take("message", "bob", 1_000), 0, "only the address has to wait");
    assert.equal(
      count(limits.of("192.0.2.2", 0), "bob", "message", 1_000),
      1,
      "bob has used 3 of his burst of 3, and 1 came back",
    );
  });

  test("lets through by default a pasted text and a client that rejoins all its rooms", () => {
    const rates = new RateLimits(DEFAULT_LIMITS).of("192.0.2.1", 0);
    for (let line = 0; line < 200; line += 1) assert.equal(rates.take("message", "ada", 0), 0, "a pasted text");
    for (let room = 0; room < 3 * DEFAULT_LIMITS.roomsMax; room += 1) assert.equal(rates.take("join", "ada", 0), 0);
  });
});
