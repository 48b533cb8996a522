// The effect of one hostile client on others. Ten clients ping and ten chat in one room, each with one request in flight,
// while one hostile client of each kind runs. The server has its default settings and a log on disk. `--rates off` shows
// the effect of the rate limits. Two columns show a stall: the worst latency, and the CPU time of the longest turn of
// the server's event loop. Other load on the machine hardly changes the latter.
// Run: node --conditions=@landline/source bench/hostile.ts [--rates off] [--rounds 7] [--seconds 2] [--only TEXT]
import { mkdtempSync, rmSync } from "node:fs";
import { constants, setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startServer } from "@landline/server";
import { Asker, type NextRequest } from "./asker.ts";
import { fillRoom } from "./filled-log.ts";
import { beHostile, type HostileClient, hostileClients, ROOMS } from "./hostile-clients.ts";
import { Latencies } from "./latencies.ts";
import { noteLongestTurn, readLongestTurn } from "./longest-turn.ts";
import { options, printTable, type Sample, takeTurns } from "./measure.ts";
import { portOf, type Role, RoleProcess, takeRole } from "./processes.ts";

const BASELINE = "no hostile client";
const CLIENTS = 10;
/** The pause between a response and the next request, so that no rate limit refuses it. */
const PING_PAUSE_MS = 60;
const CHAT_PAUSE_MS = 25;
const WARM_SECONDS = 0.5;
/** The number of messages in the searched room, and the number and length of the long messages. */
const SEARCHED_MESSAGES = 100_000;
const LONG_MESSAGES = 1_000;
const LONG_WORDS = 700;

const { values } = parseArgs({ strict: false, options: { rates: { type: "string", default: "on" } } });

const roles: Record<string, Role> = {
  server: async (data, rates) => {
    const server = await startServer({ host: "127.0.0.1", port: 0, data: String(data), rates: rates as "on" | "off" });
    noteLongestTurn(turnFile(String(data)));
    return portOf(server);
  },
  hostile: async (name, port) => {
    // It shares a processor with the measured clients. The low priority keeps it from delaying them.
    setPriority(constants.priority.PRIORITY_LOW);
    void beHostile(Number(port), hostileClients[String(name)] as HostileClient);
    return {};
  },
  others: (port, seconds) => beside(Number(port), Number(seconds)),
};

async function beside(port: number, seconds: number): Promise<Sample> {
  const enter = (name: string) =>
    Promise.all(Array.from({ length: CLIENTS }, (_, i) => Asker.enter(port, `${name}${i}`, ROOMS.searched)));
  const [pinging, chatting] = await Promise.all([enter("pinging"), enter("chatting")]);
  const askAll = (clients: readonly Asker[], forSeconds: number, next: NextRequest, pauseMs: number) => {
    const latencies = new Latencies();
    return Promise.all(clients.map((client) => client.askFor(forSeconds, next, latencies, pauseMs))).then(
      () => latencies,
    );
  };
  const both = (forSeconds: number) =>
    Promise.all([
      askAll(pinging, forSeconds, () => ({ type: "ping" }), PING_PAUSE_MS),
      askAll(chatting, forSeconds, () => ({ type: "chat", message: "hello everyone" }), CHAT_PAUSE_MS),
    ]);
  await both(WARM_SECONDS);
  const [pings, chats] = await both(seconds);
  return {
    "worst ping, µs": pings.within(1),
    "p99, µs": pings.within(0.99),
    "worst acknowledgement, µs": chats.within(1),
    "its p99, µs": chats.within(0.99),
  };
}

async function measure(data: string, name: string): Promise<Sample> {
  const sample = await measureOthers(data, name);
  return { ...sample, "longest turn, µs of CPU": readLongestTurn(turnFile(data)) };
}

async function measureOthers(data: string, name: string): Promise<Sample> {
  await using server = await RoleProcess.start(["server", data, String(values.rates)]);
  const port = String(server.said.port);
  await using _hostile = name === BASELINE ? undefined : await RoleProcess.start(["hostile", name, port], { core: 1 });
  const before = await server.usage();
  const beganMs = performance.now();
  await using others = await RoleProcess.start(["others", port, String(options.seconds)], { core: 1 });
  const { cpuMs } = await server.usage();
  const cpu = ((cpuMs - before.cpuMs) * 1_000) / (performance.now() - beganMs);
  return { ...others.said, "server CPU, ms a second": cpu };
}

function turnFile(data: string): string {
  return join(data, "longest-turn");
}

if (!(await takeRole(roles))) {
  const data = mkdtempSync(join(tmpdir(), "landline-bench-"));
  try {
    await fillRoom(data, ROOMS.searched, SEARCHED_MESSAGES);
    await fillRoom(data, ROOMS.long, LONG_MESSAGES, LONG_WORDS);
    const names = [BASELINE, ...Object.keys(hostileClients).filter((name) => name.includes(options.only))];
    printTable("Beside a hostile client", await takeTurns(names, (name) => measure(data, name)), BASELINE);
  } finally {
    rmSync(data, { recursive: true });
  }
}
