/**
 * The seed of a test file's random inputs. A file that used the seed and failed prints it at the end. `SEED=… npm test --
 * FILE` repeats the run.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import fc from "fast-check";

let isUsed = false;
const value = process.env.SEED ? Number(process.env.SEED) : randomBytes(4).readInt32BE();

/** The seed for this process. */
export function seed(): number {
  if (!isUsed) {
    isUsed = true;
    process.once("exit", (code) => {
      if (code !== 0) process.stderr.write(`The random inputs of ${process.argv[1]} came from SEED=${value}\n`);
    });
  }
  return value;
}

/** A seeded generator of numbers from 0 up to, not including, 1 (mulberry32). */
export function seededRandom(from: number = seed()): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The default seed of all fast-check properties. */
fc.configureGlobal({ seed: seed() });

export { fc };
