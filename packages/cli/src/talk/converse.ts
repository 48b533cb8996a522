import { SocketError } from "@landline/sockets";
import { describeError, note, Prompt, SafeTextDecoder } from "../terminal/mod.ts";
import type { Peer } from "./peer.ts";

const PROMPT = "Enter message (or 'quit' to exit): ";

/** The interactive mode: sends each typed line with a line feed, and prints received text above the prompt. */
export async function converse(peer: Peer, signal: AbortSignal): Promise<void> {
  const decoder = new SafeTextDecoder();
  const left = new AbortController();
  let isEndedHere = false;
  const prompt = new Prompt(PROMPT, {
    line: (line) => {
      // Case-sensitive: `QUIT` is a command of SMTP, Redis and other protocols.
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
      await prompt.drained(either);
    }
    prompt.print(decoder.end());
    note(isEndedHere ? `Disconnected from ${peer.name}` : `Connection closed by ${peer.name}`);
  } catch (error) {
    signal.throwIfAborted();
    if (!left.signal.aborted) throw error;
    note(`Disconnected from ${peer.name}`);
  } finally {
    prompt.close();
    await peer.close();
  }
}

/** Reads past `refused`: with UDP it is an ICMP error for one datagram, and the server may start later. */
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

/** Reports a write error, except for a broken connection: the read side reports that one. */
function reportBreak(error: unknown): void {
  const isTold = error instanceof SocketError && (error.code === "reset" || error.code === "closed");
  if (!isTold) note(describeError(error));
}
