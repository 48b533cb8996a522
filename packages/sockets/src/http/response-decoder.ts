import { asBuffer } from "../byte-queue.ts";
import { checkLimit } from "../codec/check-limit.ts";
import { QueueDecoder } from "../codec/queue-decoder.ts";
import { SocketError } from "../errors.ts";
import { type BodyLength, bodyLength } from "./body-length.ts";
import {
  type Field,
  isFolded,
  type Line,
  malformed,
  parseField,
  parseStatusLine,
  type ResponseHead,
  toHeaders,
  unfold,
} from "./response-head.ts";

/** Options for {@link ResponseDecoder}. */
export interface ResponseDecoderOptions {
  /** The method of the request. A response to `HEAD` has no body. @default "GET" */
  readonly method?: string | undefined;
  /**
   * Longest head in bytes, including 1xx responses before it. The trailers have the same limit of their own.
   *
   * @default 16384
   */
  readonly headerBytesMax?: number | undefined;
  /** Longest body, in bytes. `Infinity` for no limit. @default 67108864 */
  readonly bodyBytesMax?: number | undefined;
  /**
   * Maximum framing overhead of all chunks, in bytes. Each chunk may use 16 bytes and twice its data for free.
   *
   * @default 16384
   */
  readonly chunkOverheadBytesMax?: number | undefined;
}

/**
 * The events of a response, in this order: any number of `informational`, one `head`, any number of `data`, one `end`.
 */
export type ResponseEvent =
  /** A 1xx response before the final one. */
  | { readonly type: "informational"; readonly head: ResponseHead }
  | { readonly type: "head"; readonly head: ResponseHead }
  /** Bytes of the body. They may share memory with the received chunk. */
  | { readonly type: "data"; readonly bytes: Uint8Array }
  /** The response is complete. `trailers` are the fields after a chunked body. */
  | { readonly type: "end"; readonly trailers: Headers };

type Step = "head" | "length" | "until-close" | "chunk-size" | "chunk-data" | "chunk-end" | "trailers" | "end" | "over";

const LF = Uint8Array.of(0x0a);
const CR = 0x0d;
/** Longest line with the size and extensions of a chunk, in bytes. */
const CHUNK_LINE_BYTES_MAX = 4_096;
const CHUNK_LINE = /^([0-9A-Fa-f]+)(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n$/;

/**
 * Decodes one HTTP/1.0 or HTTP/1.1 response: bytes in, {@link ResponseEvent}s out, without I/O. It is as strict as RFC
 * 9112 requires of a client. Two choices that the RFC leaves to the client: LF alone ends a line of the head, and
 * transfer codings other than `chunked` are refused. Bytes after the response are ignored.
 *
 * `decode` and `end` throw a {@link SocketError}: `malformed` with `offset`, or `limit`. `end` also throws
 * `end-of-stream` when the response is cut off.
 *
 * @example
 * ```ts
 * import { ResponseDecoder } from "@landline/sockets/http";
 * import assert from "node:assert/strict";
 *
 * const decoder = new ResponseDecoder({ method: "GET" });
 * const events = decoder.decode(Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
 * assert.deepEqual(events.map(({ type }) => type), ["head", "data", "end"]);
 * ```
 */
export class ResponseDecoder extends QueueDecoder<ResponseEvent> {
  readonly #method: string;
  readonly #headerBytesMax: number;
  readonly #bodyBytesMax: number;
  readonly #chunkOverheadBytesMax: number;
  #step: Step = "head";
  /** Offset of the queue's first byte in the stream. */
  #offset = 0;
  /** Number of leading bytes of the queue without a line feed. */
  #searched = 0;
  /** Bytes of the current head or trailers that were consumed. */
  #headerBytes = 0;
  #status: Omit<ResponseHead, "headers"> | undefined;
  #fields: Field[] = [];
  /** Missing bytes of the body or chunk. */
  #lacking = 0;
  #bodyBytes = 0;
  /** Framing overhead of the chunks so far, minus their free allowance. */
  #chunkOverheadBytes = 0;

  /** @throws {RangeError} when a limit is negative or not a whole number. */
  constructor(options: ResponseDecoderOptions = {}) {
    super();
    const { method = "GET", headerBytesMax = 16_384, bodyBytesMax = 67_108_864 } = options;
    const { chunkOverheadBytesMax = 16_384 } = options;
    checkLimit("headerBytesMax", headerBytesMax);
    if (bodyBytesMax !== Number.POSITIVE_INFINITY) checkLimit("bodyBytesMax", bodyBytesMax);
    checkLimit("chunkOverheadBytesMax", chunkOverheadBytesMax);
    this.#method = method;
    this.#headerBytesMax = headerBytesMax;
    this.#bodyBytesMax = bodyBytesMax;
    this.#chunkOverheadBytesMax = chunkOverheadBytesMax;
  }

  protected override next(events: ResponseEvent[]): boolean {
    switch (this.#step) {
      case "head":
        return this.#head(events);
      case "length":
        return this.#data(events, "end");
      case "chunk-data":
        return this.#data(events, "chunk-end");
      case "until-close":
        return this.#untilClose(events);
      case "chunk-size":
        return this.#chunkSize();
      case "chunk-end":
        return this.#chunkEnd();
      case "trailers":
        return this.#trailers();
      case "end":
        this.#end(events);
        return true;
      case "over":
        this.queue.clear();
        return false;
    }
  }

  protected override last(events: ResponseEvent[]): void {
    if (this.#step === "until-close") this.#end(events);
    if (this.#step === "over") return;
    const hasLength = this.#step === "length";
    let what = "finished before the end of the response";
    if (hasLength) what = `finished after ${this.#bodyBytes - this.#lacking} of ${this.#bodyBytes} body bytes`;
    else if (this.#offset + this.queue.length === 0) what = "finished without a response";
    throw new SocketError("end-of-stream", `Cannot read HTTP response: the server ${what}`, {
      operation: "decode",
      ...(hasLength ? { expected: this.#bodyBytes } : {}),
    });
  }

  #head(events: ResponseEvent[]): boolean {
    const line = this.#headerLine();
    if (line === undefined) return false;
    if (this.#status === undefined) {
      this.#status = parseStatusLine(line);
    } else if (line.bytes.length > 0) {
      this.#addField(line);
    } else {
      const status = this.#status;
      const fields = this.#fields;
      this.#status = undefined;
      this.#fields = [];
      this.#headDone(events, status, fields);
    }
    return true;
  }

  #headDone(events: ResponseEvent[], status: Omit<ResponseHead, "headers">, fields: readonly Field[]): void {
    const head = { ...status, headers: toHeaders(fields) };
    // No upgrade was requested. The following bytes would be another protocol.
    if (status.status === 101) throw malformed("status 101 without an upgrade request", this.#offset);
    if (status.status < 200) {
      events.push({ type: "informational", head });
      return;
    }
    const length = bodyLength(status, fields, this.#method);
    if (length.kind === "length") this.#claimBody(length.bytes);
    events.push({ type: "head", head });
    this.#beginBody(length);
  }

  #beginBody(length: BodyLength): void {
    this.#headerBytes = 0;
    switch (length.kind) {
      case "none":
        this.#step = "end";
        return;
      case "length":
        this.#lacking = length.bytes;
        this.#step = length.bytes === 0 ? "end" : "length";
        return;
      case "chunked":
        this.#step = "chunk-size";
        return;
      case "until-close":
        this.#step = "until-close";
    }
  }

  /** Emits the available bytes of a body or chunk of known length. */
  #data(events: ResponseEvent[], following: "end" | "chunk-end"): boolean {
    if (this.queue.length === 0) return false;
    const chunk = this.queue.takeChunk();
    const bytes = chunk.length > this.#lacking ? chunk.subarray(0, this.#lacking) : chunk;
    if (bytes.length < chunk.length) this.queue.unshift(chunk.subarray(bytes.length));
    this.#lacking -= bytes.length;
    this.#pushData(events, bytes);
    if (this.#lacking === 0) this.#step = following;
    return true;
  }

  #untilClose(events: ResponseEvent[]): boolean {
    if (this.queue.length === 0) return false;
    const bytes = this.queue.takeChunk();
    // Emit the bytes within the limit before the error, so that the result does not depend on how the bytes are split.
    const within = bytes.subarray(0, this.#bodyBytesMax - this.#bodyBytes);
    if (within.length > 0) this.#pushData(events, within);
    this.#claimBody(bytes.length);
    return true;
  }

  #chunkSize(): boolean {
    const line = this.#line(
      CHUNK_LINE_BYTES_MAX,
      () => `the line before a chunk exceeds limit ${CHUNK_LINE_BYTES_MAX} bytes`,
    );
    if (line === undefined) return false;
    const [, digits = ""] = CHUNK_LINE.exec(asBuffer(line.bytes).toString("latin1")) ?? [];
    const size = Number.parseInt(digits, 16);
    if (!Number.isSafeInteger(size)) throw malformed("a bad chunk size", line.offset);
    this.#claimOverhead(line, size);
    this.#claimBody(size);
    this.#lacking = size;
    this.#step = size === 0 ? "trailers" : "chunk-data";
    return true;
  }

  #chunkEnd(): boolean {
    const [cr, lf] = [this.queue.at(0), this.queue.at(1)];
    if (cr !== undefined && cr !== CR) throw malformed("a chunk longer than its size", this.#offset);
    if (lf === undefined) return false;
    if (lf !== LF[0]) throw malformed("a chunk longer than its size", this.#offset + 1);
    this.queue.drop(2);
    this.#offset += 2;
    this.#step = "chunk-size";
    return true;
  }

  #trailers(): boolean {
    const line = this.#headerLine();
    if (line === undefined) return false;
    if (line.bytes.length > 0) this.#addField(line);
    else this.#step = "end";
    return true;
  }

  #addField(line: Line): void {
    const last = isFolded(line) ? this.#fields.pop() : undefined;
    this.#fields.push(last === undefined ? parseField(line) : unfold(last, line));
  }

  /** Reads a line of the head or trailers, without its ending. */
  #headerLine(): Line | undefined {
    const line = this.#line(
      this.#headerBytesMax - this.#headerBytes,
      () =>
        `its ${this.#step === "head" ? "head" : "trailer section"} exceeds limit ${this.#headerBytesMax} bytes (option headerBytesMax)`,
    );
    if (line === undefined) return undefined;
    this.#headerBytes += line.bytes.length;
    const bytes = line.bytes.subarray(0, line.bytes.at(-2) === CR ? -2 : -1);
    const cr = bytes.indexOf(CR);
    if (cr !== -1) throw malformed("a CR without LF", line.offset + cr);
    return { bytes, offset: line.offset };
  }

  /** Reads a line with its ending. */
  #line(bytesMax: number, tooLong: () => string): Line | undefined {
    const at = this.queue.indexOf(LF, this.#searched);
    const length = at === -1 ? this.queue.length : at + 1;
    const offset = this.#offset;
    if (length > bytesMax) throw overLimit(tooLong(), offset);
    this.#searched = at === -1 ? length : 0;
    if (at === -1) return undefined;
    this.#offset += length;
    return { bytes: this.queue.take(length), offset };
  }

  #pushData(events: ResponseEvent[], bytes: Uint8Array): void {
    this.#offset += bytes.length;
    events.push({ type: "data", bytes });
  }

  /** Refuses many small chunks with long extensions, which cost megabytes on the wire for few bytes of body. */
  #claimOverhead(line: Line, size: number): void {
    const bytes = this.#chunkOverheadBytes + line.bytes.length - 16 - 2 * size;
    this.#chunkOverheadBytes = Math.max(0, bytes);
    if (bytes > this.#chunkOverheadBytesMax) {
      const text = `the overhead of its chunks exceeds limit ${this.#chunkOverheadBytesMax} bytes`;
      throw overLimit(`${text} (option chunkOverheadBytesMax)`, line.offset);
    }
  }

  /** Counts bytes of the body before they are accepted. */
  #claimBody(bytes: number): void {
    this.#bodyBytes += bytes;
    if (this.#bodyBytes <= this.#bodyBytesMax) return;
    throw new SocketError(
      "limit",
      `Cannot read HTTP response: its body exceeds limit ${this.#bodyBytesMax} bytes (option bodyBytesMax)`,
      {
        operation: "decode",
      },
    );
  }

  #end(events: ResponseEvent[]): void {
    this.#step = "over";
    events.push({ type: "end", trailers: toHeaders(this.#fields) });
    this.#fields = [];
  }
}

function overLimit(what: string, offset: number): SocketError {
  return new SocketError("limit", `Cannot read HTTP response: ${what} (at byte ${offset})`, {
    operation: "decode",
    offset,
  });
}
