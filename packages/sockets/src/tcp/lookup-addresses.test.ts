import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { test } from "node:test";
import { lookupAddresses } from "./lookup-addresses.ts";

const answering =
  (...addresses: readonly string[]): LookupFunction =>
  (_name, _options, callback) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );

async function found(lookup: LookupFunction, family: 0 | 4 | 6 = 0): Promise<readonly string[]> {
  return (await lookupAddresses("name", family, lookup, "Cannot connect")).map(({ address }) => address);
}

test("lookupAddresses() alternates the families, beginning with that of the first address", async () => {
  assert.deepEqual(await found(answering("::1", "::2", "::3", "1.1.1.1", "2.2.2.2")), [
    "::1",
    "1.1.1.1",
    "::2",
    "2.2.2.2",
    "::3",
  ]);
  assert.deepEqual(await found(answering("1.1.1.1", "2.2.2.2", "::1")), ["1.1.1.1", "::1", "2.2.2.2"]);
});

test("lookupAddresses() returns only addresses of the given family", async () => {
  assert.deepEqual(await found(answering("::1", "1.1.1.1"), 4), ["1.1.1.1"]);
  await assert.rejects(found(answering("1.1.1.1"), 6), { code: "name-not-found", message: /family IPv6/ });
});

test("lookupAddresses() returns an IP address without a lookup", async () => {
  const refuse: LookupFunction = () => assert.fail("looked up");
  assert.deepEqual(await lookupAddresses("127.0.0.1", 0, refuse, "x"), [{ address: "127.0.0.1", family: 4 }]);
  assert.deepEqual(await lookupAddresses("::1", 6, refuse, "x"), [{ address: "::1", family: 6 }]);
  await assert.rejects(lookupAddresses("::1", 4, refuse, "x"), { code: "name-not-found" });
});

test("lookupAddresses() accepts a lookup with a single address, and rejects garbage", async () => {
  assert.deepEqual(await found((_name, _options, callback) => callback(null, "1.1.1.1", 4)), ["1.1.1.1"]);
  await assert.rejects(found(answering()), { code: "name-not-found" });
  await assert.rejects(found(answering("nonsense")), { code: "name-not-found" });
  await assert.rejects(
    found((_name, _options, callback) => callback(Object.assign(new Error("later"), { code: "EAI_AGAIN" }), [])),
    { code: "name-lookup-failed" },
  );
});
