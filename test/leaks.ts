/**
 * Checks that tests leave no socket, server, timer, DNS lookup or thread open, and cause no leak warning of Node.js.
 *
 * @module
 */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach } from "node:test";
import { until } from "./until.ts";

const WARNINGS = new Set(["MaxListenersExceededWarning", "TimeoutOverflowWarning", "TimeoutNegativeWarning"]);

/**
 * Fails if something new is open after each test of this file, or with `"file"` at its end. Use `"file"` if tests share a
 * server: it may open more while it runs, for example a thread for its first search.
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
    // The kernel and threads take a while to close.
    await until(
      () => leftOver(open).length === 0,
      () => `the ${scope} left something open: ${leftOver(open).join(", ")}`,
    );
    assert.deepEqual(warnings.splice(0), [], "Node.js warned of a leak");
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

/** The resources that keep the process alive, except those of the wait above and of the test's output. */
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
