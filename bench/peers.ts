// Libraries of npm to compare with. They are no dependency: `--peers DIR` names a folder in which they were installed.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { options } from "./measure.ts";

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
