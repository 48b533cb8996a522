import { asBuffer } from "../byte-queue.ts";
import { SocketError } from "../errors.ts";
import { checkChoice, checkLimit } from "./check-limit.ts";
import type { CopyOption } from "./copied.ts";
import { QueueDecoder } from "./queue-decoder.ts";

/** Options of codecs whose frames contain their length. */
export interface SizedOptions extends CopyOption {
  /** Longest frame, in bytes, without its header. 0 accepts only empty frames. @default 8388608 */
  readonly bytesMax?: number | undefined;
  /** Whether a longer frame is an error that ends the stream, or is skipped. @default "fail" */
  readonly tooLong?: "fail" | "skip" | undefined;
}

/** The validated options of a decoder. */
export interface SizedLimits {
  readonly bytesMax: number;
  readonly tooLong: "fail" | "skip";
}

/**
 * @throws {RangeError} when `bytesMax` is not a whole number of 0 or more.
 * @throws {TypeError} when `tooLong` has an unknown value.
 */
export function sizedOptions({ bytesMax = 8 * 1024 * 1024, tooLong = "fail" }: SizedOptions): SizedLimits {
  checkLimit("bytesMax", bytesMax);
  checkChoice("tooLong", tooLong, "fail", "skip");
  return { bytesMax, tooLong };
}

/** Longest header, unless a layout has other fields before the length. */
const HEADER_BYTES_MAX = 32;

/** Base class of codecs with a length in a header. It buffers nothing of a frame that is too long. */
export abstract class SizedDecoder extends QueueDecoder<Uint8Array> {
  /** Set by {@link readHeader}: bytes between header and trailer. */
  protected bodyBytes = 0;
  readonly #bytesMax: number;
  readonly #skipsTooLong: boolean;
  /** Bytes of a long frame that are still to be skipped. */
  #skipBytes = 0;

  constructor({ bytesMax, tooLong }: SizedLimits) {
    super();
    this.#bytesMax = bytesMax;
    this.#skipsTooLong = tooLong === "skip";
  }

  /** Whether the next bytes belong to a frame that is being skipped. */
  protected get isSkipping(): boolean {
    return this.#skipBytes > 0;
  }

  /** Number of bytes after the body. */
  protected get trailerBytes(): number {
    return 0;
  }

  /** Maximum size of a header. */
  protected get headerBytesMax(): number {
    return HEADER_BYTES_MAX;
  }

  /**
   * Reads the header at `at` and sets {@link bodyBytes}.
   *
   * @returns the size of the header, or 0 when it is incomplete.
   * @throws {SocketError} `malformed` when the header is invalid.
   */
  protected abstract readHeader(bytes: Buffer, at: number): number;

  /** Returns the payload of the complete frame at `at`. */
  protected frameAt(bytes: Buffer, at: number, headerBytes: number): Uint8Array {
    return bytes.subarray(at + headerBytes, at + headerBytes + this.bodyBytes);
  }

  protected override scan(chunk: Buffer, start: number, frames: Uint8Array[], framesMax: number): void {
    if (this.isSkipping) return;
    const { trailerBytes } = this;
    let at = start;
    try {
      while (frames.length < framesMax) {
        const headerBytes = this.readHeader(chunk, at);
        if (headerBytes === 0 || this.bodyBytes > this.#bytesMax) break;
        const end = at + headerBytes + this.bodyBytes + trailerBytes;
        if (end > chunk.length) break;
        frames.push(this.frameAt(chunk, at, headerBytes));
        at = end;
      }
    } finally {
      this.queue.drop(at - start);
    }
  }

  protected override next(frames: Uint8Array[]): boolean {
    if (this.isSkipping) return this.#skip();
    const headerBytes = this.#peekHeader();
    if (headerBytes === 0) return false;
    if (this.bodyBytes > this.#bytesMax) return this.#tooLong(headerBytes);
    const frameBytes = headerBytes + this.bodyBytes + this.trailerBytes;
    if (this.queue.length < frameBytes) return false;
    frames.push(this.frameAt(asBuffer(this.queue.take(frameBytes)), 0, headerBytes));
    return true;
  }

  protected override last(): void {
    if (this.#skipBytes === 0 && this.queue.length === 0) return;
    const part = this.#skipBytes === 0 && this.#peekHeader() === 0 ? "header" : "payload";
    throw new SocketError("frame-truncated", `Cannot read frame: the stream ended inside its ${part}`, {
      operation: "decode",
      partial: this.rest(),
    });
  }

  #peekHeader(): number {
    return this.readHeader(this.queue.peek(this.headerBytesMax), 0);
  }

  #skip(): boolean {
    const skipped = Math.min(this.#skipBytes, this.queue.length);
    this.queue.drop(skipped);
    this.#skipBytes -= skipped;
    return this.#skipBytes === 0;
  }

  #tooLong(headerBytes: number): boolean {
    if (!this.#skipsTooLong) throw frameTooLong("read", this.bodyBytes, this.#bytesMax);
    this.#skipBytes = headerBytes + this.bodyBytes + this.trailerBytes;
    return true;
  }
}

export function frameTooLong(verb: "read" | "write", bytes: number, bytesMax: number): SocketError {
  return new SocketError(
    "frame-too-long",
    `Cannot ${verb} frame: length ${bytes} exceeds limit ${bytesMax} bytes (option bytesMax)`,
    { operation: verb === "read" ? "decode" : "encode" },
  );
}

export function offsetUnsupported(): TypeError {
  return new TypeError("Cannot encode frames with an offset: the header before the length is unknown");
}
