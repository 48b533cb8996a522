// Memory per idle room member: 10,000 members in 1,000 rooms, compared with a plain `node:net` server that holds as many
// sockets. Measures memory before the members join and while they are there. Each measurement first collects garbage and
// makes V8 release its free memory: after the joins, that is twice what the members hold. The log is in memory and empty.
// Run: node --conditions=@landline/source bench/members.ts [--connections 10000] [--rounds 7]
import { once } from "node:events";
import net from "node:net";
import { parseArgs } from "node:util";
import { startServer } from "@landline/server";
import { printTable, type Sample, type Samples, takeTurns } from "./measure.ts";
import { listen, portOf, type Role, RoleProcess, takeRole } from "./processes.ts";

const ROOM_MEMBERS = 10;
const BARE = "bare node:net";
/** Connections opened at once. */
const AT_A_TIME = 100;
/** Longer than a run, so that the server sends no pings. */
const NEVER_MS = 3_600_000;

const { values } = parseArgs({ strict: false, options: { connections: { type: "string", default: "10000" } } });
const members = Number(values.connections);

interface Variant {
  readonly server: Role;
  /** The requests that join a room, and the start of the response that confirms it. */
  readonly enter: (username: string, room: string) => string;
  readonly entered: string;
}

/** Makes V8 release its free memory to the system before each measurement. */
function giveBackFirst(): void {
  process.on("message", () => globalThis.gc?.({ type: "major", execution: "sync", flavor: "last-resort" }));
}

const chatServer: Role = async () => {
  giveBackFirst();
  const limits = { pingMs: NEVER_MS, joinTimeoutMs: NEVER_MS };
  return portOf(await startServer({ host: "127.0.0.1", port: 0, rates: "off", connectionsMax: members + 1, limits }));
};

/** Responds like a room server, but keeps no rooms. */
const bareServer: Role = () => {
  giveBackFirst();
  const sockets = new Set<net.Socket>();
  return listen(
    net.createServer({ noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
      socket.on("data", () => socket.write('{"type":"notification"}\n'));
    }),
  );
};

const joinV1 = (username: string, room: string) => `${JSON.stringify({ type: "join", room, username })}\n`;
const joinV2 = (username: string, room: string) =>
  `${JSON.stringify({ type: "hello", version: 2 })}\n${JSON.stringify({ type: "join", id: "1", room, username })}\n`;

const variants: Record<string, Variant> = {
  [BARE]: { server: bareServer, enter: joinV1, entered: '{"type":"notification"' },
  "version 1": { server: chatServer, enter: joinV1, entered: '{"type":"notification"' },
  "version 2": { server: chatServer, enter: joinV2, entered: '{"type":"joined"' },
};

const roles: Record<string, Role> = {
  ...Object.fromEntries(Object.entries(variants).map(([name, { server }]) => [name, server])),
  hold: (name, port, from, to) => hold(variants[String(name)] as Variant, Number(port), Number(from), Number(to)),
};

/** Opens and holds the connections of the members `from` to `to - 1`. */
async function hold(variant: Variant, port: number, from: number, to: number): Promise<{ held: number }> {
  const held: net.Socket[] = [];
  for (let next = from; next < to; next += AT_A_TIME) {
    const group = Array.from({ length: Math.min(AT_A_TIME, to - next) }, (_, i) => enter(variant, port, next + i));
    held.push(...(await Promise.all(group)));
  }
  return { held: held.length };
}

/** Connects a member and joins its room. */
async function enter({ enter, entered }: Variant, port: number, index: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  socket.write(enter(`member${index}`, `room${Math.floor(index / ROOM_MEMBERS)}`));
  let text = "";
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += chunk;
    if (text.includes(entered)) break;
  }
  if (!text.includes(entered)) throw new Error(`The server accepted no client: ${text}`);
  socket.resume();
  return socket;
}

async function measure(name: string): Promise<Sample> {
  await using server = await RoleProcess.start([name], { flags: ["--expose-gc"] });
  const port = String(server.said.port);
  const hold = (from: number, to: number) =>
    RoleProcess.start(["hold", name, port, String(from), String(to)], { core: 1 });
  // The first member pays for loading and compiling code. Do not count it.
  await using _first = await hold(members, members + 1);
  const before = await server.usage();
  await using _others = await hold(0, members);
  const after = await server.usage();
  return {
    "bytes held by JavaScript": (after.heapBytes - before.heapBytes) / members,
    "bytes of resident memory": (after.rssBytes - before.rssBytes) / members,
  };
}

/** Subtracts the memory of the bare sockets of the same round. */
function aboveBare({ [BARE]: bare = [], ...others }: Samples): Samples {
  const less = (sample: Sample, round: number) =>
    Object.fromEntries(Object.entries(sample).map(([key, bytes]) => [key, bytes - (bare[round]?.[key] ?? Number.NaN)]));
  return Object.fromEntries(Object.entries(others).map(([name, list]) => [name, list.map(less)]));
}

if (!(await takeRole(roles))) {
  const samples = await takeTurns(Object.keys(variants), measure);
  printTable(`Each of ${members.toLocaleString("en")} idle members in rooms of ${ROOM_MEMBERS}`, samples, BARE);
  printTable("And above a bare socket", aboveBare(samples), "version 1");
}
