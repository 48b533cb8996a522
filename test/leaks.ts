/**
 * The check that a test leaves nothing open: no socket, no server, no timer, no look-up, and no leak warning of Node's.
 *
 * @module
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach } from "node:test";

/** Closing takes the kernel some turns of the event loop; what is open after this many stays open. */
const TURNS_MAX = 2_000;
const WARNINGS = new Set(["MaxListenersExceededWarning", "TimeoutOverflowWarning", "TimeoutNegativeWarning"]);

/** Makes every test of this file fail that leaves something open which was not open before it. */
export function failOnLeaks(): void {
  let before: readonly string[] = [];
  const warnings: Error[] = [];
  process.on("warning", (warning) => {
    if (WARNINGS.has(warning.name)) warnings.push(warning);
  });
  beforeEach(() => {
    before = openResources();
  });
  afterEach(async () => {
    let left = leftOver(before);
    for (let turn = 0; turn < TURNS_MAX && left.length > 0; turn += 1) {
      await new Promise((next) => setImmediate(next));
      left = leftOver(before);
    }
    assert.deepEqual(left, [], "the test left something open");
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
