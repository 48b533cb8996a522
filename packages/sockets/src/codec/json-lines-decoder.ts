import { isUtf8 } from "node:buffer";
import { asBuffer } from "../byte-queue.ts";
import type { SocketError } from "../errors.ts";
import type { JsonSetting } from "./json.ts";
import { asFrame, jsonError, jsonTooLong, parseJson } from "./json-error.ts";
import { isWhiteSpace, JsonScanner } from "./json-scanner.ts";
import { QueueDecoder } from "./queue-decoder.ts";

const CR = 0x0d;
const LF_BYTES = Uint8Array.of(0x0a);

/** Decodes one JSON value per line (NDJSON, JSON Lines). A line is valid or invalid as a whole. */
export class JsonLinesDecoder<T> extends QueueDecoder<T | SocketError> {
  readonly #setting: JsonSetting<T>;
  readonly #scanner: JsonScanner;
  /** Number of leading bytes of the queue without a line feed. */
  #searched = 0;
  /** Offset in the stream of the line at the front of the queue. */
  #offset = 0;

  constructor(setting: JsonSetting<T>) {
    super();
    this.#setting = setting;
    this.#scanner = new JsonScanner(setting.depthMax);
  }

  protected override next(frames: (T | SocketError)[]): boolean {
    if (this.#searched === 0) this.#dropWhiteSpace();
    const at = this.queue.indexOf(LF_BYTES, this.#searched);
    this.#checkLength(at === -1 ? this.queue.length : at);
    this.#searched = at === -1 ? this.queue.length : 0;
    if (at === -1) return false;
    const line = asBuffer(this.queue.take(at));
    this.queue.drop(LF_BYTES.length);
    this.#line(frames, line);
    this.#offset += at + LF_BYTES.length;
    return true;
  }

  protected override last(frames: (T | SocketError)[]): void {
    if (this.queue.length > 0) this.#line(frames, asBuffer(this.rest()));
  }

  /** Drops white space and blank lines before a value. */
  #dropWhiteSpace(): void {
    for (; this.queue.length > 0 && isWhiteSpace(this.queue.at(0) as number); this.#offset += 1) this.queue.drop(1);
  }

  /** Decodes a line without leading white space. */
  #line(frames: (T | SocketError)[], line: Buffer): void {
    try {
      frames.push(this.#value(line));
    } catch (error) {
      if (!this.#setting.skipsInvalid) throw error;
      frames.push(error as SocketError);
    }
  }

  #value(line: Buffer): T {
    const scanner = this.#scanner;
    scanner.reset();
    const result = scanner.scan(line, 0);
    if (result === "invalid") throw this.#error(scanner.reason, scanner.position);
    if (result === "more" && !scanner.isWholeAtEnd) throw this.#error("the line ends inside its value", line.length);
    const bytes = line.subarray(0, scanner.position);
    for (let at = bytes.length; at < line.length; at += 1) {
      if (!isWhiteSpace(line[at] as number)) throw this.#error("expected the end of the line", at);
    }
    if (scanner.hasHighBytes && !isUtf8(bytes)) throw this.#error("the value is not UTF-8", 0);
    return parseJson(this.#setting.parse, bytes.toString(scanner.hasHighBytes ? "utf8" : "latin1"), this.#offset);
  }

  #error(reason: string, at: number): SocketError {
    const make = (): SocketError => jsonError(reason, this.#offset + at);
    return this.#setting.skipsInvalid ? asFrame(make) : make();
  }

  /** The CR of a line ending does not count: one byte above the limit may be it. */
  #checkLength(bytes: number): void {
    const { bytesMax } = this.#setting;
    if (bytes <= bytesMax) return;
    if (bytes === bytesMax + 1 && this.queue.at(bytesMax) === CR) return;
    throw jsonTooLong(this.#offset, bytesMax);
  }
}
