/**
 * JSON texts for the fuzzer: sequences of values with separators.
 *
 * @module
 */
import type { SeededRandom } from "../../packages/sockets/src/testing/seeded-random.ts";

const ATOMS = [
  "0",
  "-1",
  "12",
  "2.5e+3",
  "1E-2",
  "true",
  "false",
  "null",
  '""',
  '"ab"',
  '"é€"',
  '"\\"\\\\"',
  '"\\ud83d"',
];
const BETWEEN = ["", "", " ", "\n", "\r\n", "\t"];

/** Characters that break JSON in the wrong place. */
export const jsonTokens: readonly Buffer[] = [
  ...['"', "\\", "{", "}", "[", "]", ":", ",", "\n", "{", "-", ".", "e", "tru", "x", "\x01", "\\u12"].map((text) =>
    Buffer.from(text),
  ),
  Buffer.of(0xe2, 0x82),
  Buffer.of(0xff),
];

export function jsonText(random: SeededRandom): Buffer {
  let text = "";
  for (let count = random.below(5); count > 0; count -= 1) text += value(random, 3) + random.pick(BETWEEN);
  return Buffer.from(text);
}

function value(random: SeededRandom, depth: number): string {
  if (depth === 0 || random.oneIn(3)) return random.pick(ATOMS);
  const gap = random.pick(BETWEEN);
  const items = Array.from({ length: random.below(4) }, (_, index) => {
    const item = value(random, depth - 1);
    return { item, entry: `"k${index}"${gap}:${gap}${item}` };
  });
  if (random.oneIn(2)) return `[${gap}${items.map(({ item }) => item).join(`${gap},`)}${gap}]`;
  return `{${gap}${items.map(({ entry }) => entry).join(`${gap},`)}${gap}}`;
}
