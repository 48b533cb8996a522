import { addAbortSignal } from "node:stream";
import { SocketError } from "@landline/sockets";
import { CommandFailed, Output, systemReason } from "../terminal/mod.ts";
import type { Peer } from "./peer.ts";

/**
 * Copies standard input to the peer and the peer to standard output until both have ended. The directions end
 * independently, as in ncat: a peer that has finished sending may still read. When standard input is a terminal, the
 * peer's end also ends the command.
 *
 * @throws {SocketError} `reset` when the peer disconnects while input remains. Received bytes are printed first.
 */
export async function pipe(peer: Peer, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const receiving = receive(peer, either);
  const sending = sendInput(peer, either);
  sending.catch((error) => {
    // A broken connection also fails the read side, which first delivers the bytes that arrived before.
    if (!isBroken(error)) stop.abort(error);
  });
  try {
    await receiving;
    if (!process.stdin.isTTY) await sending;
  } finally {
    stop.abort();
    await peer.close();
    await sending.catch(() => undefined);
  }
}

async function receive(peer: Peer, signal: AbortSignal): Promise<void> {
  const output = new Output();
  for (let chunk = await peer.read({ signal }); chunk !== null; chunk = await peer.read({ signal })) {
    await output.write(chunk);
  }
  await output.end();
}

async function sendInput(peer: Peer, signal: AbortSignal): Promise<void> {
  addAbortSignal(signal, process.stdin);
  try {
    for await (const chunk of process.stdin) await peer.write(chunk, { signal });
    await peer.finish({ signal });
  } catch (error) {
    signal.throwIfAborted();
    if (error === process.stdin.errored) throw inputFailed(error as Error);
    throw error;
  }
}

function isBroken(error: unknown): boolean {
  return error instanceof SocketError && (error.code === "reset" || error.code === "closed");
}

function inputFailed(error: Error): CommandFailed {
  return new CommandFailed(`Cannot read standard input: ${systemReason(error)}`, { cause: error });
}
