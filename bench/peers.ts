// Libraries to compare with. They are no dependency: `--peers DIR` names a folder in which those of npm were installed and
// those of other languages were built (`native/`).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { options } from "./measure.ts";
import type { Role } from "./processes.ts";

const dir = options.peers ?? process.env.BENCH_PEERS;
// The processes that are measured have a command line of their own.
if (dir !== undefined) process.env.BENCH_PEERS = dir;

/** Lets a module be looked up from another folder than this one. */
export const PEER_FLAGS = ["--experimental-import-meta-resolve"];

/** The exports of a peer; what they are, its own documentation says. */
// biome-ignore lint/suspicious/noExplicitAny: the types of a package that is not installed here are not known.
export async function importPeer(name: string): Promise<any> {
  if (dir === undefined) throw new Error("--peers names no folder");
  return await import(import.meta.resolve(name, pathToFileURL(join(dir, "bench.js"))));
}

/** A server in a program of its own: it prints its port, and ends with its standard input. None if it was not built. */
export function nativePeer(program: string): Readonly<Record<string, Role>> {
  if (dir === undefined || !existsSync(join(dir, program))) return {};
  const start: Role = async () => {
    const child = spawn(join(dir, program), { stdio: ["pipe", "pipe", "inherit"] });
    const [port] = await once(child.stdout, "data");
    return { port: Number(port), pid: child.pid ?? 0 };
  };
  return { [program]: start };
}
