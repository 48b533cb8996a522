import { SocketError } from "../errors.ts";
import { checkLimit } from "./check-limit.ts";
import { QueueDecoder } from "./queue-decoder.ts";

/** Options of the codecs whose frames tell their length. */
export interface SizedOptions {
  /** Longest frame accepted, in bytes, without its header. @default 8388608 */
  readonly bytesMax?: number;
  /** A longer frame is an error that ends the stream, or it is left out. @default "fail" */
  readonly tooLong?: "fail" | "skip";
}

/** @throws {RangeError} when the limit is none. */
export function sizedOptions({ bytesMax = 8 * 1024 * 1024, tooLong = "fail" }: SizedOptions): Required<SizedOptions> {
  checkLimit("bytesMax", bytesMax);
  return { bytesMax, tooLong };
}

/** What the codecs share whose frames tell their length in a header: nothing of a frame that is too long is stored. */
export abstract class SizedDecoder extends QueueDecoder<Uint8Array> {
  /** Set by {@link readHeader}: bytes between header and trailer. */
  protected bodyBytes = 0;
  readonly #bytesMax: number;
  readonly #skipsTooLong: boolean;
  /** Bytes of the header that was read; 0: none was. */
  #headerBytes = 0;
  /** Bytes of a frame that is too long and still to be left out. */
  #skipBytes = 0;

  constructor({ bytesMax, tooLong }: Required<SizedOptions>) {
    super();
    this.#bytesMax = bytesMax;
    this.#skipsTooLong = tooLong === "skip";
  }

  /** Bytes behind the body. */
  protected get trailerBytes(): number {
    return 0;
  }

  /**
   * Reads the header at the front of the queue, without taking it, and sets {@link bodyBytes}.
   *
   * @returns its length; 0 when it is not all there.
   * @throws {SocketError} `malformed`.
   */
  protected abstract readHeader(): number;

  /** Takes a frame that is all there. */
  protected takeFrame(headerBytes: number): Uint8Array {
    this.queue.drop(headerBytes);
    return this.queue.take(this.bodyBytes);
  }

  protected override next(frames: Uint8Array[]): boolean {
    if (this.#skipBytes > 0) return this.#skip();
    if (this.#headerBytes === 0) {
      const headerBytes = this.readHeader();
      if (headerBytes === 0) return false;
      if (this.bodyBytes > this.#bytesMax) return this.#tooLong(headerBytes);
      this.#headerBytes = headerBytes;
    }
    if (this.queue.length < this.#headerBytes + this.bodyBytes + this.trailerBytes) return false;
    frames.push(this.takeFrame(this.#headerBytes));
    this.#headerBytes = 0;
    return true;
  }

  protected override last(): void {
    if (this.#skipBytes === 0 && this.queue.length === 0) return;
    const part = this.#headerBytes === 0 && this.#skipBytes === 0 ? "header" : "payload";
    throw new SocketError("frame-truncated", `Cannot read frame: the stream ended inside its ${part}`, {
      operation: "decode",
      partial: this.rest(),
    });
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
