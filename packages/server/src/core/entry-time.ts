/** How far the newest entry's time may be ahead of the clock, in milliseconds. Past this, it is ignored. */
export const AHEAD_MAX_MS = 604_800_000;

/**
 * Returns the time of an entry that follows one at `lastAt`. Times of a room do not decrease, even if the clock is
 * set back. A time too far ahead (`AHEAD_MAX_MS`) is ignored, or one wrong clock would set the time of all later
 * entries.
 */
export function timeAfter(lastAt: number, now: number): number {
  return lastAt > now + AHEAD_MAX_MS ? now : Math.max(now, lastAt);
}
