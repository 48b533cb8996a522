import { SocketError } from "../errors.ts";
import { checkChoice, checkLimit } from "./check-limit.ts";
import type { Codec } from "./codec.ts";
import { type CopyOption, copiedIf } from "./copied.ts";
import { QueueDecoder } from "./queue-decoder.ts";

/** Options for {@link delimited}. */
export interface DelimitedOptions extends CopyOption {
  /** Longest frame accepted, in bytes, without its delimiter; 0 takes empty frames only. @default 65536 */
  readonly bytesMax?: number | undefined;
  /** A longer frame is an error that ends the stream, or it is left out. @default "fail" */
  readonly tooLong?: "fail" | "skip" | undefined;
}

/**
 * Frames that end in a delimiter, or in one of several: the earliest counts, and of those that begin at one place the
 * longest. So a delimiter that begins another one waits for the next byte. A last frame without its delimiter is a frame.
 * Frames are bytes, without the delimiter, and share memory with what arrived
 * (unless `copy` is set). Written is the first delimiter.
 *
 * The decoder throws `frame-too-long` when a frame exceeds `bytesMax`, and nothing past the limit is stored.
 *
 * @throws {TypeError} without a delimiter, or with an empty one.
 * @throws {RangeError} when `bytesMax` is not a whole number of 0 or more.
 *
 * @example
 * ```ts
 * import { delimited } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * const decoder = delimited(["\0", "\r\n"]).decoder();
 * const frames = decoder.decode(Buffer.from("one\0two\r\nthr"));
 * assert.deepEqual(frames.map(String), ["one", "two"]);
 * ```
 */
export function delimited(
  delimiters: Uint8Array | string | readonly (Uint8Array | string)[],
  options: DelimitedOptions = {},
): Codec<Uint8Array> {
  const { bytesMax = 65_536, tooLong = "fail" } = options;
  checkLimit("bytesMax", bytesMax);
  checkChoice("tooLong", tooLong, "fail", "skip");
  const list = typeof delimiters === "string" || delimiters instanceof Uint8Array ? [delimiters] : delimiters;
  const bytes = list.map((delimiter) => (typeof delimiter === "string" ? Buffer.from(delimiter) : delimiter));
  const [first] = bytes;
  if (first === undefined || bytes.some((delimiter) => delimiter.length === 0)) {
    throw new TypeError("delimiters must be at least one, and none of them empty");
  }
  return copiedIf(options.copy, {
    decoder: () => new DelimitedDecoder(bytes, bytesMax, tooLong === "skip"),
    encode: (frame) => [frame, first],
  });
}

class DelimitedDecoder extends QueueDecoder<Uint8Array> {
  readonly #delimiters: readonly Uint8Array[];
  readonly #bytesMax: number;
  readonly #skipsTooLong: boolean;
  /** For each delimiter, before which place of the queue it does not begin: no byte is searched for it twice. */
  readonly #searched: number[];
  #isSkipping = false;
  #hasEnded = false;

  constructor(delimiters: readonly Uint8Array[], bytesMax: number, skipsTooLong: boolean) {
    super();
    this.#delimiters = delimiters;
    this.#searched = delimiters.map(() => 0);
    this.#bytesMax = bytesMax;
    this.#skipsTooLong = skipsTooLong;
  }

  /** With several delimiters there is more to decide than one search can. */
  protected override scan(chunk: Buffer, start: number, frames: Uint8Array[], framesMax: number): void {
    const [delimiter] = this.#delimiters;
    if (delimiter === undefined || this.#delimiters.length > 1 || this.#isSkipping) return;
    const wanted = delimiter.length === 1 ? (delimiter[0] as number) : delimiter;
    let from = start + (this.#searched[0] ?? 0);
    let at = start;
    while (frames.length < framesMax) {
      const end = chunk.indexOf(wanted, from);
      if (end === -1 || end - at > this.#bytesMax) break;
      frames.push(chunk.subarray(at, end));
      at = end + delimiter.length;
      from = at;
    }
    this.queue.drop(at - start);
    this.#moveOn(at - start);
  }

  protected override next(frames: Uint8Array[]): boolean {
    const { at, length } = this.#find();
    if (length === 0) return this.#withoutDelimiter(at);
    if (this.#isSkipping) {
      this.#isSkipping = false;
      this.queue.drop(at + length);
    } else if (at > this.#bytesMax) {
      this.#refuse();
      this.queue.drop(at + length);
    } else {
      frames.push(this.queue.take(at));
      this.queue.drop(length);
    }
    this.#moveOn(at + length);
    return true;
  }

  protected override last(frames: Uint8Array[]): void {
    this.#hasEnded = true;
    // What waited for a longer delimiter no longer does.
    while (this.next(frames));
    if (this.#isSkipping || this.queue.length === 0) return;
    if (this.queue.length > this.#bytesMax) this.#refuse();
    else frames.push(this.rest());
  }

  /** Where the next delimiter begins and how long it is; without one (`length` 0) where one may still begin. */
  #find(): { at: number; length: number } {
    let at = this.queue.length;
    let length = 0;
    let isOpen = false;
    for (const [index, delimiter] of this.#delimiters.entries()) {
      const found = this.#place(delimiter, this.#searched[index] ?? 0);
      this.#searched[index] = found;
      if (found > at || found === this.queue.length) continue;
      const isWhole = found + delimiter.length <= this.queue.length;
      if (found < at) {
        at = found;
        length = 0;
        isOpen = false;
      }
      if (isWhole) length = Math.max(length, delimiter.length);
      // One that is not whole lies across the end, so it is longer than any whole one at the same place.
      else isOpen = true;
    }
    return { at, length: isOpen ? 0 : length };
  }

  /** Where a delimiter begins at or after `from`, or may begin at the end of what is there. */
  #place(delimiter: Uint8Array, from: number): number {
    const { length } = this.queue;
    const found = this.queue.indexOf(delimiter, from);
    if (found !== -1 || this.#hasEnded) return found === -1 ? length : found;
    let at = Math.max(from, length - delimiter.length + 1);
    while (at < length && !this.#endsWithStart(delimiter, at)) at += 1;
    return at;
  }

  #endsWithStart(delimiter: Uint8Array, at: number): boolean {
    for (let i = at; i < this.queue.length; i += 1) if (this.queue.at(i) !== delimiter[i - at]) return false;
    return true;
  }

  /** No frame before `at`: too much may have come already. */
  #withoutDelimiter(at: number): boolean {
    if (!this.#isSkipping && at > this.#bytesMax) {
      this.#refuse();
      this.#isSkipping = true;
    }
    if (this.#isSkipping && at > 0) {
      this.queue.drop(at);
      this.#moveOn(at);
    }
    return false;
  }

  /** So many bytes of the queue were taken. */
  #moveOn(bytes: number): void {
    for (const [index, searched] of this.#searched.entries()) this.#searched[index] = Math.max(0, searched - bytes);
  }

  #refuse(): void {
    if (this.#skipsTooLong) return;
    throw new SocketError(
      "frame-too-long",
      `Cannot read frame: it exceeds limit ${this.#bytesMax} bytes (option bytesMax)`,
      { operation: "decode" },
    );
  }
}
