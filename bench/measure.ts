// Shared by the socket benchmarks: options, interleaved rounds and the result table.
import { parseArgs } from "node:util";

/** The results of one run of one variant, by column name. */
export type Sample = Readonly<Record<string, number>>;
/** The samples of each variant, one per round. */
export type Samples = Readonly<Record<string, readonly Sample[]>>;

const { values } = parseArgs({
  // Child processes have other arguments.
  strict: false,
  options: {
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "2" },
    load: { type: "string" },
    peers: { type: "string" },
    only: { type: "string", default: "" },
  },
});

export const options = {
  rounds: Number(values.rounds),
  seconds: Number(values.seconds),
  /** The path of the load generator in C. Without it, `load.ts` is the load. */
  load: values.load as string | undefined,
  /** The folder with the libraries to compare with. */
  peers: values.peers as string | undefined,
  /** Runs only the tables and variants whose title contains this text. */
  only: String(values.only),
};

/** Runs every variant once per round. Each round starts with another variant, so that the order does not favour one. */
export async function takeTurns(
  names: readonly string[],
  run: (name: string, round: number) => Promise<Sample>,
): Promise<Samples> {
  const samples: Record<string, Sample[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < options.rounds; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(round + turn) % names.length] as string;
      samples[name]?.push(await run(name, round));
    }
  }
  return samples;
}

/** Prints medians and their range. A ratio is the median of the ratios to `base` within each round. */
export function printTable(title: string, samples: Samples, base: string): void {
  const columns = Object.keys(samples[base]?.[0] ?? {});
  const heads = columns.flatMap((column) => [column, `to \`${base}\``]);
  console.log(`\n${title}\n\n| variant | ${heads.join(" | ")} |\n|---|${"---|".repeat(heads.length)}`);
  for (const [name, list] of Object.entries(samples)) {
    const cells = columns.flatMap((column) => {
      const values = list.map((sample) => sample[column] ?? Number.NaN);
      const ratios = values.map((value, round) => value / (samples[base]?.[round]?.[column] ?? Number.NaN));
      return [summary(values, (value) => Math.round(value).toLocaleString("en")), summary(ratios, fixed)];
    });
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

function summary(values: readonly number[], format: (value: number) => string): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [low = Number.NaN] = sorted;
  return `${format(median(sorted))} (${format(low)} to ${format(sorted.at(-1) ?? Number.NaN)})`;
}

function median(sorted: readonly number[]): number {
  const upper = sorted[sorted.length >> 1] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[(sorted.length >> 1) - 1] ?? Number.NaN)) / 2;
}

function fixed(value: number): string {
  return value.toFixed(2);
}
