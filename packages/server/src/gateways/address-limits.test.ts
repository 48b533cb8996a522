import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { AddressLimits } from "./address-limits.ts";

const LIMITS = { connectionsPerAddressMax: 2, connectionRatePerAddress: 1, connectionBurstPerAddress: 3 };

describe("AddressLimits", () => {
  test("allows connectionsPerAddressMax connections per address, and another when one has left", () => {
    const addressLimits = new AddressLimits({ ...LIMITS, connectionRatePerAddress: Number.POSITIVE_INFINITY });
    for (let i = 0; i < 2; i += 1) {
      assert.equal(addressLimits.mayEnter("192.0.2.1", 0), true);
      addressLimits.entered("192.0.2.1");
    }
    assert.equal(addressLimits.mayEnter("192.0.2.1", 0), false);
    assert.equal(addressLimits.mayEnter("::ffff:192.0.2.1", 0), false);
    assert.equal(addressLimits.mayEnter("192.0.2.2", 0), true);
    addressLimits.left("192.0.2.1");
    assert.equal(addressLimits.mayEnter("192.0.2.1", 0), true);
    addressLimits.left("192.0.2.1");
    addressLimits.left("192.0.2.1");
    assert.equal(addressLimits.mayEnter("192.0.2.1", 0), true);
  });

  test("allows new connections at connectionRatePerAddress", () => {
    const addressLimits = new AddressLimits(LIMITS);
    const enter = (now: number) => addressLimits.mayEnter("2001:db8::1", now);
    assert.deepEqual([enter(0), enter(0), enter(0), enter(0)], [true, true, true, false]);
    assert.equal(addressLimits.mayEnter("2001:db8::2", 0), false, "the same network");
    assert.equal(addressLimits.mayEnter("2001:db8:0:1::1", 0), true, "another network");
    assert.deepEqual([enter(999), enter(1_000), enter(1_000)], [false, true, false]);
  });
});
