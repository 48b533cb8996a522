import assert from "node:assert/strict";
import { test } from "node:test";
import { formatStateChange } from "./trace.ts";

const AT = new Date(2026, 0, 2, 3, 4, 5, 6).getTime();

test("formatStateChange() tells when, what and why in columns", () => {
  const local = { host: "127.0.0.1", port: 50_000 };
  const remote = { host: "::1", port: 80 };
  assert.equal(
    formatStateChange("connection", {
      id: 3,
      from: "established",
      to: "half-closed-remote",
      at: AT,
      local,
      remote,
      reason: "the peer finished",
    }),
    "03:04:05.006  connection #3           established -> half-closed-remote  127.0.0.1:50000 -> [::1]:80  (the peer finished)",
  );
  assert.equal(
    formatStateChange("listener", {
      id: 12,
      from: "created",
      to: "listening",
      at: AT,
      local,
      remote: undefined,
      reason: undefined,
    }),
    "03:04:05.006  listener #12                created -> listening           127.0.0.1:50000",
  );
});

test("formatStateChange() keeps what is not known and what is not safe apart", () => {
  const change = {
    id: 1,
    from: "created",
    to: "connecting",
    at: AT,
    local: undefined,
    remote: { path: "/s" },
  } as const;
  assert.match(formatStateChange("connection", { ...change, reason: "bad\n\x1b" }), / {2}\? -> \/s {2}\(bad␊␛\)$/);
});
