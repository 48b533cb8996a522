/**
 * Waits in tests for a condition, with a deadline and a message. Uses the real clock and event loop, also when a test mocks
 * timers.
 *
 * @module
 */
import assert from "node:assert/strict";

const nextTurn = globalThis.setImmediate;
const nextMs = globalThis.setTimeout;
const nowMs = performance.now.bind(performance);

const TIMEOUT_MS = 30_000;
/** After this many turns, the wait pauses 1 ms between checks, which frees the processor. */
const TURNS_MAX = 200;

/** Resolves when the condition holds. Fails with `what` after `timeoutMs`. */
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
 * Resolves when the event loop has had no pending immediates for several turns: everything that needs neither time nor
 * input has happened.
 */
export async function idle(): Promise<void> {
  let quietTurns = 0;
  await until(() => {
    quietTurns = process.getActiveResourcesInfo().includes("Immediate") ? 0 : quietTurns + 1;
    return quietTurns > 2;
  }, "an idle event loop");
}

/** Waits for one turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => nextTurn(resolve));
}
