import type { Address } from "../address.ts";
import { asBuffer, ByteQueue } from "../byte-queue.ts";
import { SocketError, type SocketErrorCode, type SocketErrorFields, toOrFrom } from "../errors.ts";
import { PullIterator } from "../pull-iterator.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import { Deadline } from "./deadline.ts";

/** Takes the result of a read from the queue. Called again when bytes arrive; `undefined` means not yet. */
type Take<T> = (side: ReadSide) => T | undefined;

// Shared functions avoid one closure per read.
const takeChunk: Take<Uint8Array | null> = (side) => side.takeChunk();
const takeNext: Take<IteratorResult<Uint8Array, void>> = (side) => {
  const chunk = side.takeChunk();
  return chunk === undefined ? undefined : PullIterator.result(chunk);
};

/** What {@link ReadSide} needs from its connection. */
export interface ReadSideOwner {
  readonly remote: Address | undefined;
  /** Starts or stops the chunks of the stream. */
  flow(isFlowing: boolean): void;
  /** The connection's addresses and byte counts, for errors. */
  facts(): SocketErrorFields;
}

/**
 * The reading half of a connection that is read by pulling: the unread bytes and the one pending read. It stops reading
 * from the socket while the high-water mark is reached and no read is pending.
 */
export class ReadSide {
  readonly #owner: ReadSideOwner;
  readonly #highWaterMark: number;
  readonly #queue = new ByteQueue();
  #take: Take<unknown> | undefined;
  /** Number of bytes that `readUntil` has already searched. */
  #searched = 0;
  #wait: PromiseWithResolvers<unknown> | undefined;
  #hasEnded = false;
  #ending: ((operation: string) => SocketError) | undefined;
  #isPaused = true;
  #deadline: Deadline | undefined;

  constructor(owner: ReadSideOwner, highWaterMark: number) {
    this.#owner = owner;
    this.#highWaterMark = highWaterMark;
  }

  get bufferedBytes(): number {
    return this.#queue.length;
  }

  get isReading(): boolean {
    return this.#wait !== undefined;
  }

  setDeadline(ms: number | null): void {
    this.#deadline ??= new Deadline(() => this.#expire());
    this.#deadline.set(ms);
  }

  /** Stops the chunks until the next read. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#owner.flow(false);
  }

  push(chunk: Uint8Array): void {
    if (this.#hand(chunk)) return;
    this.#queue.push(chunk);
    this.#settle();
    if (this.#queue.length >= this.#highWaterMark && this.#take === undefined) this.pause();
  }

  unread(bytes: Uint8Array): void {
    this.#queue.unshift(bytes);
    this.#searched = 0;
    this.#settle();
  }

  /** The peer finished. Buffered bytes can still be read. */
  end(): void {
    // After `fail`, reads keep rejecting with its error instead of reporting the end.
    if (this.#ending === undefined) this.#hasEnded = true;
    this.#settle();
  }

  /** No more bytes will arrive. With `keep`, buffered bytes can still be read. */
  fail(ending: (operation: string) => SocketError, keep: boolean): void {
    this.#ending ??= ending;
    this.#deadline?.clear();
    if (!keep) {
      this.#queue.clear();
      this.#hasEnded = false;
    }
    this.#settle();
  }

  /** Removes and returns all buffered bytes, for the next reader. */
  takeAll(): Uint8Array {
    return this.#queue.take(this.#queue.length);
  }

  read(options: WaitOptions | undefined): Promise<Uint8Array | null> {
    return this.#read(options, takeChunk);
  }

  /** As {@link read}, for iteration. */
  next(options: WaitOptions | undefined): Promise<IteratorResult<Uint8Array, void>> {
    return this.#read(options, takeNext);
  }

  /** The next chunk, `null` at the end, or `undefined` when there is none yet. */
  takeChunk(): Uint8Array | null | undefined {
    if (this.#queue.length > 0) return this.#queue.takeChunk();
    return this.#hasEnded ? null : undefined;
  }

  async readExactly(length: number, options: WaitOptions | undefined): Promise<Uint8Array> {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new RangeError(`length must be a whole number that is not negative: ${length}`);
    }
    return await this.#read(options, () => {
      if (this.#queue.length >= length) return this.#queue.take(length);
      if (this.#hasEnded) throw this.#endOfStream(`${length} bytes`, length);
      return undefined;
    });
  }

  async readUntil(delimiter: Uint8Array, bytesMax: number, options: WaitOptions | undefined): Promise<Uint8Array> {
    if (delimiter.length === 0) throw new RangeError("delimiter must not be empty");
    if (this.#wait === undefined) this.#searched = 0;
    return await this.#read(options, () => {
      const at = this.#queue.indexOf(delimiter, this.#searched);
      if (at !== -1 && at + delimiter.length <= bytesMax) return this.#queue.take(at + delimiter.length);
      if (at !== -1 || this.#queue.length >= bytesMax) {
        throw this.#failure("limit", `no delimiter within bytesMax ${bytesMax} bytes`);
      }
      if (this.#hasEnded) throw this.#endOfStream("the delimiter", undefined);
      this.#searched = Math.max(0, this.#queue.length - delimiter.length + 1);
      return undefined;
    });
  }

  #read<T>(options: WaitOptions | undefined, take: Take<T>): Promise<T> {
    if (this.#wait !== undefined) return Promise.reject(this.#failure("busy", "another read is waiting"));
    const refusal = refusalOf(options);
    if (refusal !== undefined) return refusal;
    try {
      // A past deadline takes precedence over buffered bytes, but not over the end of the connection.
      if (this.#deadline?.isPast && this.#ending === undefined) throw this.#pastDeadline();
      const taken = take(this);
      if (taken !== undefined) {
        this.#resumeBelowMark();
        return Promise.resolve(taken);
      }
      if (this.#ending !== undefined) throw this.#ending("read");
      const wait = options === undefined ? Promise.withResolvers<T>() : this.#waitWith<T>(options);
      this.#wait = wait as PromiseWithResolvers<unknown>;
      this.#take = take;
      this.#resume();
      return wait.promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #waitWith<T>(options: WaitOptions): Wait<T> {
    return new Wait(
      options,
      () => `Cannot read${toOrFrom("from", this.#owner.remote)}`,
      () => this.#forget(),
      () => ({ operation: "read", ...this.#owner.facts() }),
    );
  }

  /** Passes a chunk directly to a pending read of any length, without the queue. This is the common case. */
  #hand(chunk: Uint8Array): boolean {
    const take = this.#take;
    if ((take !== takeChunk && take !== takeNext) || this.#queue.length > 0 || chunk.length === 0) return false;
    const wait = this.#wait;
    this.#forget();
    wait?.resolve(take === takeChunk ? asBuffer(chunk) : PullIterator.result(asBuffer(chunk)));
    return true;
  }

  #settle(): void {
    const wait = this.#wait;
    if (wait === undefined || this.#take === undefined) return;
    try {
      const taken = this.#take(this);
      if (taken !== undefined) {
        this.#forget();
        wait.resolve(taken);
      } else if (this.#ending !== undefined) {
        throw this.#ending("read");
      }
    } catch (error) {
      this.#forget();
      wait.reject(error);
    }
  }

  #forget(): void {
    this.#take = undefined;
    this.#wait = undefined;
    if (this.#queue.length >= this.#highWaterMark) this.pause();
  }

  #endOfStream(wanted: string, expected: number | undefined): SocketError {
    const partial = this.takeAll();
    const text = `Cannot read ${wanted}${toOrFrom("from", this.#owner.remote)}: the peer finished after ${partial.length} bytes`;
    const fields = { operation: "read", ...this.#owner.facts(), partial };
    return new SocketError("end-of-stream", text, expected === undefined ? fields : { ...fields, expected });
  }

  /** The deadline has passed: the pending read rejects and loses no bytes. */
  #expire(): void {
    const wait = this.#wait;
    if (wait === undefined) return;
    this.#forget();
    wait.reject(this.#pastDeadline());
  }

  #pastDeadline(): SocketError {
    return this.#failure("timeout", "the read deadline is past");
  }

  #failure(code: SocketErrorCode, text: string): SocketError {
    const fields = { operation: "read", ...this.#owner.facts() };
    return new SocketError(code, `Cannot read${toOrFrom("from", this.#owner.remote)}: ${text}`, fields);
  }

  #resumeBelowMark(): void {
    if (this.#isPaused && this.#queue.length < this.#highWaterMark) this.#resume();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#owner.flow(true);
  }
}
