import type { SocketError } from "../errors.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import type { Datagram } from "./datagram.ts";

/** Converts the next datagram, or `undefined` at the end, to the result of a wait. An exception rejects the wait. */
type Take<T> = (datagram: Datagram | undefined) => T;

interface Waiting {
  readonly wait: PromiseWithResolvers<unknown>;
  readonly take: Take<unknown>;
}

/**
 * Received datagrams that were not read, or the reads that wait for one. When the queue is full the oldest datagram is
 * dropped.
 */
export class ReceiveQueue {
  readonly #max: number;
  readonly #datagrams: Datagram[] = [];
  readonly #waiting: Waiting[] = [];
  /** An error that arrived while no read was waiting, for the next read. */
  #error: SocketError | undefined;
  #dropped = 0;
  #hasEnded = false;

  constructor(max: number) {
    this.#max = max;
  }

  get dropped(): number {
    return this.#dropped;
  }

  push(datagram: Datagram): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      settle(waiting, datagram);
      return;
    }
    if (this.#datagrams.length >= this.#max) {
      this.#datagrams.shift();
      this.#dropped += 1;
    }
    this.#datagrams.push(datagram);
  }

  /** Waits for the next datagram and resolves to the result of `take`. */
  next<T>(take: Take<T>, options: WaitOptions | undefined, action: () => string): Promise<T> {
    const refusal = refusalOf(options);
    if (refusal !== undefined) return refusal;
    const ready = this.#datagrams.shift();
    if (ready !== undefined) return Promise.resolve(take(ready));
    const error = this.takeError();
    if (error !== undefined) return Promise.reject(error);
    const wait = options === undefined ? Promise.withResolvers<T>() : this.#waitWith<T>(options, action);
    const waiting = { wait: wait as PromiseWithResolvers<unknown>, take };
    if (this.#hasEnded) settle(waiting, undefined);
    else this.#waiting.push(waiting);
    return wait.promise;
  }

  #waitWith<T>(options: WaitOptions, action: () => string): Wait<T> {
    const wait = new Wait<T>(options, action, () => {
      const index = this.#waiting.findIndex((waiting) => waiting.wait === wait);
      this.#waiting.splice(index, 1);
    });
    return wait;
  }

  fail(error: SocketError): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#error = error;
    else waiting.wait.reject(error);
  }

  get isWaitedFor(): boolean {
    return this.#waiting.length > 0;
  }

  /** Returns the next queued datagram. */
  take(): Datagram | undefined {
    return this.#datagrams.shift();
  }

  /** Returns the stored error once. */
  takeError(): SocketError | undefined {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }

  /** No more datagrams will arrive. Waiting reads end; queued datagrams can still be read. */
  end(): void {
    this.#hasEnded = true;
    for (const waiting of this.#waiting.splice(0)) settle(waiting, undefined);
  }
}

function settle({ wait, take }: Waiting, datagram: Datagram | undefined): void {
  try {
    wait.resolve(take(datagram));
  } catch (error) {
    wait.reject(error);
  }
}
