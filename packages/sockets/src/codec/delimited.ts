import { SocketError } from "../errors.ts";
import { checkChoice, checkLimit } from "./check-limit.ts";
import type { Codec } from "./codec.ts";
import { type CopyOption, copiedIf } from "./copied.ts";
import { QueueDecoder } from "./queue-decoder.ts";

/** Options for {@link delimited}. */
export interface DelimitedOptions extends CopyOption {
  /** Longest frame, in bytes, without its delimiter. 0 accepts only empty frames. @default 65536 */
  readonly bytesMax?: number | undefined;
  /** Whether a longer frame is an error that ends the stream, or is skipped. @default "fail" */
  readonly tooLong?: "fail" | "skip" | undefined;
}

/**
 * Frames that end in a delimiter, or in one of several. The earliest delimiter counts. Of those that begin at the same
 * place, the longest counts, so a delimiter that is the start of a longer one waits for more bytes. A last frame
 * without a delimiter is a frame. Frames are bytes without the delimiter and share memory with the chunk (unless `copy`
 * is set). Encoding writes the first delimiter.
 *
 * The decoder throws `frame-too-long` when a frame exceeds `bytesMax`. Bytes past the limit are not buffered.
 *
 * @throws {TypeError} without a delimiter, for an empty one, or for an invalid `tooLong`.
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
    throw new TypeError("delimiters must be at least one, and not empty");
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
  /** For each delimiter: the place in the queue before which it does not begin. No byte is searched twice for it. */
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

  /** Handles a single delimiter. Several delimiters need the comparison in {@link next}. */
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
    // A delimiter no longer waits for a longer one.
    while (this.next(frames));
    if (this.#isSkipping || this.queue.length === 0) return;
    if (this.queue.length > this.#bytesMax) this.#refuse();
    else frames.push(this.rest());
  }

  /**
   * Returns the position and length of the next delimiter. If there is none, `length` is 0 and `at` is the place where
   * one may begin.
   */
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
      // An incomplete delimiter extends past the end, so it is longer than a complete one at the same place.
      else isOpen = true;
    }
    return { at, length: isOpen ? 0 : length };
  }

  /** Returns where a delimiter begins at or after `from`, or where the end of the queue may be its start. */
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

  /** No delimiter before `at`: check the limit, and drop bytes while skipping. */
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

  /** This many bytes of the queue were taken. */
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
