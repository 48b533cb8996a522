import { isUtf8 } from "node:buffer";
import { asBuffer, ByteQueue } from "../byte-queue.ts";
import type { SocketError } from "../errors.ts";
import { checkChoice, checkLimit } from "./check-limit.ts";
import type { Codec, Decoder } from "./codec.ts";
import { asFrame, jsonError, jsonTooLong, jsonTruncated, parseJson } from "./json-error.ts";
import { JsonLinesDecoder } from "./json-lines-decoder.ts";
import { isWhiteSpace, JsonScanner } from "./json-scanner.ts";

/** Any JSON value. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Options for {@link json}. */
export interface JsonOptions<T = JsonValue> {
  /**
   * Longest value, in bytes, at least 1. With `framing: "lines"`: the value and the rest of its line.
   *
   * @default 1048576
   */
  readonly bytesMax?: number | undefined;
  /** Deepest nesting. 0 accepts neither objects nor arrays. @default 128 */
  readonly depthMax?: number | undefined;
  /**
   * How values are separated. `values`: by their own syntax, with or without white space between them. `lines`: one
   * value per line, as in NDJSON and JSON Lines. A line is then valid or invalid as a whole: `bad {"x":1} tail` gives
   * no value, and a value must not span several lines. Blank lines are skipped.
   *
   * @default "values"
   */
  readonly framing?: "values" | "lines" | undefined;
  /**
   * What to do with invalid JSON. `fail`: an error ends the stream. `skip`: one {@link SocketError} frame is returned
   * and decoding continues: after the line with `framing: "lines"`, otherwise at the next LF or `{`. So part of an
   * invalid value may be decoded as a value.
   *
   * @default "fail"
   */
  readonly invalid?: "fail" | "skip" | undefined;
  /**
   * Converts the text of a value to a frame. An exception makes the value `malformed`, with the exception as the
   * `cause`. With `invalid: "skip"` the value gives an error frame and decoding continues directly after it. A
   * `SyntaxError` counts as invalid JSON: see `invalid`.
   *
   * The text follows JSON's grammar, but its numbers and escapes are not checked. It may contain `NaN`, `Infinity` and
   * `-Infinity` in place of numbers: Python's `json` writes them, and `JSON.parse` rejects them.
   *
   * @default JSON.parse
   */
  readonly parse?: ((text: string) => T) | undefined;
}

const NO_BYTES = Buffer.alloc(0);
/** Larger chunks are not converted to text as a whole. */
const TEXT_BYTES_MAX = 1024 * 1024;
const LF = 0x0a;
const BRACE = 0x7b;

/**
 * A sequence of JSON values: one per line, separated by white space, or back to back. Encoding writes one value per
 * line.
 *
 * The decoder throws `frame-too-long` when a value exceeds `bytesMax`, and buffers no byte past the limit. It throws
 * `malformed` for invalid JSON, invalid UTF-8 and nesting above `depthMax`, and `frame-truncated` when the stream ends
 * inside a value. The error text has the reason and the position. `offset` is the position too: the number of bytes that
 * the decoder got before it. A byte order mark and the record separators of RFC 7464 are not JSON. A lone surrogate that
 * is written as an escape is accepted.
 *
 * Frames have the type that `parse` returns. A type argument without `parse` is not checked.
 *
 * @throws {RangeError} when a limit is not a whole number, or `bytesMax` is below 1.
 * @throws {TypeError} when `framing` or `invalid` has an unknown value.
 *
 * @example
 * ```ts
 * import { json } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * const decoder = json().decoder();
 * assert.deepEqual(decoder.decode(Buffer.from('{"a":1}{"b"')), [{ a: 1 }]);
 * assert.deepEqual(decoder.decode(Buffer.from(":2}\n")), [{ b: 2 }]);
 *
 * const names = json({
 *   parse: (text) => {
 *     const value: unknown = JSON.parse(text);
 *     if (typeof value !== "string") throw new TypeError("a name is a string");
 *     return value;
 *   },
 * });
 * assert.deepEqual(names.decoder().decode(Buffer.from('"Ann" "Bob"\n')), ["Ann", "Bob"]);
 * assert.throws(() => names.decoder().decode(Buffer.from("5\n")), { code: "malformed" });
 *
 * const [one, wrong, two] = json({ framing: "lines", invalid: "skip" }).decoder().decode(Buffer.from("1\nbad {}\n2\n"));
 * assert.deepEqual([one, two], [1, 2]);
 * assert.equal(String(wrong), "SocketError: Cannot read JSON: at byte 2, expected a value");
 * ```
 */
export function json<T = JsonValue>(
  options: JsonOptions<T> & { readonly invalid: "skip" },
): Codec<T | SocketError, unknown>;
export function json<T = JsonValue>(options?: JsonOptions<T>): Codec<T, unknown>;
export function json<T>(options: JsonOptions<T> = {}): Codec<T | SocketError, unknown> {
  const { bytesMax = 1024 * 1024, depthMax = 128, framing = "values", invalid = "fail", parse = JSON.parse } = options;
  checkLimit("bytesMax", bytesMax, 1);
  checkLimit("depthMax", depthMax);
  checkChoice("framing", framing, "values", "lines");
  checkChoice("invalid", invalid, "fail", "skip");
  const setting = { bytesMax, depthMax, skipsInvalid: invalid === "skip", parse };
  return {
    decoder: () => (framing === "lines" ? new JsonLinesDecoder(setting) : new JsonDecoder(setting)),
    encode: (value) => {
      const text = JSON.stringify(value);
      if (text === undefined) throw new TypeError("value must be one that JSON can represent");
      return `${text}\n`;
    },
  };
}

/** @internal The validated options of a decoder. */
export interface JsonSetting<T> {
  readonly bytesMax: number;
  readonly depthMax: number;
  readonly skipsInvalid: boolean;
  readonly parse: (text: string) => T;
}

class JsonDecoder<T> implements Decoder<T | SocketError> {
  readonly #bytesMax: number;
  readonly #skipsInvalid: boolean;
  readonly #parse: (text: string) => T;
  readonly #scanner: JsonScanner;
  /** The current chunk and the position in it. */
  #chunk: Buffer = NO_BYTES;
  #position = 0;
  /** Offset of the chunk in the stream. */
  #chunkOffset = 0;
  /** The chunk as Latin-1 text, created for the first ASCII value in it: cheaper than one text per value. */
  #text: string | undefined;
  /** The part of the current value in earlier chunks. */
  readonly #begun: ByteQueue = new ByteQueue();
  /** Chunks that wait because `framesMax` was reached. */
  #later: Buffer[] = [];
  #isSkipping = false;
  #error: SocketError | undefined;
  #isOver = false;

  constructor({ bytesMax, depthMax, skipsInvalid, parse }: JsonSetting<T>) {
    this.#bytesMax = bytesMax;
    this.#scanner = new JsonScanner(depthMax);
    this.#skipsInvalid = skipsInvalid;
    this.#parse = parse;
  }

  decode(chunk: Uint8Array, framesMax: number = Number.POSITIVE_INFINITY): readonly (T | SocketError)[] {
    const frames: (T | SocketError)[] = [];
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      throw error;
    }
    if (this.#isOver) return frames;
    if (this.#position < this.#chunk.length || this.#later.length > 0) {
      if (chunk.length > 0) this.#later.push(asBuffer(chunk));
    } else {
      this.#begin(asBuffer(chunk));
    }
    try {
      for (;;) {
        while (this.#position < this.#chunk.length) {
          if (frames.length >= framesMax) return frames;
          this.#step(frames);
        }
        const next = this.#later.shift();
        // Release a finished chunk at once, not with the next one.
        this.#begin(next ?? NO_BYTES);
        if (next === undefined) break;
      }
    } catch (error) {
      this.#isOver = true;
      if (frames.length === 0) throw error;
      this.#error = error as SocketError;
    }
    return frames;
  }

  end(): readonly (T | SocketError)[] {
    const frames = [...this.decode(NO_BYTES)];
    if (this.#isOver) return frames;
    try {
      if (this.#scanner.isWholeAtEnd) this.#value(frames, this.#chunk.length);
      else if (this.#scanner.isInside) throw jsonTruncated(this.#valueOffset, this.rest());
    } catch (error) {
      if (frames.length === 0) throw error;
      this.#error = error as SocketError;
    } finally {
      this.#isOver = true;
    }
    return frames;
  }

  rest(): Uint8Array {
    const rest = Buffer.concat([this.#takeBegun(), this.#chunk.subarray(this.#position), ...this.#later]);
    this.#later = [];
    this.#position = this.#chunk.length;
    return rest;
  }

  /** Offset of the current value in the stream. */
  get #valueOffset(): number {
    return this.#chunkOffset + this.#position - this.#begun.length;
  }

  #begin(chunk: Buffer): void {
    this.#chunkOffset += this.#chunk.length;
    this.#chunk = chunk;
    this.#position = 0;
    this.#text = undefined;
  }

  /** Continues to the end of the white space, the value, the skipped part, or the chunk. */
  #step(frames: (T | SocketError)[]): void {
    if (this.#isSkipping) {
      this.#skip();
      return;
    }
    if (!this.#scanner.isInside) {
      this.#skipWhiteSpace();
      if (this.#position === this.#chunk.length) return;
    }
    const result = this.#scanner.scan(this.#chunk, this.#position);
    const end = this.#scanner.position;
    const bytes = this.#begun.length + end - this.#position;
    this.#checkLength(bytes);
    if (result === "value") {
      this.#value(frames, end);
    } else if (result === "invalid") {
      const error = (): SocketError => jsonError(this.#scanner.reason, this.#chunkOffset + end);
      // Skip a byte that cannot begin a value, even `{` (for example with `depthMax: 0`), at which decoding would
      // resume: each step must consume a byte.
      this.#position = bytes === 0 ? end + 1 : end;
      this.#refuse(frames, this.#skipsInvalid ? asFrame(error) : error());
    } else {
      this.#begun.push(this.#chunk.subarray(this.#position));
      this.#begun.compact();
      this.#position = end;
    }
  }

  /** The current value ends before `end`. */
  #value(frames: (T | SocketError)[], end: number): void {
    const offset = this.#valueOffset;
    const text = this.#textTo(end);
    this.#position = end;
    this.#scanner.reset();
    if (text === undefined) {
      this.#refuse(frames, jsonError("the value is not UTF-8", offset));
      return;
    }
    let frame: T;
    try {
      frame = parseJson(this.#parse, text, offset);
    } catch (thrown) {
      const error = thrown as SocketError;
      if (error.cause instanceof SyntaxError) {
        this.#refuse(frames, error);
        return;
      }
      if (!this.#skipsInvalid) throw error;
      frames.push(error);
      return;
    }
    frames.push(frame);
  }

  /** Returns the text of the current value, which ends before `end`, or `undefined` when it is not UTF-8. */
  #textTo(end: number): string | undefined {
    const { hasHighBytes } = this.#scanner;
    if (this.#begun.length === 0 && !hasHighBytes && this.#chunk.length <= TEXT_BYTES_MAX) {
      this.#text ??= this.#chunk.toString("latin1");
      return this.#text.slice(this.#position, end);
    }
    const last = this.#chunk.subarray(this.#position, end);
    const bytes = this.#begun.length === 0 ? last : Buffer.concat([this.#takeBegun(), last]);
    if (!hasHighBytes) return bytes.toString("latin1");
    return isUtf8(bytes) ? bytes.toString("utf8") : undefined;
  }

  #takeBegun(): Uint8Array {
    return this.#begun.take(this.#begun.length);
  }

  #refuse(frames: (T | SocketError)[], error: SocketError): void {
    this.#scanner.reset();
    this.#begun.clear();
    if (!this.#skipsInvalid) throw error;
    this.#isSkipping = true;
    frames.push(error);
  }

  #skip(): void {
    const chunk = this.#chunk;
    let i = this.#position;
    while (i < chunk.length && chunk[i] !== LF && chunk[i] !== BRACE) i += 1;
    this.#position = i;
    this.#isSkipping = i === chunk.length;
  }

  #skipWhiteSpace(): void {
    const chunk = this.#chunk;
    let i = this.#position;
    while (i < chunk.length && isWhiteSpace(chunk[i] as number)) i += 1;
    this.#position = i;
  }

  #checkLength(bytes: number): void {
    if (bytes <= this.#bytesMax) return;
    const offset = this.#valueOffset;
    this.#begun.clear();
    throw jsonTooLong(offset, this.#bytesMax);
  }
}
