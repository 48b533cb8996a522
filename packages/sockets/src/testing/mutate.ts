import type { SeededRandom } from "./seeded-random.ts";

/**
 * Damages bytes one to three times: changes a byte or a bit, removes or repeats a part, cuts off the end, or inserts
 * one of `tokens`.
 */
export function mutate(random: SeededRandom, bytes: Uint8Array, tokens: readonly Uint8Array[] = []): Buffer {
  let mutated: Buffer = Buffer.from(bytes);
  for (let times = 1 + random.below(3); times > 0; times -= 1) mutated = mutateOnce(random, mutated, tokens);
  return mutated;
}

function mutateOnce(random: SeededRandom, bytes: Buffer, tokens: readonly Uint8Array[]): Buffer {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + random.below(8));
  switch (random.below(tokens.length > 0 ? 7 : 5)) {
    case 0:
      if (at < bytes.length) bytes[at] = random.below(256);
      return bytes;
    case 1:
      // Flip one bit: a digit becomes its neighbour, a length becomes huge.
      if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << random.below(8));
      return bytes;
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
    case 4:
      return bytes.subarray(0, at);
    default:
      return Buffer.concat([bytes.subarray(0, at), random.pick(tokens), bytes.subarray(random.oneIn(2) ? at : end)]);
  }
}
