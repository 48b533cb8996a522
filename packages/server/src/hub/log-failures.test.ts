import assert from "node:assert/strict";
import { test } from "node:test";
import { LogFailures } from "./log-failures.ts";
import { RoomLogError, type RoomLogErrorCode } from "./ports/room-log.ts";

test("LogFailures.refusal() maps each failure to a code, and reports a repeated one once a minute", () => {
  const reported: unknown[] = [];
  let now = 0;
  const failures = new LogFailures(
    (error) => reported.push((error as RoomLogError).code ?? String(error)),
    () => now,
  );
  const codeFor = (code: RoomLogErrorCode): string => failures.refusal(new RoomLogError(code, "no")).code;
  assert.deepEqual(
    ["busy", "timeout"].map((code) => codeFor(code as RoomLogErrorCode)),
    ["busy", "busy"],
  );
  assert.deepEqual(reported, []);
  for (let i = 0; i < 3; i += 1) assert.equal(codeFor("storage-full"), "unavailable");
  assert.deepEqual(reported, ["storage-full"]);
  assert.equal(codeFor("io"), "unavailable");
  assert.equal(codeFor("failed"), "internal");
  assert.equal(codeFor("failed"), "internal");
  now = 60_000;
  assert.equal(codeFor("failed"), "internal");
  assert.equal(failures.refusal(new Error("a bug")).code, "internal");
  assert.equal(failures.refusal(new Error("a bug")).code, "internal");
  assert.deepEqual(reported, ["storage-full", "io", "failed", "failed", "Error: a bug", "Error: a bug"]);
});
