// Connections per second, 16 at a time: connect, send one small message, read its echo, close. The first table compares
// servers, the second clients. CPU time is that of the measured process, which has its own processor.
// Run: node --conditions=@landline/source bench/connections.ts [--rounds 7] [--seconds 2] [--only TEXT]
import net from "node:net";
import { connect } from "@landline/sockets";
import { pulledEcho, pushedEcho, rawEcho } from "./echo-servers.ts";
import { options, printTable, type Sample, takeTurns } from "./measure.ts";
import { type Role, RoleProcess, takeRole } from "./processes.ts";

const host = "127.0.0.1";
const AT_A_TIME = 16;
const WARM_SECONDS = 0.5;
const MESSAGE = Buffer.alloc(64, "x");

const servers: Record<string, Role> = {
  "raw node:net": rawEcho,
  "serve, handlers": pushedEcho,
  "serve, function": pulledEcho,
};

const clients: Record<string, Role> = {
  "net.connect": (port, seconds) => dial(Number(seconds), () => dialRaw(Number(port))),
  connect: (port, seconds) => dial(Number(seconds), () => dialOurs(Number(port))),
};

/** Connects repeatedly. Returns the number of connections after a warm-up. */
async function dial(seconds: number, once: () => Promise<void>): Promise<Sample> {
  await dialFor(WARM_SECONDS, once);
  const { user, system } = process.cpuUsage();
  const start = performance.now();
  const count = await dialFor(seconds, once);
  const ms = performance.now() - start;
  const after = process.cpuUsage();
  return { count, ms, cpuMs: (after.user - user + after.system - system) / 1_000 };
}

async function dialFor(seconds: number, once: () => Promise<void>): Promise<number> {
  const end = performance.now() + seconds * 1_000;
  let count = 0;
  const loops = Array.from({ length: AT_A_TIME }, async () => {
    for (; performance.now() < end; count += 1) await once();
  });
  await Promise.all(loops);
  return count;
}

function dialRaw(port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const echo: Buffer[] = [];
  const socket = net.connect({ port, host, noDelay: true });
  socket.on("data", (chunk) => {
    if (echo.push(chunk) && Buffer.concat(echo).length === MESSAGE.length) socket.end();
  });
  socket.on("error", reject);
  socket.on("close", () => resolve(check(Buffer.concat(echo))));
  socket.write(MESSAGE);
  return promise;
}

async function dialOurs(port: number): Promise<void> {
  await using connection = await connect({ host, port });
  connection.send(MESSAGE);
  check(await connection.readExactly(MESSAGE.length));
}

function check(echo: Uint8Array): void {
  if (!MESSAGE.equals(echo)) throw new Error(`Wrong bytes in the echo: ${echo.length} of ${MESSAGE.length}`);
}

/** Both the server's CPU time and the number of connections include the client's warm-up. */
async function measureServer(name: string): Promise<Sample> {
  await using server = await RoleProcess.start([name]);
  const before = await server.usage();
  await using client = await RoleProcess.start(["net.connect", String(server.said.port), String(options.seconds)], {
    core: 1,
  });
  const { count = 0, ms = 0 } = client.said;
  const { cpuMs } = await server.usage();
  const dialled = (count * (ms + WARM_SECONDS * 1_000)) / ms;
  return { "per second": (count * 1_000) / ms, "per server CPU second": (dialled * 1_000) / (cpuMs - before.cpuMs) };
}

async function measureClient(name: string): Promise<Sample> {
  await using server = await RoleProcess.start(["raw node:net"], { core: 1 });
  await using client = await RoleProcess.start([name, String(server.said.port), String(options.seconds)]);
  const { count = 0, ms = 0, cpuMs = 0 } = client.said;
  return { "per second": (count * 1_000) / ms, "per client CPU second": (count * 1_000) / cpuMs };
}

if (!(await takeRole({ ...servers, ...clients }))) {
  const questions = [
    { title: "Servers", names: servers, measure: measureServer, base: "raw node:net" },
    { title: "Clients", names: clients, measure: measureClient, base: "net.connect" },
  ];
  for (const { title, names, measure, base } of questions) {
    if (title.includes(options.only)) printTable(title, await takeTurns(Object.keys(names), measure), base);
  }
}
