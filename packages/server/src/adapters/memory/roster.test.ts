import { ROSTER_LIMITS, rosterSuite } from "../../../../../test/suites/roster-suite.ts";
import { MemoryRoster, RosterStore } from "./mod.ts";

/** Shorter than the interval in which nodes renew their leases. */
const STEP_MS = 1_000;

rosterSuite("MemoryRoster", (nodes) => {
  const { leaseMs } = ROSTER_LIMITS;
  // Every node has a clock of its own.
  let nowMs = 0;
  const store = new RosterStore({ limits: ROSTER_LIMITS, now: () => nowMs });
  const views = Array.from({ length: nodes }, (_, i) => {
    const lease = { leaseMs, now: () => nowMs + 1_000_000 * (i + 1) };
    return new MemoryRoster(store, nodes === 1 ? undefined : lease);
  });
  return {
    views,
    pass: (ms, awake = views) => {
      for (let passed = 0; passed < ms; passed += STEP_MS) {
        nowMs += Math.min(STEP_MS, ms - passed);
        for (const view of awake) view.sweep();
      }
    },
  };
});
