/**
 * Yields the splits that matter to a decoder: whole, byte by byte, and in two and three pieces at every place,
 * including empty pieces. Use few bytes: 100 bytes have about 5,000 splits.
 *
 * @example
 * ```ts
 * import { cutsOf } from "@landline/sockets/testing";
 * import assert from "node:assert/strict";
 *
 * for (const chunks of cutsOf(Buffer.from("abc"))) assert.equal(Buffer.concat(chunks).toString(), "abc");
 * ```
 */
export function* cutsOf(bytes: Uint8Array): Generator<readonly Uint8Array[], void, void> {
  yield [bytes];
  yield byteByByte(bytes);
  for (let first = 0; first <= bytes.length; first += 1) {
    yield [bytes.subarray(0, first), bytes.subarray(first)];
    for (let second = first; second <= bytes.length; second += 1) {
      yield [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
    }
  }
}

/**
 * Splits bytes at places that a generator chose. A place may be any whole number from 0, in any order: each
 * is taken modulo the length plus one.
 *
 * @example
 * ```ts
 * import { cutAt } from "@landline/sockets/testing";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(cutAt(Buffer.from("abcd"), [3, 1]).map(String), ["a", "bc", "d"]);
 * ```
 */
export function cutAt(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const borders = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return borders.slice(1).map((end, index) => bytes.subarray(borders[index], end));
}

export function byteByByte(bytes: Uint8Array): readonly Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}
