import { isAscii, isUtf8 } from "node:buffer";
import { asBuffer } from "../byte-queue.ts";
import { SocketError } from "../errors.ts";
import { checkChoice, checkLimit } from "./check-limit.ts";
import type { Codec } from "./codec.ts";
import { QueueDecoder } from "./queue-decoder.ts";

/** Options for {@link lines}. */
export interface LinesOptions {
  /** Longest line, in bytes, without its ending. 0 accepts only empty lines. @default 65536 */
  readonly bytesMax?: number | undefined;
  /** Whether a longer line is an error that ends the stream, or is skipped. @default "fail" */
  readonly tooLong?: "fail" | "skip" | undefined;
  /** The line ending to write. Both are accepted when reading. @default "\n" */
  readonly ending?: "\n" | "\r\n" | undefined;
}

const LF = 0x0a;
const CR = 0x0d;
const LF_BYTES = Uint8Array.of(LF);
/**
 * Size of the text that lines are sliced from. A line keeps the whole text in memory: 64 KiB would be 1.4 times as
 * fast.
 */
const BLOCK_BYTES = 4_096;
/** Below this number of requested lines, they are decoded one at a time. */
const BLOCK_LINES_MIN = 16;

/**
 * Lines of UTF-8 text that end in LF or CRLF. A last line without an ending is a line. A line may keep up to 4 KiB of
 * the text around it in memory.
 *
 * The decoder throws `frame-too-long` when a line exceeds `bytesMax`, and buffers no byte past the limit. It throws
 * `malformed` when a line is not UTF-8.
 *
 * @throws {RangeError} when `bytesMax` is not a whole number of 0 or more.
 * @throws {TypeError} when `tooLong` or `ending` has an unknown value.
 *
 * @example
 * ```ts
 * import { lines } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * const decoder = lines().decoder();
 * assert.deepEqual(decoder.decode(Buffer.from("one\r\ntw")), ["one"]);
 * assert.deepEqual(decoder.decode(Buffer.from("o\n")), ["two"]);
 * ```
 */
export function lines(options: LinesOptions = {}): Codec<string> {
  const { bytesMax = 65_536, tooLong = "fail", ending = "\n" } = options;
  checkLimit("bytesMax", bytesMax);
  checkChoice("tooLong", tooLong, "fail", "skip");
  if (ending !== "\n" && ending !== "\r\n") throw new TypeError("ending must be LF or CRLF");
  return {
    decoder: () => new LinesDecoder(bytesMax, tooLong),
    encode: (line) => {
      if (typeof line !== "string") throw new TypeError(`line must be a string, not of type ${typeof line}`);
      if (line.includes("\n")) throw new TypeError("line must not contain a line feed");
      // The CR would be read as part of the ending.
      if (ending === "\n" && line.endsWith("\r")) throw new TypeError("line must not end in a carriage return");
      return `${line}${ending}`;
    },
  };
}

class LinesDecoder extends QueueDecoder<string> {
  readonly #bytesMax: number;
  readonly #tooLong: "fail" | "skip";
  /** Number of leading bytes of the queue without a line feed. */
  #searched = 0;
  #isSkipping = false;

  constructor(bytesMax: number, tooLong: "fail" | "skip") {
    super();
    this.#bytesMax = bytesMax;
    this.#tooLong = tooLong;
  }

  /** Decodes a block of complete lines at a time, because a call into native code costs as much as several lines. */
  protected override scan(chunk: Buffer, start: number, frames: string[], framesMax: number): void {
    let at = start;
    while (!this.#isSkipping && frames.length < framesMax && at + this.#searched < chunk.length) {
      const first = chunk.indexOf(LF, at + this.#searched);
      if (first === -1 || first >= at + BLOCK_BYTES) {
        this.#searched = (first === -1 ? chunk.length : first) - at;
        break;
      }
      // If few lines are requested, converting a whole block to text would be wasted.
      const isWhole = framesMax - frames.length >= BLOCK_LINES_MIN;
      const end = isWhole ? chunk.lastIndexOf(LF, at + BLOCK_BYTES - 1) + 1 : first + 1;
      const length = this.#cut(chunk.subarray(at, end), frames, framesMax);
      if (length === 0) break;
      this.#searched = isWhole && at + length === end ? Math.min(at + BLOCK_BYTES, chunk.length) - end : 0;
      at += length;
    }
    this.queue.drop(at - start);
  }

  protected override next(frames: string[]): boolean {
    const at = this.queue.indexOf(LF_BYTES, this.#searched);
    if (this.#isSkipping) {
      this.queue.drop(at === -1 ? this.queue.length : at + 1);
      this.#isSkipping = at === -1;
      return at !== -1;
    }
    if (at === -1) {
      this.#searched = this.queue.length;
      // One byte above the limit can be the CR of a line that fits.
      return this.queue.length > this.#bytesMax + 1 ? this.#refuse(this.queue.length, false) : false;
    }
    this.#searched = 0;
    const length = at > 0 && this.queue.at(at - 1) === CR ? at - 1 : at;
    if (length > this.#bytesMax) return this.#refuse(at + 1, true);
    const line = this.queue.take(length);
    this.queue.drop(at + 1 - length);
    frames.push(decodeUtf8(line));
    return true;
  }

  protected override last(frames: string[]): void {
    if (this.#isSkipping || this.queue.length === 0) return;
    if (this.queue.length > this.#bytesMax) this.#refuse(this.queue.length, true);
    else frames.push(decodeUtf8(this.rest()));
  }

  /**
   * Splits a block of complete lines, up to its end or the first invalid line. Returns the number of bytes consumed.
   */
  #cut(block: Buffer, frames: string[], framesMax: number): number {
    const hasHighBytes = !isAscii(block);
    if (hasHighBytes && !isUtf8(block)) return 0;
    const text = block.toString(hasHighBytes ? "utf8" : "latin1");
    let at = 0;
    while (at < text.length && frames.length < framesMax) {
      const lf = text.indexOf("\n", at);
      const line = text.slice(at, lf > at && text.charCodeAt(lf - 1) === CR ? lf - 1 : lf);
      if (this.#isTooLong(line)) break;
      frames.push(line);
      at = lf + 1;
    }
    if (at === text.length) return block.length;
    return hasHighBytes ? Buffer.byteLength(text.slice(0, at)) : at;
  }

  /** A UTF-16 code unit has one to three bytes in UTF-8. Count the bytes only if the line may be too long. */
  #isTooLong(line: string): boolean {
    if (line.length * 3 <= this.#bytesMax) return false;
    return Buffer.byteLength(line) > this.#bytesMax;
  }

  #refuse(dropBytes: number, isWhole: boolean): boolean {
    if (this.#tooLong === "fail") {
      throw new SocketError(
        "frame-too-long",
        `Cannot read line: it exceeds limit ${this.#bytesMax} bytes (option bytesMax)`,
        { operation: "decode" },
      );
    }
    this.queue.drop(dropBytes);
    this.#searched = 0;
    this.#isSkipping = !isWhole;
    return isWhole;
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) {
    throw new SocketError("malformed", "Cannot read line: it is not UTF-8", { operation: "decode" });
  }
  return asBuffer(bytes).toString("utf8");
}
