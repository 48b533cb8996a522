import type { ServerResponse } from "node:http";
import type { Connection } from "@landline/sockets";
import type { ConnectionRates } from "../core/mod.ts";
import { ConnectionStream } from "./connection-stream.ts";
import { HeadEnd } from "./head-end.ts";
import type { Turns } from "./turns.ts";

const NO_BYTES = new Uint8Array(0);

/**
 * An HTTP connection that gives `node:http` one request at a time: what a client sends behind the head of one is kept, and
 * the connection not read, until that one is answered. `node:http` by itself answers all that a chunk holds in one go.
 */
export class HttpStream extends ConnectionStream {
  /** How often the client may ask; absent where there is no limit. */
  readonly rates: ConnectionRates | undefined;
  /** How often the client has asked. */
  requests = 0;
  readonly #turns: Turns;
  readonly #headEnd = new HeadEnd();
  /** What came and `node:http` has not got. */
  #waiting: Uint8Array = NO_BYTES;
  #isAnswering = false;
  #isScheduled = false;
  #hasPeerFinished = false;
  /** Another protocol has the connection: all is handed on as it comes. */
  #isUpgraded = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: Connection, turns: Turns, rates: ConnectionRates | undefined) {
    super(connection);
    this.#turns = turns;
    this.rates = rates;
  }

  /** A request is being answered with this; until that is done the next one waits. */
  answering(response: ServerResponse): void {
    this.#isAnswering = true;
    this.requests += 1;
    response.once("close", () => {
      this.#isAnswering = false;
      this.#proceed();
    });
  }

  /** Another protocol takes over what follows. */
  upgraded(): void {
    this.#isUpgraded = true;
    this.setTimeout(0);
    const rest = this.#waiting;
    this.#waiting = NO_BYTES;
    if (rest.length > 0) this.handOn(rest);
    if (this.#hasPeerFinished) super.finished();
    else this.connection.resume();
  }

  /** What sockets have for `node:http` and its `keepAliveTimeout`. */
  setTimeout(ms: number): this {
    clearTimeout(this.#timer);
    if (ms > 0) this.#timer = setTimeout(() => this.emit("timeout"), ms);
    return this;
  }

  override _read(): void {
    if (this.#waiting.length === 0) super._read();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.setTimeout(0);
    this.#waiting = NO_BYTES;
    super._destroy(error, done);
  }

  protected override received(chunk: Uint8Array): void {
    if (this.#isUpgraded) {
      this.handOn(chunk);
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

  /** Hands on the rest of one head, and no more. */
  #step(): void {
    if (this.destroyed || this.writableEnded) return;
    const bytes = this.#waiting;
    const end = this.#headEnd.find(bytes);
    this.#waiting = end === -1 ? NO_BYTES : bytes.subarray(end);
    // From the first byte of a head on, the time for heads counts; empty lines do not put off the end of an idle connection.
    if (end !== -1 || this.#headEnd.isInside) this.setTimeout(0);
    this.handOn(end === -1 ? bytes : bytes.subarray(0, end));
    this.#proceed();
  }
}
