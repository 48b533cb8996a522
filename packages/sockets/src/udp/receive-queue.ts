import type { SocketError } from "../errors.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import type { Datagram } from "./datagram.ts";

/** What a wait resolves with: something made of the next datagram, or of `undefined` at the end. What it throws rejects. */
type Take<T> = (datagram: Datagram | undefined) => T;

interface Waiting {
  readonly wait: PromiseWithResolvers<unknown>;
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
      settle(waiting, datagram);
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

  /** What is stored, one by one. */
  take(): Datagram | undefined {
    return this.#datagrams.shift();
  }

  /** An error that nobody was told yet. */
  takeError(): SocketError | undefined {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }

  /** Nothing more will come: who waits is told. What is there can still be taken. */
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
