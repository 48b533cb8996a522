/**
 * The check that tests leave nothing open: no socket, no server, no timer, no look-up, no thread, and no leak warning of Node's.
 *
 * @module
 */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach } from "node:test";
import { until } from "./until.ts";

const WARNINGS = new Set(["MaxListenersExceededWarning", "TimeoutOverflowWarning", "TimeoutNegativeWarning"]);

/**
 * Fails when something is open that was not open before: after each test of this file, or at its end. A file whose tests share a
 * server says `"file"`: the server may open more while it runs, a thread for its first search for example.
 */
export function failOnLeaks(scope: "test" | "file" = "test"): void {
  let open: readonly string[] = [];
  const warnings: Error[] = [];
  process.on("warning", (warning) => {
    if (WARNINGS.has(warning.name)) warnings.push(warning);
  });
  const [begin, end] = scope === "test" ? [beforeEach, afterEach] : [before, after];
  begin(() => {
    open = openResources();
  });
  end(async () => {
    // Closing takes the kernel and threads a while.
    await until(
      () => leftOver(open).length === 0,
      () => `the ${scope} left something open: ${leftOver(open).join(", ")}`,
    );
    assert.deepEqual(warnings.splice(0), [], "Node warned of a leak");
  });
}

function leftOver(before: readonly string[]): string[] {
  const rest = [...before];
  return openResources().filter((resource) => {
    const index = rest.indexOf(resource);
    if (index !== -1) rest.splice(index, 1);
    return index === -1;
  });
}

/** What keeps the process alive, without what the waiting above and the test's own output need. */
function openResources(): readonly string[] {
  const own = new Set([
    "Immediate",
    "TickObject",
    "Microtask",
    "WriteWrap",
    "TTYWrap",
    "FSReqCallback",
    "FSReqPromise",
  ]);
  return process.getActiveResourcesInfo().filter((resource) => !own.has(resource));
}
