/** A wait is made shorter or longer by up to this part of itself, so that many clients do not ask in step. */
const JITTER = 0.25;

/**
 * How long to wait after each attempt but the last, in milliseconds. Each wait is twice the one before, give or take a
 * quarter at random. Without the quarter, the waits and one more would add up to `timeoutMs`; with it, the last attempt
 * has at least three eighths of `timeoutMs` left, so every attempt is made and can be answered in time.
 *
 * The doubling is that of CoAP (RFC 7252, section 4.2) and DNS resolvers.
 */
export function backOff(timeoutMs: number, attempts: number, random: () => number = Math.random): readonly number[] {
  const first = timeoutMs / (2 ** attempts - 1);
  return Array.from({ length: attempts - 1 }, (_, index) => {
    const jitter = 1 - JITTER + 2 * JITTER * random();
    return first * 2 ** index * jitter;
  });
}
