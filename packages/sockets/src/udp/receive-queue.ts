import type { SocketError } from "../errors.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import type { Datagram } from "./datagram.ts";

/** What a wait resolves with: something made of the next datagram, or of `undefined` at the end. */
type Take<T> = (datagram: Datagram | undefined) => T;

interface Waiting {
  readonly wait: Wait<unknown>;
  readonly take: Take<unknown>;
}

/** The datagrams that nobody has taken yet, or those who wait for one. Bounded: the oldest datagrams are dropped. */
export class ReceiveQueue {
  readonly #max: number;
  readonly #datagrams: Datagram[] = [];
  readonly #waiting: Waiting[] = [];
  /** An error that came when nobody waited; the next one is told. */
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
      waiting.wait.resolve(waiting.take(datagram));
      return;
    }
    if (this.#datagrams.length >= this.#max) {
      this.#datagrams.shift();
      this.#dropped += 1;
    }
    this.#datagrams.push(datagram);
  }

  /** Waits for the next datagram, and gives what `take` makes of it. */
  next<T>(take: Take<T>, options: WaitOptions | undefined, action: () => string): Promise<T> {
    const refusal = refusalOf(options);
    if (refusal !== undefined) return refusal;
    const ready = this.#datagrams.shift();
    if (ready !== undefined) return Promise.resolve(take(ready));
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#hasEnded) return Promise.resolve(take(undefined));
    const wait = options === undefined ? new Wait<T>() : this.#waitWith<T>(options, action);
    this.#waiting.push({ wait: wait as Wait<unknown>, take });
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

  /** Nothing more will come: who waits is told. What is there can still be taken. */
  end(): void {
    this.#hasEnded = true;
    for (const { wait, take } of this.#waiting.splice(0)) wait.resolve(take(undefined));
  }
}
