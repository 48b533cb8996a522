import type { ServerResponse } from "node:http";
import type { Connection } from "@landline/sockets";
import type { ConnectionRates } from "../core/mod.ts";
import { ConnectionStream } from "./connection-stream.ts";
import { HeadEnd } from "./head-end.ts";
import { LONG_CHUNK_BYTES, type Turns } from "./turns.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * An HTTP connection that passes `node:http` one request at a time. Bytes after a request's head are buffered, and
 * the connection is paused, until that request is answered. `node:http` alone would start to answer all requests of a
 * chunk at once.
 */
export class HttpStream extends ConnectionStream {
  /** The connection's rate limits. Absent if there are none. */
  readonly rates: ConnectionRates | undefined;
  /** Number of requests so far. */
  requests = 0;
  readonly #turns: Turns;
  readonly #headEnd = new HeadEnd();
  /** Bytes not passed to `node:http` yet. */
  #waiting: Uint8Array = NO_BYTES;
  #isAnswering = false;
  #isScheduled = false;
  #hasPeerFinished = false;
  /** Another protocol took over the connection. All bytes are passed on as they arrive. */
  #isUpgraded = false;
  /** The connection waits for its turn after a long chunk. */
  #isResting = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: Connection, turns: Turns, rates: ConnectionRates | undefined) {
    super(connection);
    this.#turns = turns;
    this.rates = rates;
  }

  /** Holds the next request until this response is done. */
  answering(response: ServerResponse): void {
    this.#isAnswering = true;
    this.requests += 1;
    response.once("close", () => {
      this.#isAnswering = false;
      this.#proceed();
    });
  }

  /** Another protocol takes over the connection. Passes it the buffered bytes. */
  upgraded(): void {
    this.#isUpgraded = true;
    this.setTimeout(0);
    const rest = this.#waiting;
    this.#waiting = NO_BYTES;
    if (rest.length > 0) this.handOn(rest);
    if (this.#hasPeerFinished) super.finished();
    else this.connection.resume();
  }

  /** The socket method that `node:http` uses for `keepAliveTimeout`. */
  setTimeout(ms: number): this {
    clearTimeout(this.#timer);
    if (ms > 0) this.#timer = setTimeout(() => this.emit("timeout"), ms);
    return this;
  }

  override _read(): void {
    if (this.#waiting.length === 0 && !this.#isResting) super._read();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.setTimeout(0);
    this.#waiting = NO_BYTES;
    super._destroy(error, done);
  }

  protected override received(chunk: Uint8Array): void {
    if (this.#isUpgraded) {
      this.handOn(chunk);
      if (chunk.length >= LONG_CHUNK_BYTES && !this.#isResting) this.#rest();
      return;
    }
    this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
    this.connection.pause();
    this.#proceed();
  }

  protected override finished(): void {
    this.#hasPeerFinished = true;
    if (this.#isUpgraded) super.finished();
    else this.#proceed();
  }

  /** Waits for its turn after a long chunk. */
  #rest(): void {
    this.#isResting = true;
    this.connection.pause();
    this.#turns.take(() => {
      this.#isResting = false;
      if (this.readableLength < this.readableHighWaterMark) this.connection.resume();
    });
  }

  #proceed(): void {
    if (this.#isScheduled || this.#isAnswering || this.#isUpgraded || this.destroyed || this.writableEnded) return;
    if (this.#waiting.length === 0) {
      if (this.#hasPeerFinished) super.finished();
      else this.connection.resume();
      return;
    }
    this.#isScheduled = true;
    this.#turns.take(() => {
      this.#isScheduled = false;
      this.#step();
    });
  }

  /** Passes on the rest of one head, and no more. */
  #step(): void {
    if (this.destroyed || this.writableEnded) return;
    const bytes = this.#waiting;
    const end = this.#headEnd.find(bytes);
    this.#waiting = end === -1 ? NO_BYTES : bytes.subarray(end);
    // From the first byte of a head, only `headersTimeout` counts. Empty lines do not extend the idle timeout.
    if (end !== -1 || this.#headEnd.isInside) this.setTimeout(0);
    this.handOn(end === -1 ? bytes : bytes.subarray(0, end));
    this.#proceed();
  }
}
