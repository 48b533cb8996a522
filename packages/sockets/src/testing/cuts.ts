/**
 * All ways to cut bytes that matter to a decoder: whole, byte by byte, and in two and in three pieces at every place, empty
 * pieces among them. So many that the bytes should be few: 100 bytes are cut in some 5,000 ways.
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
 * Cuts bytes at the places that a generator of tests came up with: in any order, and any whole numbers, as they count
 * modulo the length.
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
