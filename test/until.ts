/**
 * Waiting in tests: for a condition, with a deadline and a message. The clock and the turns of the event loop are the real ones
 * where a test mocks timers.
 *
 * @module
 */
import assert from "node:assert/strict";

const nextTurn = globalThis.setImmediate;
const nextMs = globalThis.setTimeout;
const nowMs = performance.now.bind(performance);

const TIMEOUT_MS = 30_000;
/** From then on the waiting leaves the processor to what it waits for. */
const TURNS_MAX = 200;

/** Resolves when the condition holds; fails with `what` when it does not within `timeoutMs`. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
  timeoutMs: number = TIMEOUT_MS,
): Promise<void> {
  const endsAtMs = nowMs() + timeoutMs;
  for (let turns = 0; !(await condition()); turns += 1) {
    if (nowMs() > endsAtMs) {
      assert.fail(`Not within ${timeoutMs} ms: ${typeof what === "string" ? what : what()}`);
    }
    await new Promise<void>((resolve) => (turns < TURNS_MAX ? nextTurn(resolve) : nextMs(resolve, 1)));
  }
}

/**
 * Resolves when the event loop has no immediate left to run, twice in a row: all that needs neither time nor input has
 * happened.
 */
export async function idle(): Promise<void> {
  let quietTurns = 0;
  await until(() => {
    quietTurns = process.getActiveResourcesInfo().includes("Immediate") ? 0 : quietTurns + 1;
    return quietTurns > 2;
  }, "an idle event loop");
}

/** Lets the event loop turn once. */
export function turn(): Promise<void> {
  return new Promise((resolve) => nextTurn(resolve));
}
