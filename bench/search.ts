// The cost of searches for other clients, and their latency. 50 senders in 10 rooms have one message in flight each,
// while one client searches a room of a million messages without a pause. The log is on disk. The million messages
// are indexed before the measurement starts.
// Run: node --conditions=@landline/source bench/search.ts [--messages 1000000] [--data DIR] [--rounds 7] [--seconds 2]
// [--only TEXT]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startServer } from "@landline/server";
import { Asker, type NextRequest } from "./asker.ts";
import { fillRoom } from "./filled-log.ts";
import { Latencies } from "./latencies.ts";
import { options, printTable, type Sample, type Samples, takeTurns } from "./measure.ts";
import { portOf, type Role, RoleProcess, takeRole } from "./processes.ts";
import { randomNumbers, textOf, WORDS, wordAt } from "./words.ts";

const SENDERS = 50;
const ROOMS = 10;
const SEARCHED = "room0";
const WARM_SECONDS = 0.5;
const BASELINE = "no searches";

const { values } = parseArgs({
  strict: false,
  options: { messages: { type: "string", default: "1000000" }, data: { type: "string" } },
});

const random = randomNumbers(process.pid);
const within = (from: number, to: number) => wordAt(from + Math.floor(random() * (to - from)));

/** The queries. Each search uses other words. */
const queries: Record<string, () => string> = {
  "rare words": () => within(WORDS / 2, WORDS),
  "frequent words": () => within(0, 10),
  "two words": () => `${within(100, 1_000)} ${within(100, 1_000)}`,
  "beginnings of words": () => within(0, WORDS).slice(0, 1),
};

const roles: Record<string, Role> = {
  server: async (data) =>
    portOf(await startServer({ host: "127.0.0.1", port: 0, data: String(data), durability: "disk", rates: "off" })),
  load: (port, query, seconds) => load(Number(port), queries[String(query)], Number(seconds)),
};

async function load(port: number, query: (() => string) | undefined, seconds: number): Promise<Sample> {
  const senders = await Promise.all(
    Array.from({ length: SENDERS }, (_, index) => Asker.enter(port, `sender${index}`, roomOf(index))),
  );
  const searcher = await Asker.enter(port, "searcher", SEARCHED);
  const send = (forSeconds: number, latencies: Latencies) =>
    Promise.all(
      senders.map((sender, index) => sender.askFor(forSeconds, () => said(index, textOf(9, random)), latencies)),
    );
  await send(WARM_SECONDS, new Latencies());

  const acknowledged = new Latencies();
  const found = new Latencies();
  const search: NextRequest = () => ({ type: "search", room: SEARCHED, query: query?.() });
  const begin = performance.now();
  const searching = query === undefined ? undefined : searcher.askFor(seconds, search, found);
  await send(seconds, acknowledged);
  const sentMs = performance.now() - begin;
  await searching;
  return {
    acks: (acknowledged.count * 1_000) / sentMs,
    ackP50: acknowledged.within(0.5),
    ackP99: acknowledged.within(0.99),
    ackWorst: acknowledged.within(1),
    searches: (found.count * 1_000) / (performance.now() - begin),
    searchP50: found.within(0.5),
    searchP99: found.within(0.99),
  };
}

function said(index: number, message: string): object {
  return { type: "chat", room: roomOf(index), message };
}

function roomOf(index: number): string {
  return `room${index % ROOMS}`;
}

async function measure(data: string, name: string): Promise<Sample> {
  await using server = await RoleProcess.start(["server", data]);
  await using client = await RoleProcess.start(["load", String(server.said.port), name, String(options.seconds)], {
    core: 1,
  });
  return client.said;
}

/** Selects variants and columns, and renames the columns. */
function part(samples: Samples, names: readonly string[], columns: Readonly<Record<string, string>>): Samples {
  const pick = (sample: Sample) =>
    Object.fromEntries(Object.entries(columns).map(([key, head]) => [head, sample[key] ?? Number.NaN]));
  return Object.fromEntries(names.map((name) => [name, (samples[name] ?? []).map(pick)]));
}

if (!(await takeRole(roles))) {
  const data = (values.data as string | undefined) ?? mkdtempSync(join(tmpdir(), "landline-bench-"));
  const messages = Number(values.messages);
  try {
    await fillRoom(data, SEARCHED, messages);
    const searches = Object.keys(queries).filter((name) => name.includes(options.only));
    const samples = await takeTurns([BASELINE, ...searches], (name) => measure(data, name));
    printTable(
      `Acknowledgements of ${SENDERS} senders beside one who searches ${messages.toLocaleString("en")} messages`,
      part(samples, [BASELINE, ...searches], {
        acks: "per second",
        ackP50: "p50, µs",
        ackP99: "p99, µs",
        ackWorst: "worst, µs",
      }),
      BASELINE,
    );
    printTable(
      "The searches",
      part(samples, searches, { searches: "per second", searchP50: "p50, µs", searchP99: "p99, µs" }),
      searches[0] ?? BASELINE,
    );
  } finally {
    if (values.data === undefined) rmSync(data, { recursive: true });
  }
}
