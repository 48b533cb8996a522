// Libraries to compare with. They are not dependencies: `--peers DIR` names a folder with the installed npm packages and
// the programs built from `native/`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { options } from "./measure.ts";
import type { Role } from "./processes.ts";

const dir = options.peers ?? process.env.BENCH_PEERS;
// The measured processes have other arguments.
if (dir !== undefined) process.env.BENCH_PEERS = dir;

/** Resolves modules from the folder of the libraries. */
export const PEER_FLAGS = ["--experimental-import-meta-resolve"];

/** The exports of a library; see its own documentation. */
// biome-ignore lint/suspicious/noExplicitAny: the package is not installed here, so its types are unknown.
export async function importPeer(name: string): Promise<any> {
  if (dir === undefined) throw new Error("--peers is missing");
  return await import(import.meta.resolve(name, pathToFileURL(join(dir, "bench.js"))));
}

/** The server built from another language. It prints its port and ends with its standard input. Empty if not built. */
export function nativePeer(program: string): Readonly<Record<string, Role>> {
  if (dir === undefined || !existsSync(join(dir, program))) return {};
  const start: Role = async () => {
    const child = spawn(join(dir, program), { stdio: ["pipe", "pipe", "inherit"] });
    const [port] = await once(child.stdout, "data");
    return { port: Number(port), pid: child.pid ?? 0 };
  };
  return { [program]: start };
}
