import { SocketError } from "@landline/sockets";
import { Output } from "../terminal/mod.ts";
import type { Peer } from "./peer.ts";

/**
 * Copies standard input to the peer and the peer to standard output, by ncat's rules: the end of the input half-closes
 * and reading goes on; the peer's end ends it all.
 */
export async function pipe(peer: Peer, signal: AbortSignal): Promise<void> {
  const output = new Output();
  const broken = new AbortController();
  const sending = sendInput(peer).catch((error) => broken.abort(error));
  const either = AbortSignal.any([signal, broken.signal]);
  try {
    for (let chunk = await peer.read({ signal: either }); chunk !== null; chunk = await peer.read({ signal: either })) {
      await output.write(chunk);
    }
    await output.end();
  } finally {
    process.stdin.destroy();
    await peer.close();
    await sending;
  }
}

async function sendInput(peer: Peer): Promise<void> {
  try {
    for await (const chunk of process.stdin) await peer.write(chunk);
    peer.finish();
  } catch (error) {
    // Who reads from the peer hears of a broken connection too, and may first have something to read.
    const isHeardElsewhere = error instanceof SocketError && (error.code === "reset" || error.code === "closed");
    if (!isHeardElsewhere) throw error;
  }
}
