/**
 * Damages valid streams.
 *
 * @module
 */
import { mutate } from "../../packages/sockets/src/testing/mutate.ts";
import type { SeededRandom } from "../../packages/sockets/src/testing/seeded-random.ts";

/** Returns the stream unchanged (a third of the calls), damaged (half of them), or random bytes. */
export function roughly(random: SeededRandom, bytes: Buffer, tokens: readonly Uint8Array[] = []): Buffer {
  const dice = random.below(6);
  if (dice < 2) return bytes;
  return dice < 5 ? mutate(random, bytes, tokens) : random.bytes(random.below(40));
}

export function texts(...list: string[]): readonly Buffer[] {
  return list.map((text) => Buffer.from(text, "latin1"));
}
