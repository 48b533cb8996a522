// The processes of a benchmark. The measured process runs on the first processor, the load on the second. The file of the
// benchmark also runs each of its processes, with `--role NAME`. They communicate through Node's IPC channel.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type net from "node:net";
import { availableParallelism } from "node:os";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { options } from "./measure.ts";

/**
 * Runs or starts the work of a process. Returns facts for the benchmark: its port, its counts, or the `pid` of another
 * process that does the work.
 */
export type Role = (...args: readonly string[]) => Promise<Readonly<Record<string, number>>>;

export interface Usage {
  readonly cpuMs: number;
  readonly rssBytes: number;
  /** Memory held by JavaScript: objects, and buffers outside the heap. */
  readonly heapBytes: number;
}

const SOURCE_FLAGS = ["--conditions=@landline/source", "--disable-warning=ExperimentalWarning"];
const canPin = availableParallelism() > 1 && spawnSync("taskset", ["--version"]).status === 0;
const loadFile = fileURLToPath(new URL("load.ts", import.meta.url));

/** Runs the role that the command line names. Returns false without one: then the caller is the benchmark. */
export async function takeRole(roles: Readonly<Record<string, Role>>): Promise<boolean> {
  const [flag, name = "", ...args] = process.argv.slice(2);
  if (flag !== "--role") return false;
  process.on("disconnect", () => process.exit());
  const said = await roles[name]?.(...args);
  process.on("message", () => process.send?.(usage(said?.pid)));
  process.send?.(said);
  return true;
}

/** A process of the running benchmark. */
export class RoleProcess implements AsyncDisposable {
  /** The facts that the role returned. */
  readonly said: Readonly<Record<string, number>>;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, said: Readonly<Record<string, number>>) {
    this.#process = process;
    this.said = said;
  }

  static async start(
    role: readonly string[],
    { core = 0, flags = [] }: { core?: 0 | 1; flags?: readonly string[] } = {},
  ): Promise<RoleProcess> {
    const [, file = ""] = process.argv;
    const [command, ...args] = pinned(core, [...nodeCommand(flags), file, "--role", ...role]);
    const child = spawn(command as string, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    return new RoleProcess(child, (await answer(child, role.join(" "))) as Readonly<Record<string, number>>);
  }

  async usage(): Promise<Usage> {
    const answered = answer(this.#process, "process");
    this.#process.send("usage");
    return (await answered) as Usage;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.disconnect();
    await exited;
  }
}

/** Runs a server and a load against it. `load`: the arguments of the generator without port and duration. */
export async function measureServer(
  role: readonly string[],
  load: readonly string[],
  flags: readonly string[] = [],
): Promise<Record<string, number>> {
  await using server = await RoleProcess.start(role, { flags });
  const args = ["-p", String(server.said.port), ...load];
  // Warm up with `load.ts`, which compares every byte, also when another generator measures.
  await runLoad([...nodeCommand([]), loadFile], [...args, "-d", "0.5"]);
  const before = await server.usage();
  const rate = await runLoad(options.load === undefined ? [...nodeCommand([]), loadFile] : [options.load], [
    ...args,
    "-d",
    String(options.seconds),
  ]);
  const { cpuMs } = await server.usage();
  const perCpuSecond = (rate * options.seconds * 1_000) / (cpuMs - before.cpuMs);
  return { "per second": rate, "per server CPU second": perCpuSecond };
}

/** Starts a plain server. Returns its port. */
export async function listen(server: net.Server): Promise<{ port: number }> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as net.AddressInfo).port };
}

/** The port of a Landline server or socket. */
export function portOf({ address }: { readonly address: object }): { port: number } {
  return address as { port: number };
}

async function runLoad(load: readonly string[], args: readonly string[]): Promise<number> {
  const [command, ...rest] = pinned(1, [...load, ...args]);
  const child = spawn(command as string, rest, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const output = await text(child.stdout);
  const [status] = await exited;
  const rate = Number(/(\d+) msg\/s/.exec(output)?.[1]);
  if (status !== 0 || output.includes("LOST") || !(rate > 0))
    throw new Error(`The load failed: ${command} ${rest.join(" ")}\n${output}`);
  return rate;
}

/** The child's next message. The benchmark fails if the child ends first. */
async function answer(child: ChildProcess, name: string): Promise<unknown> {
  const over = new AbortController();
  const ended = once(child, "exit", { signal: over.signal }).then(([status]) => {
    throw new Error(`${name} ended with status ${status}`);
  });
  const [message] = await Promise.race([once(child, "message", { signal: over.signal }), ended]);
  ended.catch(() => undefined);
  over.abort();
  return message;
}

function usage(pid?: number): Usage {
  globalThis.gc?.();
  globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  const cpuMs = pid === undefined ? (user + system) / 1_000 : cpuMsOf(pid);
  return { cpuMs, rssBytes: rss, heapBytes: heapUsed + external };
}

/** CPU time from Linux, in hundredths of a second: fields 14 and 15, counted from after the name (see proc(5)). */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function nodeCommand(flags: readonly string[]): string[] {
  return [process.execPath, ...SOURCE_FLAGS, ...flags];
}

function pinned(core: 0 | 1, command: readonly string[]): readonly string[] {
  return canPin ? ["taskset", "-c", String(core), ...command] : command;
}
