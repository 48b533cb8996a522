/** Random part of a wait, up or down, so that many clients do not send in step. */
const JITTER = 0.25;

/**
 * Returns the wait after each attempt except the last, in milliseconds. Each wait is twice the previous one, varied by
 * up to a quarter. Without the variation, the waits and one more doubled wait add up to `timeoutMs`. With it, the last
 * attempt still has at least three eighths of `timeoutMs`, so every attempt is sent and can be answered in time.
 *
 * The doubling follows CoAP (RFC 7252, section 4.2) and DNS resolvers.
 */
export function backOff(timeoutMs: number, attempts: number, random: () => number = Math.random): readonly number[] {
  const first = timeoutMs / (2 ** attempts - 1);
  return Array.from({ length: attempts - 1 }, (_, index) => {
    const jitter = 1 - JITTER + 2 * JITTER * random();
    return first * 2 ** index * jitter;
  });
}
