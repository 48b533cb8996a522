import type { Duplex } from "node:stream";
import type { Address } from "../address.ts";
import { SocketError, type SocketErrorFields, toOrFrom } from "../errors.ts";
import { JOINED_BYTES_MAX } from "../joined-parts.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import { Deadline } from "./deadline.ts";
import { lengthOf, mistakeIn, type WriteData } from "./write-data.ts";

/** What {@link WriteSide} needs from its connection. */
export interface WriteSideOwner {
  /** There is room again after {@link WriteSide.send} returned false. */
  drained(): void;
  /** Accepted data cannot be written. */
  failed(error: Error): void;
  readonly remote: Address | undefined;
  /** The connection's addresses and byte counts, for errors. */
  facts(): SocketErrorFields;
}

/** A write or flush that waits for room. */
interface Waiting {
  readonly operation: "write" | "flush";
  /** Absent for data of `send`, which nobody awaits. */
  readonly wait?: Wait<void>;
  readonly accept: () => void;
}

/** State while a TLS handshake owns the stream. */
interface Held {
  /** Bytes of `send` calls during the handshake. */
  bytes: number;
  /** Set after `closeWrite()`: the reason to refuse more data. */
  ending: ((operation: string) => SocketError) | undefined;
}

/** Data of at least this many bytes is written at once instead of being gathered until the end of the tick. */
const DIRECT_LENGTH_MIN = 2_048;

/** Shared by all writes that are accepted at once. */
const ACCEPTED = Promise.resolve();

/** Shared empty array; replaced on the first push. */
const NONE: never[] = [];

/** Sides with data gathered in this tick. One tick callback hands over all of them. */
let gathering: WriteSide[] = [];

function handOverAll(): void {
  const sides = gathering;
  gathering = [];
  for (const side of sides) side.handOver();
}

/**
 * The writing half of a connection. It joins the data of one tick into one write to the kernel and queues writes above
 * the high-water mark, in order.
 */
export class WriteSide {
  #stream: Duplex;
  readonly #owner: WriteSideOwner;
  readonly #options: ConnectionOptions;
  readonly #high: number;
  /** Waiting writes and flushes, in order. */
  #waiting: Waiting[] = NONE;
  #flushes: Set<Wait<void>> | undefined;
  /** Data of this tick that is not written to the stream yet. */
  #gathered: Uint8Array[] = NONE;
  #gatheredBytes = 0;
  /**
   * `next`: a chunk arrived and nothing was written since. `left`: the first write since then has already been sent.
   */
  #answer: "none" | "next" | "left" = "none";
  /** Whether the previous chunk was answered with one small write. */
  #answersOnce = false;
  #isFull = false;
  /** Set during a TLS handshake: nothing is written, and all data waits. */
  #held: Held | undefined;
  /** Set when writing has ended: the reason. */
  #ending: ((operation: string) => SocketError) | undefined;
  #isGone = false;
  #deadline: Deadline | undefined;
  /** Write callback that detects the low-water mark. Created when the high-water mark is first reached. */
  #onWritten: (() => void) | undefined;

  constructor(stream: Duplex, owner: WriteSideOwner, options: ConnectionOptions) {
    this.#stream = stream;
    this.#owner = owner;
    this.#options = options;
    this.#high = options.writeHighWaterMark ?? 65_536;
  }

  /**
   * Always below the high mark. If both were equal, a full buffer at the mark would have neither room nor a pending
   * callback.
   */
  get #low(): number {
    return Math.min(this.#options.writeLowWaterMark ?? 32_768, this.#high - 1);
  }

  get bufferedBytes(): number {
    return this.#acceptedBytes + (this.#held?.bytes ?? 0);
  }

  get canWrite(): boolean {
    return this.#ending === undefined && this.#waiting.length === 0 && this.#canAccept;
  }

  get #canAccept(): boolean {
    return this.#held === undefined && this.#stream.writable && this.#acceptedBytes < this.#high;
  }

  get #acceptedBytes(): number {
    return this.#stream.writableLength + this.#gatheredBytes;
  }

  setDeadline(ms: number | null): void {
    this.#deadline ??= new Deadline(() => this.#expire());
    this.#deadline.set(ms);
  }

  send(data: WriteData): boolean {
    if (this.#ending !== undefined || !this.#stream.writable) return false;
    const mistake = mistakeIn(data);
    if (mistake !== undefined) throw mistake;
    if (this.#held === undefined) return this.#accept(data);
    if (this.#held.ending === undefined) this.#keep(data, this.#held);
    return false;
  }

  write(data: WriteData, options: WaitOptions | undefined): Promise<void> {
    const refusal = this.#refuse("write", options);
    if (refusal !== undefined) return refusal;
    const mistake = mistakeIn(data);
    if (mistake !== undefined) return Promise.reject(mistake);
    if (this.canWrite) {
      this.#accept(data);
      return ACCEPTED;
    }
    return this.#enqueue("write", options, (wait) => {
      this.#accept(data);
      wait.resolve();
    });
  }

  /** Also works after `end`: accepted data is still being sent. */
  flush(options: WaitOptions | undefined): Promise<void> {
    const refusal = refusalOf(options) ?? (this.#isGone ? this.#refuse("flush", options) : this.#refuseLate());
    if (refusal !== undefined) return refusal;
    this.handOver();
    const isEmpty = this.#stream.writableLength === 0 && this.#waiting.length === 0;
    // A broken stream is empty too, but its data was not sent.
    if (isEmpty && !this.#stream.destroyed && this.#stream.errored === null) return Promise.resolve();
    return this.#enqueue("flush", options, (wait) => {
      this.handOver();
      this.#flushes ??= new Set();
      this.#flushes.add(wait);
      const flushed = (): void => {
        // A broken stream calls back too; `fail` rejects this wait.
        if (this.#stream.errored !== null || this.#stream.destroyed) return;
        this.#flushes?.delete(wait);
        wait.resolve();
      };
      // The callback of an empty write runs after all data before it. After the end no write is possible.
      if (this.#stream.writableEnded) this.#stream.once("finish", flushed);
      else this.#stream.write("", flushed);
    });
  }

  /** Rejects waiting and later writes. `flush` still waits for accepted data. */
  end(ending: (operation: string) => SocketError): void {
    this.handOver();
    this.#ending ??= ending;
    for (const { operation, wait } of this.#waiting.splice(0)) wait?.reject(ending(operation));
  }

  /** The connection is closed: rejects everything. */
  fail(ending: (operation: string) => SocketError): void {
    this.end(ending);
    this.#isGone = true;
    this.#held = undefined;
    this.#deadline?.clear();
    this.#failFlushes(() => ending("flush"));
  }

  /** Passes gathered data to the current stream. Later data waits for {@link release}. */
  hold(): void {
    this.handOver();
    this.#held = { bytes: 0, ending: undefined };
  }

  /** As {@link end}, during a handshake. Data accepted before is still sent after {@link release}. */
  endHeld(ending: (operation: string) => SocketError): void {
    if (this.#held !== undefined) this.#held.ending ??= ending;
  }

  /** Continues with another stream. */
  release(stream: Duplex): void {
    this.#stream = stream;
    this.#ending ??= this.#held?.ending;
    this.#held = undefined;
    const wasFull = this.#isFull;
    this.#isFull = false;
    // Data of `send` counts as accepted: an end must not drop it, and later data must not overtake it.
    const sent = this.#waiting.findLastIndex(({ wait }) => wait === undefined);
    for (const { accept } of this.#waiting.splice(0, sent + 1)) accept();
    this.#admit(wasFull);
  }

  /** A chunk arrived; the next write may be its answer. */
  arrived(): void {
    this.#answer = "next";
  }

  /** Writes the gathered data to the stream. */
  handOver(): void {
    const parts = this.#gathered;
    const [first] = parts;
    if (first === undefined) return;
    const bytes = this.#gatheredBytes;
    this.#gathered = NONE;
    this.#gatheredBytes = 0;
    this.#answersOnce = parts.length === 1 && this.#answer !== "left";
    if (!this.#stream.writable) return;
    try {
      if (parts.length === 1) this.#put(first);
      else if (bytes <= Math.min(parts.length * JOINED_BYTES_MAX, this.#high)) this.#put(Buffer.concat(parts, bytes));
      else {
        this.#stream.cork();
        for (const part of parts) this.#put(part);
        this.#stream.uncork();
      }
    } catch (error) {
      // A buffer that was transferred after `send` throws here. It must not stop the other connections of this tick.
      this.#owner.failed(error as Error);
    }
  }

  /**
   * Gathering costs as much as sending a small answer. If the previous chunk was answered with one write, the first
   * write of the next answer is sent at once; further writes are gathered.
   */
  #goesDirectly(): boolean {
    if (this.#answer === "next" && this.#answersOnce) {
      this.#answer = "left";
      return true;
    }
    if (this.#answer === "next") this.#answer = "none";
    this.#answersOnce = false;
    return false;
  }

  #accept(data: WriteData): boolean {
    // Node counts the length of a string in characters, but the marks are in bytes.
    if (typeof data === "string") return this.#take(Buffer.from(data));
    if (data instanceof Uint8Array) return this.#take(data);
    for (const part of data) this.#gather(typeof part === "string" ? Buffer.from(part) : part);
    return this.#hasRoom();
  }

  #take(part: Uint8Array): boolean {
    if (this.#gathered.length === 0 && (part.length >= DIRECT_LENGTH_MIN || this.#goesDirectly())) this.#put(part);
    else this.#gather(part);
    return this.#hasRoom();
  }

  /** Keeps a part until the end of the tick. */
  #gather(part: Uint8Array): void {
    this.#gatheredBytes += part.length;
    if (this.#gathered.length > 0) {
      this.#gathered.push(part);
      return;
    }
    this.#gathered = [part];
    if (gathering.length === 0) process.nextTick(handOverAll);
    gathering.push(this);
  }

  /** Writes a part to the stream. */
  #put(part: Uint8Array): void {
    const stream = this.#stream;
    // A callback per write is costly. Only writes above the high mark have one: it detects the low mark.
    if (!this.#isFull && stream.writableLength + part.length < this.#high) {
      stream.write(part);
      return;
    }
    this.#onWritten ??= () => this.#written();
    stream.write(part, this.#onWritten);
  }

  /** Returns false when the buffer is full. The callback of the current write then reports when there is room. */
  #hasRoom(): boolean {
    if (this.#acceptedBytes >= this.#high) this.#isFull = true;
    return !this.#isFull;
  }

  #refuse(operation: string, options: WaitOptions | undefined): Promise<void> | undefined {
    const ending = this.#ending ?? this.#held?.ending;
    return refusalOf(options) ?? (ending === undefined ? this.#refuseLate() : Promise.reject(ending(operation)));
  }

  #refuseLate(): Promise<void> | undefined {
    return this.#deadline?.isPast ? Promise.reject(this.#pastDeadline()) : undefined;
  }

  /** The deadline has passed: waiting writes are withdrawn. */
  #expire(): void {
    const past = (): SocketError => this.#pastDeadline();
    const sent = this.#waiting.filter(({ wait }) => wait === undefined);
    for (const { wait } of this.#waiting.splice(0, this.#waiting.length, ...sent)) wait?.reject(past());
    this.#failFlushes(past);
  }

  #failFlushes(failure: () => SocketError): void {
    for (const wait of this.#flushes ?? []) wait.reject(failure());
    this.#flushes?.clear();
  }

  #pastDeadline(): SocketError {
    const text = `Cannot write${toOrFrom("to", this.#owner.remote)}: the write deadline is past`;
    return new SocketError("timeout", text, { operation: "write", ...this.#owner.facts() });
  }

  #enqueue(
    operation: "write" | "flush",
    options: WaitOptions | undefined,
    accept: (wait: Wait<void>) => void,
  ): Promise<void> {
    let waiting: Waiting | undefined;
    const wait = new Wait<void>(
      options,
      () => `Cannot ${operation}${toOrFrom("to", this.#owner.remote)}`,
      () => {
        if (waiting !== undefined) remove(this.#waiting, waiting);
        this.#flushes?.delete(wait);
      },
      () => ({ operation, ...this.#owner.facts() }),
    );
    if (this.#waiting.length === 0 && (this.#canAccept || operation === "flush")) {
      accept(wait);
    } else {
      waiting = { operation, wait, accept: () => accept(wait) };
      this.#wait(waiting);
    }
    return wait.promise;
  }

  #keep(data: WriteData, held: Held): void {
    this.#isFull = true;
    held.bytes += lengthOf(data);
    this.#wait({ operation: "write", accept: () => void this.#accept(data) });
  }

  #wait(waiting: Waiting): void {
    if (this.#waiting === NONE) this.#waiting = [];
    this.#waiting.push(waiting);
  }

  #written(): void {
    if (!this.#isFull || this.#held !== undefined || this.#acceptedBytes > this.#low) return;
    this.#isFull = false;
    this.#admit(true);
  }

  /** Accepts waiting writes while there is room. `isAwaited`: `send` returned false, so report the room. */
  #admit(isAwaited: boolean): void {
    while (this.#waiting.length > 0 && this.#canAccept) this.#waiting.shift()?.accept();
    if (isAwaited && this.canWrite) this.#owner.drained();
  }
}

function remove(list: Waiting[], item: Waiting): void {
  const index = list.indexOf(item);
  if (index !== -1) list.splice(index, 1);
}
