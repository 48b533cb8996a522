import type { SocketError } from "../errors.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import type { Datagram } from "./datagram.ts";

/** The datagrams that nobody has taken yet, or those who wait for one. Bounded: the oldest datagrams are dropped. */
export class ReceiveQueue {
  readonly #max: number;
  readonly #datagrams: Datagram[] = [];
  readonly #waits: Wait<Datagram | undefined>[] = [];
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
    const wait = this.#waits.shift();
    if (wait !== undefined) {
      wait.resolve(datagram);
      return;
    }
    if (this.#datagrams.length >= this.#max) {
      this.#datagrams.shift();
      this.#dropped += 1;
    }
    this.#datagrams.push(datagram);
  }

  /** The next datagram; `undefined` after the end. */
  next(options: WaitOptions | undefined, action: () => string): Promise<Datagram | undefined> {
    const refusal = refusalOf(options);
    if (refusal !== undefined) return refusal;
    const ready = this.#datagrams.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#hasEnded) return Promise.resolve(undefined);
    const wait = options === undefined ? new Wait<Datagram | undefined>() : this.#waitWith(options, action);
    this.#waits.push(wait);
    return wait.promise;
  }

  #waitWith(options: WaitOptions, action: () => string): Wait<Datagram | undefined> {
    const wait = new Wait<Datagram | undefined>(options, action, () => {
      this.#waits.splice(this.#waits.indexOf(wait), 1);
    });
    return wait;
  }

  fail(error: SocketError): void {
    const wait = this.#waits.shift();
    if (wait === undefined) this.#error = error;
    else wait.reject(error);
  }

  /** Nothing more will come: who waits gets `undefined`. What is there can still be taken. */
  end(): void {
    this.#hasEnded = true;
    for (const wait of this.#waits.splice(0)) wait.resolve(undefined);
  }
}
