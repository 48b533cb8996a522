import { converse } from "./converse.ts";
import type { Peer } from "./peer.ts";
import { pipe } from "./pipe.ts";

/** Whether standard input and standard output are both terminals. */
export function isInteractive(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** Exchanges data with the peer: with a prompt at a terminal, else as unchanged bytes. */
export function talk(peer: Peer, signal: AbortSignal): Promise<void> {
  return isInteractive() ? converse(peer, signal) : pipe(peer, signal);
}
