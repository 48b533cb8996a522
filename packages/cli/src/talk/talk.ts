import { converse } from "./converse.ts";
import type { Peer } from "./peer.ts";
import { pipe } from "./pipe.ts";

/** Whether a person sits at both ends of this process. */
export function isInteractive(): boolean {
  return process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/** Talks to the peer until one side has had enough: with a prompt for a person, byte for byte in a pipe. */
export function talk(peer: Peer, signal: AbortSignal): Promise<void> {
  return isInteractive() ? converse(peer, signal) : pipe(peer, signal);
}
