// Memory per idle connection: 10,000 connections, each after one message and its echo. Another process holds the client
// side. Measures memory before and with the connections, after a garbage collection.
// Run: node --conditions=@landline/source bench/memory.ts [--connections 10000] [--rounds 7]
import net from "node:net";
import { parseArgs } from "node:util";
import { serve } from "@landline/sockets";
import { pulledEcho, pushedEcho, rawEcho, rawPulledEcho } from "./echo-servers.ts";
import { printTable, type Sample, takeTurns } from "./measure.ts";
import { portOf, type Role, RoleProcess, takeRole } from "./processes.ts";

const host = "127.0.0.1";
/** Connections opened at once. */
const AT_A_TIME = 100;
/** File descriptors that a process needs besides its connections. */
const OTHER_FILES = 100;
const MESSAGE = Buffer.alloc(64, "x");

const { values } = parseArgs({ strict: false, options: { connections: { type: "string", default: "10000" } } });
const connections = Number(values.connections);

const servers: Record<string, Role> = {
  "raw node:net": rawEcho,
  "raw node:net, for await": rawPulledEcho,
  "serve, handlers": pushedEcho,
  "serve, for await": pulledEcho,
  "serve, read": async () =>
    portOf(
      await serve({ host }, async (connection) => {
        for (let chunk = await connection.read(); chunk !== null; chunk = await connection.read()) {
          await connection.write(chunk);
        }
      }),
    ),
};

const roles: Record<string, Role> = { ...servers, hold: (port, count) => hold(Number(port), Number(count)) };

/** Opens and holds `count` connections. */
async function hold(port: number, count: number): Promise<{ held: number }> {
  const held: net.Socket[] = [];
  for (let left = count; left > 0; left -= AT_A_TIME) {
    held.push(...(await Promise.all(Array.from({ length: Math.min(left, AT_A_TIME) }, () => open(port)))));
  }
  return { held: held.length };
}

/** Connects and waits for one echo. */
function open(port: number): Promise<net.Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<net.Socket>();
  const socket = net.connect({ port, host });
  let received = 0;
  socket.on("data", (chunk) => {
    received += chunk.length;
    if (received === MESSAGE.length) resolve(socket);
  });
  socket.on("error", reject);
  socket.on("close", () => reject(new Error("The server closed a connection")));
  socket.write(MESSAGE);
  return promise;
}

async function measure(name: string): Promise<Sample> {
  await using server = await RoleProcess.start([name], { flags: ["--expose-gc"] });
  const port = String(server.said.port);
  // The first connection pays for loading and compiling code. Do not count it.
  await using _first = await RoleProcess.start(["hold", port, "1"], { core: 1 });
  const before = await server.usage();
  await using _others = await RoleProcess.start(["hold", port, String(connections)], { core: 1 });
  const after = await server.usage();
  return {
    "bytes held by JavaScript": (after.heapBytes - before.heapBytes) / connections,
    "bytes of resident memory": (after.rssBytes - before.rssBytes) / connections,
    "of the whole process, KiB": after.rssBytes / 1_024,
  };
}

/** The limit of file descriptors, where Node can tell. */
function filesMax(): number {
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | "unlimited" } } };
  const { soft } = report.userLimits?.open_files ?? {};
  return typeof soft === "number" ? soft : Number.POSITIVE_INFINITY;
}

if (!(await takeRole(roles))) {
  const needed = connections + OTHER_FILES;
  if (filesMax() < needed) {
    console.error(
      `${connections} connections need ${needed} open files, the limit is ${filesMax()}: ulimit -n ${needed}`,
    );
    process.exit(1);
  }
  const samples = await takeTurns(Object.keys(servers), measure);
  printTable(`Each of ${connections.toLocaleString("en")} idle connections`, samples, "raw node:net");
}
