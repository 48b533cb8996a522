import type { Duplex } from "node:stream";
import { sentBytes } from "./sent-bytes.ts";

/** Checks per send timeout. */
const SWEEPS = 4;

/** State of a stream at the last sweep. */
interface Progress {
  readonly onStalled: (stream: Duplex) => void;
  sentBytes: number;
  /** Consecutive sweeps that found bytes waiting and none sent. */
  stalledSweeps: number;
}

/** Watches by timeout in milliseconds. A watch without streams is removed at its next sweep. */
const watches = new Map<number, SendWatch>();

/** Shared by all watched streams: a closed stream, and what its owner buffered, must not wait for the next sweep. */
function onClose(this: Duplex): void {
  for (const watch of watches.values()) watch.remove(this);
}

/**
 * Calls `onStalled` once when the stream has buffered bytes and none was sent for `sendTimeoutMs`, or up to a quarter
 * longer. 0 and `Infinity` are never. The watch ends with the stream.
 *
 * Node has no such timer: every received byte restarts its `setTimeout`, and TCP_USER_TIMEOUT does not see bytes that
 * Node buffers.
 */
export function watchSending(stream: Duplex, sendTimeoutMs: number, onStalled: (stream: Duplex) => void): void {
  if (sendTimeoutMs === 0 || sendTimeoutMs === Number.POSITIVE_INFINITY || stream.closed) return;
  let watch = watches.get(sendTimeoutMs);
  if (watch === undefined) {
    watch = new SendWatch(sendTimeoutMs);
    watches.set(sendTimeoutMs, watch);
  }
  watch.add(stream, onStalled);
}

/** One timer for all streams with the same timeout. Writes and idle connections need no timer work. */
class SendWatch {
  readonly #streams = new Map<Duplex, Progress>();
  readonly #timer: NodeJS.Timeout;

  constructor(sendTimeoutMs: number) {
    this.#timer = setInterval(() => this.#sweep(sendTimeoutMs), Math.ceil(sendTimeoutMs / SWEEPS));
    this.#timer.unref();
  }

  add(stream: Duplex, onStalled: (stream: Duplex) => void): void {
    this.#streams.set(stream, { onStalled, sentBytes: 0, stalledSweeps: 0 });
    stream.on("close", onClose);
  }

  remove(stream: Duplex): void {
    this.#streams.delete(stream);
  }

  /** Counts sweeps instead of time: while the process is blocked it cannot send. */
  #sweep(sendTimeoutMs: number): void {
    for (const [stream, progress] of this.#streams) {
      if (!this.#isStalled(stream, progress)) continue;
      this.#streams.delete(stream);
      progress.onStalled(stream);
    }
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    watches.delete(sendTimeoutMs);
  }

  #isStalled(stream: Duplex, progress: Progress): boolean {
    const before = progress.sentBytes;
    if (stream.writableLength === 0) {
      progress.stalledSweeps = 0;
      return false;
    }
    progress.sentBytes = sentBytes(stream);
    // The first sweep that finds bytes does not know how long they have waited.
    if (progress.sentBytes !== before || progress.stalledSweeps === 0) progress.stalledSweeps = 1;
    else progress.stalledSweeps += 1;
    return progress.stalledSweeps > SWEEPS;
  }
}
