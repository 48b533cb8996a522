import { createInterface } from "node:readline";
import type { ChatClient } from "@landline/client";
import { Output } from "../terminal/mod.ts";
import { EventLines } from "./chat-lines.ts";
import { readTooSlowly, UNREAD_BYTES_MAX } from "./unread-limit.ts";

/** Maximum number of unacknowledged messages. */
const UNACKNOWLEDGED_MAX = 64;

/**
 * Sends each line of standard input to a room, in order, and prints the events of the room. Ends when the input has ended
 * and the server has acknowledged every line.
 */
export async function chatPipe(client: ChatClient, room: string, signal: AbortSignal): Promise<void> {
  const output = new Output();
  const events = new EventLines();
  const broken = new AbortController();
  let printed: Promise<void> = Promise.resolve();
  let unreadBytes = 0;
  const print = (text: string): void => {
    const bytes = Buffer.byteLength(text);
    unreadBytes += bytes;
    if (unreadBytes > UNREAD_BYTES_MAX) {
      broken.abort(readTooSlowly());
      return;
    }
    printed = output.print(text).then(
      () => {
        unreadBytes -= bytes;
      },
      (error) => broken.abort(error),
    );
  };
  const removeListener = client.on((event) => {
    const text = events.format(event, room);
    if (text !== "") print(text);
    if (event.type === "state" && event.state === "closed") broken.abort(event.error);
  });
  try {
    await client.join(room, { history: 0, signal });
    await sayLines(client, room, AbortSignal.any([signal, broken.signal]));
    await client.leave(room);
    await printed;
  } finally {
    removeListener();
    process.stdin.destroy();
  }
}

async function sayLines(client: ChatClient, room: string, signal: AbortSignal): Promise<void> {
  const pending = new Set<Promise<unknown>>();
  const failed = new AbortController();
  const lines = createInterface({ input: process.stdin, signal: AbortSignal.any([signal, failed.signal]) });
  for await (const line of lines) {
    if (line === "") continue;
    const said = client.chat(room, line, { signal }).catch((error) => failed.abort(error));
    pending.add(said);
    void said.then(() => pending.delete(said));
    if (pending.size >= UNACKNOWLEDGED_MAX) await Promise.race(pending);
  }
  await Promise.all(pending);
  signal.throwIfAborted();
  failed.signal.throwIfAborted();
}
