import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress } from "./address.ts";

test("formatAddress() formats host and port, brackets IPv6, and leaves paths unchanged", () => {
  assert.equal(formatAddress({ host: "localhost", port: 8080 }), "localhost:8080");
  assert.equal(formatAddress({ host: "127.0.0.1", port: 0 }), "127.0.0.1:0");
  assert.equal(formatAddress({ host: "::1", port: 8080 }), "[::1]:8080");
  assert.equal(formatAddress({ host: "fe80::1%eth0", port: 1 }), "[fe80::1%eth0]:1");
  assert.equal(formatAddress({ path: "/run/chat.sock" }), "/run/chat.sock");
  assert.equal(formatAddress({ path: "" }), "");
});
