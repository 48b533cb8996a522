// Messages per second that a log acknowledges, with 1, 50 and 1000 in flight in 10 rooms. Each has its own author and
// ids. The rounds are interleaved. The folder selects the disk.
// Run: node --conditions=@landline/source bench/sqlite-log.ts [FOLDER] [SECONDS]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryRoomLog } from "../packages/server/src/adapters/memory/mod.ts";
import { SqliteRoomLog } from "../packages/server/src/adapters/sqlite/mod.ts";
import type { RoomLog } from "../packages/server/src/hub/mod.ts";

const [base = tmpdir(), seconds = "1"] = process.argv.slice(2);
const ROUNDS = 5;
const ROOMS = 10;
const IN_FLIGHT = [1, 50, 1_000];
const TEXT = "x".repeat(64);

const logs: Readonly<Record<string, (folder: string) => RoomLog | Promise<RoomLog>>> = {
  disk: (folder) => SqliteRoomLog.open({ folder, durability: "disk" }),
  process: (folder) => SqliteRoomLog.open({ folder, durability: "process" }),
  memory: () => new MemoryRoomLog(),
};

interface Round {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of the main thread per message. */
  readonly mainUs: number;
}

const results = new Map<string, Round[]>();
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, open] of Object.entries(logs)) {
    for (const inFlight of IN_FLIGHT) {
      const key = `${name.padEnd(8)} ${String(inFlight).padStart(5)}`;
      results.set(key, [...(results.get(key) ?? []), await measure(open, inFlight)]);
    }
  }
}
for (const [key, rounds] of results) {
  const median = (of: (round: Round) => number) => rounds.map(of).sort((a, b) => a - b)[rounds.length >> 1] as number;
  const rates = rounds.map(({ perSecond }) => Math.round(perSecond));
  const times = `p50 ${median((r) => r.p50Ms).toFixed(2)} ms, p99 ${median((r) => r.p99Ms).toFixed(2)} ms`;
  const spread = `${Math.min(...rates)} to ${Math.max(...rates)}`;
  const main = `${median((r) => r.mainUs).toFixed(2)} us of the main thread`;
  process.stdout.write(`${key}  ${Math.round(median((r) => r.perSecond))}/s (${spread}), ${times}, ${main}\n`);
}

async function measure(open: (folder: string) => RoomLog | Promise<RoomLog>, inFlight: number): Promise<Round> {
  const folder = mkdtempSync(join(base, "landline-bench-"));
  const log = await open(folder);
  log.follow({ entries: () => undefined, lost: () => undefined });
  for (let room = 0; room < ROOMS; room += 1) await log.open(`room${room}`);
  const waits: number[] = [];
  const start = performance.now();
  const before = performance.eventLoopUtilization();
  const end = start + Number(seconds) * 1_000;
  await Promise.all(Array.from({ length: inFlight }, (_, author) => send(log, author, end, waits)));
  const tookMs = performance.now() - start;
  const { active } = performance.eventLoopUtilization(before);
  await log.close();
  rmSync(folder, { recursive: true });
  waits.sort((a, b) => a - b);
  return {
    perSecond: (waits.length / tookMs) * 1_000,
    p50Ms: waits[waits.length >> 1] ?? 0,
    p99Ms: waits[Math.floor(waits.length * 0.99)] ?? 0,
    mainUs: (active / waits.length) * 1_000,
  };
}

async function send(log: RoomLog, author: number, end: number, waits: number[]): Promise<void> {
  const room = `room${author % ROOMS}`;
  const user = { id: `id${author}`, name: `user${author}` };
  for (let i = 0, now = performance.now(); now < end; i += 1) {
    await log.append([{ room, id: `${i}`, kind: "message", author: user, text: TEXT }]);
    const after = performance.now();
    waits.push(after - now);
    now = after;
  }
}
