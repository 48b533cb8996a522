import { SocketError } from "@landline/sockets";
import { describeError, note, Prompt, SafeTextDecoder } from "../terminal/mod.ts";
import type { Peer } from "./peer.ts";

const PROMPT = "Enter message (or 'quit' to exit): ";

/** Talks to the peer line by line: what is typed is sent with a line feed, what comes is shown above the prompt. */
export async function converse(peer: Peer, signal: AbortSignal): Promise<void> {
  const decoder = new SafeTextDecoder();
  const left = new AbortController();
  let isEndedHere = false;
  const prompt = new Prompt(PROMPT, {
    line: (line) => {
      // `QUIT` is a command of SMTP, Redis and others.
      if (line === "quit") left.abort();
      else peer.write(Buffer.from(`${line}\n`)).catch(reportBreak);
    },
    end: () => {
      isEndedHere = true;
      peer.finish().catch(reportBreak);
    },
  });
  const either = AbortSignal.any([signal, left.signal]);
  try {
    for (let chunk = await read(peer, either); chunk !== null; chunk = await read(peer, either)) {
      prompt.print(decoder.decode(chunk));
    }
    prompt.print(decoder.end());
    note(isEndedHere ? `Disconnected from ${peer.name}` : `Connection closed by ${peer.name}`);
  } catch (error) {
    if (!left.signal.aborted) throw error;
    note(`Disconnected from ${peer.name}`);
  } finally {
    prompt.close();
    await peer.close();
  }
}

/** Nobody there yet is no reason to hang up on UDP: the next datagram may find somebody. */
async function read(peer: Peer, signal: AbortSignal): Promise<Uint8Array | null> {
  for (;;) {
    try {
      return await peer.read({ signal });
    } catch (error) {
      if (!(error instanceof SocketError) || error.code !== "refused") throw error;
      note(describeError(error));
    }
  }
}

/** A broken connection is told by whoever reads it. */
function reportBreak(error: unknown): void {
  const isTold = error instanceof SocketError && (error.code === "reset" || error.code === "closed");
  if (!isTold) note(describeError(error));
}
