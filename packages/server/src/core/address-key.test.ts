import assert from "node:assert/strict";
import { test } from "node:test";
import { addressKey } from "./address-key.ts";

test("addressKey() maps every address that one peer can choose to the same key", () => {
  const cases = {
    "192.0.2.1": "192.0.2.1",
    "::ffff:192.0.2.1": "192.0.2.1",
    "::FFFF:192.0.2.1": "192.0.2.1",
    "": "",
    "::1": "0:0:0:0::/64",
    "2001:db8::1": "2001:db8:0:0::/64",
    "2001:db8:0:0:ffff::": "2001:db8:0:0::/64",
    "2001:DB8:0:00:1:2:3:4": "2001:db8:0:0::/64",
    "2001:db8:0:1::1": "2001:db8:0:1::/64",
    "fe80::1%eth0": "fe80:0:0:0::/64",
    "1::": "1:0:0:0::/64",
  };
  for (const [address, key] of Object.entries(cases)) assert.equal(addressKey(address), key, address);
});
