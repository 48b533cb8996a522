import { isUtf8 } from "node:buffer";
import { asBuffer } from "../byte-queue.ts";
import { SocketError } from "../errors.ts";
import { checkLimit } from "./check-limit.ts";
import type { Codec } from "./codec.ts";
import { QueueDecoder } from "./queue-decoder.ts";

/** Options for {@link lines}. */
export interface LinesOptions {
  /** Longest line accepted, in bytes, without its ending. @default 65536 */
  readonly bytesMax?: number;
  /** A longer line is an error that ends the stream, or it is left out. @default "fail" */
  readonly tooLong?: "fail" | "skip";
}

const LF = 0x0a;
const CR = 0x0d;
const LF_BYTES = Uint8Array.of(LF);

/**
 * UTF-8 text lines that end in LF or CRLF. A last line without its ending is a line.
 *
 * The decoder throws `frame-too-long` when a line exceeds `bytesMax`, and nothing past the limit is stored; `malformed`
 * when a line is not UTF-8.
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
  const { bytesMax = 65_536, tooLong = "fail" } = options;
  checkLimit("bytesMax", bytesMax);
  return {
    decoder: () => new LinesDecoder(bytesMax, tooLong),
    encode: (line) => {
      if (line.includes("\n")) throw new TypeError("line must not contain a line feed");
      return `${line}\n`;
    },
  };
}

class LinesDecoder extends QueueDecoder<string> {
  readonly #bytesMax: number;
  readonly #tooLong: "fail" | "skip";
  /** Bytes of the queue that have no line feed. */
  #searched = 0;
  #isSkipping = false;

  constructor(bytesMax: number, tooLong: "fail" | "skip") {
    super();
    this.#bytesMax = bytesMax;
    this.#tooLong = tooLong;
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
      // One more than the limit can still be the CR of a line that just fits.
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
