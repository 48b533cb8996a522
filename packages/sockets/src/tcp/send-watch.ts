import type { Duplex } from "node:stream";
import { sentBytes } from "./sent-bytes.ts";

/** A stream is looked at this often within its time. */
const SWEEPS = 4;

/** What was seen of a stream at the last sweep. */
interface Progress {
  readonly onStalled: (stream: Duplex) => void;
  sentBytes: number;
  /** Sweeps in a row that found bytes waiting and none sent. */
  stalledSweeps: number;
}

/** By their time in milliseconds; each lives as long as it has streams. */
const watches = new Map<number, SendWatch>();

/**
 * Calls `onStalled` once when bytes wait in the stream and none of them has left for `sendTimeoutMs`, or up to a quarter
 * longer; 0 and `Infinity` are never. Ends by itself with the stream.
 *
 * Node has no such timer: its own is put off by everything that arrives, and the kernel knows nothing of what Node holds.
 */
export function watchSending(stream: Duplex, sendTimeoutMs: number, onStalled: (stream: Duplex) => void): void {
  if (sendTimeoutMs === 0 || sendTimeoutMs === Number.POSITIVE_INFINITY) return;
  let watch = watches.get(sendTimeoutMs);
  if (watch === undefined) {
    watch = new SendWatch(sendTimeoutMs);
    watches.set(sendTimeoutMs, watch);
  }
  watch.add(stream, onStalled);
}

/** One timer for all streams that have the same time: neither a write nor an idle connection costs anything for it. */
class SendWatch {
  readonly #streams = new Map<Duplex, Progress>();
  readonly #timer: NodeJS.Timeout;

  constructor(sendTimeoutMs: number) {
    this.#timer = setInterval(() => this.#sweep(sendTimeoutMs), Math.ceil(sendTimeoutMs / SWEEPS));
    this.#timer.unref();
  }

  add(stream: Duplex, onStalled: (stream: Duplex) => void): void {
    this.#streams.set(stream, { onStalled, sentBytes: 0, stalledSweeps: 0 });
  }

  /** Counts sweeps, not time: while the process could not run, nothing could leave. */
  #sweep(sendTimeoutMs: number): void {
    for (const [stream, progress] of this.#streams) {
      if (stream.destroyed) this.#streams.delete(stream);
      else if (this.#isStalled(stream, progress)) {
        this.#streams.delete(stream);
        progress.onStalled(stream);
      }
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
    // The first sweep that sees bytes wait does not know for how long they have waited.
    if (progress.sentBytes !== before || progress.stalledSweeps === 0) progress.stalledSweeps = 1;
    else progress.stalledSweeps += 1;
    return progress.stalledSweeps > SWEEPS;
  }
}
