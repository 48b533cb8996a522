/**
 * The long run: `npm run fuzz -- [--inputs N] [--seed S] [codec ...]`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { fuzz } from "./fuzz.ts";
import { targets } from "./targets.ts";

const INPUTS = 1_000_000;

const { values, positionals } = parseArgs({
  options: { inputs: { type: "string" }, seed: { type: "string" } },
  allowPositionals: true,
});
const inputs = wholeNumber("--inputs", values.inputs ?? String(INPUTS));
const seed = wholeNumber("--seed", values.seed ?? String(Date.now() % 2 ** 31));
const unknown = positionals.filter((name) => targets.every((target) => target.name !== name));
if (unknown.length > 0) fail(`no codec ${unknown}; there are ${targets.map(({ name }) => name).join(", ")}`);

process.stdout.write(`seed ${seed}\n`);
for (const target of targets) {
  if (positionals.length > 0 && !positionals.includes(target.name)) continue;
  const begun = performance.now();
  try {
    fuzz(target, inputs, seed);
  } catch (error) {
    fail((error as Error).message);
  }
  process.stdout.write(`${target.name}: ${inputs} inputs in ${((performance.now() - begun) / 1_000).toFixed(1)} s\n`);
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) fail(`${option} must be a whole number: ${text}`);
  return value;
}

function fail(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}
