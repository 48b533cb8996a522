import assert from "node:assert/strict";
import { test } from "node:test";
import { lines } from "@landline/sockets";
import { fuzz } from "./fuzz/fuzz.ts";
import { targets } from "./fuzz/targets.ts";

/** `npm run fuzz` uses a million. */
const INPUTS = 5_000;

for (const target of targets) {
  test(`${target.name} decodes ${INPUTS} generated inputs alike for any split`, () => {
    fuzz(target, INPUTS, 1);
  });
}

test("fuzz() reports the failed input and the command that repeats it", () => {
  // This decoder loses the first part of a split line.
  const forgetful = {
    name: "forgetful",
    makeCase: () => ({
      setting: { bytesMax: 5 },
      bytes: Buffer.from("one\ntwo\n"),
      restMax: 5,
      decoder: () => {
        const decoder = () => lines().decoder();
        return {
          decode: (chunk: Uint8Array, framesMax?: number) => decoder().decode(chunk, framesMax),
          end: () => [],
          rest: () => new Uint8Array(0),
        };
      },
    }),
  };
  assert.throws(() => fuzz(forgetful, 100, 7), {
    message:
      /^forgetful \{"bytesMax":5\}: cut into [\d,]+ it gives[\s\S]*in hex: 6f6e650a74776f0a\nagain with: +npm run fuzz -- --inputs 1 --seed \d+ forgetful$/,
  });
});

test("fuzz() detects a decoder that stores more than its limit", () => {
  const greedy = {
    name: "greedy",
    makeCase: () => ({
      setting: {},
      bytes: Buffer.from("more than ten bytes"),
      restMax: 10,
      decoder: () => lines().decoder(),
    }),
  };
  assert.throws(() => fuzz(greedy, 100, 1), /holds \d+ bytes, more than 10/);
});
