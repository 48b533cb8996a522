import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Breaks a stream at once, without waiting for anything: TCP sends RST; what cannot reset is destroyed. */
export function resetStream(stream: Duplex): void {
  if (stream.destroyed) return;
  // While a FIN is on its way libuv refuses to reset, and Node then loses the socket: it never closes. The FIN is gone
  // with the next turn of the event loop.
  if (stream.writableEnded && !stream.writableFinished && stream.writableLength === 0) {
    stream.once("finish", () => resetStream(stream));
    return;
  }
  try {
    (stream as Socket).resetAndDestroy();
  } catch {
    // A Unix socket, or no socket at all.
    stream.destroy();
  }
}
