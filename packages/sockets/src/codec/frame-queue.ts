import { SocketError, toOrFrom } from "../errors.ts";
import type { Connection } from "../tcp/connection.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import { ReadyFrames } from "./ready-frames.ts";

/** The decoded frames of a channel that were not read, followed by its error or end; and the read that waits. */
export class FrameQueue<T> {
  readonly ready: ReadyFrames<T> = new ReadyFrames();
  readonly #connection: Connection;
  readonly #want: () => void;
  #error: unknown;
  #hasEnded = false;
  /** Set when this side closed: creates the error for every read. */
  #closed: (() => SocketError) | undefined;
  #wait: PromiseWithResolvers<unknown> | undefined;
  /** Creates the result of `#wait`. */
  #take: (() => unknown) | undefined;

  /** `want` is called before a read waits because there is no frame. */
  constructor(connection: Connection, want: () => void) {
    this.#connection = connection;
    this.#want = want;
  }

  /** Whether no more frames will arrive. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get isReading(): boolean {
    return this.#wait !== undefined;
  }

  push(frames: readonly T[]): void {
    this.ready.push(frames);
    this.#settle();
  }

  end(error: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#error = error;
    this.#settle();
  }

  /** This side closed: drops unread frames, and every read rejects with this error. */
  close(error: () => SocketError): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    this.#hasEnded = true;
    if (this.ready.length > 0) this.ready.takeAll();
    const wait = this.#wait;
    this.#wait = undefined;
    wait?.reject(error());
  }

  /** Waits for frames or the end, and resolves to the result of `take`. */
  read<Taken>(options: WaitOptions | undefined, take: () => Taken): Promise<Taken> {
    const refusal = refusalOf(options);
    if (refusal !== undefined) return refusal;
    if (this.#wait !== undefined) return Promise.reject(readBusy(this.#connection, "another read is waiting"));
    if (this.#closed !== undefined) return Promise.reject(this.#closed());
    if (this.ready.length === 0) this.#want();
    if (this.ready.length === 0) {
      if (this.#error !== undefined) return Promise.reject(this.takeError());
      if (!this.#hasEnded) {
        const wait = options === undefined ? Promise.withResolvers<Taken>() : this.#waitWith<Taken>(options);
        this.#wait = wait as PromiseWithResolvers<unknown>;
        this.#take = take;
        return wait.promise;
      }
    }
    return Promise.resolve(take());
  }

  #waitWith<Taken>(options: WaitOptions): Wait<Taken> {
    return new Wait(
      options,
      () => cannotRead(this.#connection),
      () => {
        this.#wait = undefined;
      },
      () => ({ operation: "read", ...this.#connection.facts() }),
    );
  }

  #settle(): void {
    const wait = this.#wait;
    if (wait === undefined) return;
    this.#wait = undefined;
    // Frames for a waiting read do not count as unread.
    this.ready.bytes = 0;
    if (this.ready.length === 0 && this.#error !== undefined) wait.reject(this.takeError());
    else wait.resolve(this.#take?.());
  }

  /** Returns the error that ended the channel, once. */
  takeError(): unknown {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }
}

export function readBusy(connection: Connection, why: string): SocketError {
  return new SocketError("busy", `${cannotRead(connection)}: ${why}`, { operation: "read", ...connection.facts() });
}

function cannotRead(connection: Connection): string {
  return `Cannot read frames${toOrFrom("from", connection.remote)}`;
}
