import type { Duplex } from "node:stream";
import type { Address } from "../address.ts";
import { SocketError, type SocketErrorFields, toOrFrom } from "../errors.ts";
import { JOINED_BYTES_MAX } from "../joined-parts.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import { Deadline } from "./deadline.ts";
import { lengthOf, mistakeIn, type WriteData } from "./write-data.ts";

/** What the writing half tells the connection that it belongs to. */
export interface WriteSideOwner {
  /** There is room again after {@link WriteSide.send} said that there was none. */
  drained(): void;
  /** What was accepted cannot be written. */
  failed(error: Error): void;
  readonly remote: Address | undefined;
  /** The connection's addresses and byte counts, for errors. */
  facts(): SocketErrorFields;
}

/** A write or a flush that stands in the queue until there is room. */
interface Waiting {
  readonly operation: "write" | "flush";
  /** None for what was sent. */
  readonly wait?: Wait<void>;
  readonly accept: () => void;
}

/** What came between two streams. */
interface Held {
  /** Of what was sent. */
  bytes: number;
  /** Why nothing more is taken. */
  ending: ((operation: string) => SocketError) | undefined;
}

/** As much as this leaves at once, without waiting for what else the tick brings. */
const DIRECT_LENGTH_MIN = 2_048;

/** One for all writes that are accepted at once. */
const ACCEPTED = Promise.resolve();

/** What waits where nothing ever did, and what is gathered where nothing is. */
const NONE: never[] = [];

/** The writing halves that were written to in this tick: one tick callback serves them all. */
let gathering: WriteSide[] = [];

function handOverAll(): void {
  const sides = gathering;
  gathering = [];
  for (const side of sides) side.handOver();
}

/**
 * The writing half of a connection: what is written in one tick leaves in one write to the kernel, and what does not fit
 * below the high-water mark waits in order.
 */
export class WriteSide {
  #stream: Duplex;
  readonly #owner: WriteSideOwner;
  readonly #options: ConnectionOptions;
  readonly #high: number;
  /** An array of its own once something waits. */
  #waiting: Waiting[] = NONE;
  #flushes: Set<Wait<void>> | undefined;
  /** What was written in this tick; an array of its own once there is something. */
  #gathered: Uint8Array[] = NONE;
  #gatheredBytes = 0;
  /** Whether the next small write is the first one since a chunk arrived, or the first one has left already. */
  #answer: "none" | "next" | "left" = "none";
  /** Whether the last chunk was answered by one small write. */
  #answersOnce = false;
  #isFull = false;
  /** There between two streams: nothing is written, and all waits. */
  #held: Held | undefined;
  /** Why nothing can be written any more. */
  #ending: ((operation: string) => SocketError) | undefined;
  #isGone = false;
  #deadline: Deadline | undefined;
  /** Made when the high-water mark is passed: how the low one is noticed. */
  #onWritten: (() => void) | undefined;

  constructor(stream: Duplex, owner: WriteSideOwner, options: ConnectionOptions) {
    this.#stream = stream;
    this.#owner = owner;
    this.#options = options;
    this.#high = options.writeHighWaterMark ?? 65_536;
  }

  /** Below the high mark, or at it there would be neither room nor anything left to wait for. */
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

  /** Also after `end`: what was accepted before is still on its way. */
  flush(options: WaitOptions | undefined): Promise<void> {
    const refusal = refusalOf(options) ?? (this.#isGone ? this.#refuse("flush", options) : this.#refuseLate());
    if (refusal !== undefined) return refusal;
    this.handOver();
    const isEmpty = this.#stream.writableLength === 0 && this.#waiting.length === 0;
    // A stream that broke has nothing left to write, either.
    if (isEmpty && !this.#stream.destroyed && this.#stream.errored === null) return Promise.resolve();
    return this.#enqueue("flush", options, (wait) => {
      this.handOver();
      this.#flushes ??= new Set();
      this.#flushes.add(wait);
      const flushed = (): void => {
        // A stream that broke calls too; `fail` then rejects.
        if (this.#stream.errored !== null || this.#stream.destroyed) return;
        this.#flushes?.delete(wait);
        wait.resolve();
      };
      // An empty write is written when all before it is; behind the end there can be none.
      if (this.#stream.writableEnded) this.#stream.once("finish", flushed);
      else this.#stream.write("", flushed);
    });
  }

  /** Refuses what waits and what comes; `flush` still waits for what was accepted. */
  end(ending: (operation: string) => SocketError): void {
    this.handOver();
    this.#ending ??= ending;
    for (const { operation, wait } of this.#waiting.splice(0)) wait?.reject(ending(operation));
  }

  /** The connection is gone. */
  fail(ending: (operation: string) => SocketError): void {
    this.end(ending);
    this.#isGone = true;
    this.#held = undefined;
    this.#deadline?.clear();
    this.#failFlushes(() => ending("flush"));
  }

  /** What was written goes to the stream as it is; what follows waits for {@link release}. */
  hold(): void {
    this.handOver();
    this.#held = { bytes: 0, ending: undefined };
  }

  /** As {@link end} while it is held: what was taken before still leaves after {@link release}. */
  endHeld(ending: (operation: string) => SocketError): void {
    if (this.#held !== undefined) this.#held.ending ??= ending;
  }

  /** Goes on with another stream. */
  release(stream: Duplex): void {
    this.#stream = stream;
    this.#ending ??= this.#held?.ending;
    this.#held = undefined;
    const wasFull = this.#isFull;
    this.#isFull = false;
    // What was sent counts as accepted: an end must not drop it, nor what is sent next overtake it.
    const sent = this.#waiting.findLastIndex(({ wait }) => wait === undefined);
    for (const { accept } of this.#waiting.splice(0, sent + 1)) accept();
    this.#admit(wasFull);
  }

  /** A chunk has arrived, which may be answered. */
  arrived(): void {
    this.#answer = "next";
  }

  /** Hands what was gathered to the stream. */
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
      // Bytes that were given away meanwhile (a transferred buffer) are no reason to stop the other connections.
      this.#owner.failed(error as Error);
    }
  }

  /**
   * Gathering costs as much as a small answer itself, so where the last chunk was answered by one write, the first write
   * of the next answer does not wait for others; when there are others, they are gathered from then on.
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
    // Node counts a string by its characters; the marks are in bytes.
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

  /** Hands a part to the stream. */
  #put(part: Uint8Array): void {
    const stream = this.#stream;
    // A callback costs, so only what is written above the mark has one: it is how the low mark is noticed.
    if (!this.#isFull && stream.writableLength + part.length < this.#high) {
      stream.write(part);
      return;
    }
    this.#onWritten ??= () => this.#written();
    stream.write(part, this.#onWritten);
  }

  /** False if there is no room for more: what is written now tells when there is again. */
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

  /** The deadline passed: writes that wait are withdrawn. */
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

  /** Lets in what waits; who was told that there is no room is told when there is again. */
  #admit(isAwaited: boolean): void {
    while (this.#waiting.length > 0 && this.#canAccept) this.#waiting.shift()?.accept();
    if (isAwaited && this.canWrite) this.#owner.drained();
  }
}

function remove(list: Waiting[], item: Waiting): void {
  const index = list.indexOf(item);
  if (index !== -1) list.splice(index, 1);
}
