import assert from "node:assert/strict";
import type { Codec, Decoder } from "../codec/mod.ts";
import { SocketError } from "../errors.ts";
import { byteByByte, cutsOf } from "./cuts.ts";

/**
 * The outcome of a decoder: a frame, or the error that ended it. Bytes are given as hex. Hex is readable in a failed
 * comparison, and it is a copy: frames may share memory with their chunks.
 */
export type DecodeOutcome =
  | { readonly frame: unknown }
  | { readonly error: string; readonly text: string; readonly partial: string | undefined };

/** An expected error: its code and, for `frame-truncated`, the incomplete bytes as hex. */
export interface ExpectedError {
  readonly error: string;
  readonly partial?: string;
}

/**
 * Decodes the chunks and the end of the stream with a new decoder, and checks the contract of {@link Decoder}:
 *
 * - It throws only `SocketError`s, and at most one. Nothing follows the error or the end.
 * - One call returns at most `framesMax` frames. It returns fewer only when there are no more.
 * - Every frame and the error consume at least one byte; the end may give one more frame or error.
 *
 * @throws {assert.AssertionError} when the decoder violates the contract.
 *
 * @example
 * ```ts
 * import { lines } from "@landline/sockets";
 * import { decodeAll } from "@landline/sockets/testing";
 * import assert from "node:assert/strict";
 *
 * const chunks = ["on", "e\ntw", "o"].map((text) => Buffer.from(text));
 * assert.deepEqual(decodeAll(lines(), chunks), [{ frame: "one" }, { frame: "two" }]);
 * ```
 */
export function decodeAll(
  codec: Pick<Codec<unknown, never>, "decoder">,
  chunks: readonly Uint8Array[],
  framesMax: number = Number.POSITIVE_INFINITY,
): readonly DecodeOutcome[] {
  const decoder = codec.decoder();
  const outcomes: DecodeOutcome[] = [];
  let isOver = false;
  let bytes = 0;
  const step = (decode: () => readonly unknown[], max: number): number => {
    let frames: readonly unknown[] = [];
    try {
      frames = decode();
    } catch (error) {
      if (!(error instanceof SocketError))
        assert.fail(`the decoder threw an error that is not a SocketError: ${error}`);
      assert.ok(!isOver, "a second error");
      isOver = true;
      outcomes.push({ error: error.code, text: error.message, partial: hex(error.partial) });
      checkProgress();
      return 0;
    }
    assert.ok(frames.length <= max, "more frames than requested");
    assert.ok(frames.length === 0 || !isOver, "a frame after the error");
    for (const frame of frames) outcomes.push({ frame: comparable(frame) });
    checkProgress();
    return frames.length;
  };
  const checkProgress = (): void => {
    assert.ok(outcomes.length <= bytes + 1, `${outcomes.length} frames and errors from ${bytes} bytes`);
  };
  const decodeMore = (): number => step(() => decoder.decode(new Uint8Array(0), framesMax), framesMax);
  for (const chunk of chunks) {
    bytes += chunk.length;
    // Copy the chunk, so that a decoder that reads beyond it is detected.
    let count = step(() => decoder.decode(Buffer.from(chunk), framesMax), framesMax);
    while (count === framesMax) count = decodeMore();
    if (framesMax < Number.POSITIVE_INFINITY) assert.equal(decodeMore(), 0, "fewer frames than available");
  }
  for (let call = 0; call < 3; call += 1) step(() => decoder.end(), Number.POSITIVE_INFINITY);
  assertIsOver(decoder);
  return outcomes;
}

/** Bytes after the end, for example of a connection that was reset, must not be decoded. */
function assertIsOver(decoder: Decoder<unknown>): void {
  let frames: readonly unknown[];
  try {
    frames = decoder.decode(Buffer.from("more"));
  } catch (error) {
    assert.fail(`decode() must throw nothing after end(), and threw ${error}`);
  }
  assert.equal(frames.length, 0, "decode() must return nothing after end(): see Decoder.end");
}

/**
 * Asserts that the bytes give these frames, and possibly an error after them, at every split ({@link cutsOf}), and also
 * when one or two frames are taken per call. Frames of bytes can be given as bytes or as hex.
 *
 * @throws {assert.AssertionError} for the first split with another result.
 *
 * @example
 * ```ts
 * import { netstrings } from "@landline/sockets";
 * import { assertDecodes } from "@landline/sockets/testing";
 *
 * assertDecodes(netstrings(), "2:hi,0:,", [Buffer.from("hi"), Buffer.from("")]);
 * assertDecodes(netstrings({ bytesMax: 1 }), "1:a,2:bc,", [Buffer.from("a"), { error: "frame-too-long" }]);
 * ```
 */
export function assertDecodes(
  codec: Pick<Codec<unknown, never>, "decoder">,
  sample: Uint8Array | string,
  expected: readonly unknown[],
): void {
  const bytes = Buffer.from(sample);
  // One frame per call first: this detects a decoder that does not advance, with which the other calls would never
  // return.
  const whole = decodeAll(codec, [bytes], 1);
  assert.deepEqual(decodeAll(codec, [bytes]), whole, "all frames at once");
  assert.deepEqual(
    whole.map((outcome) => ("frame" in outcome ? outcome.frame : summary(outcome, expected.at(-1)))),
    expected.map(comparable),
  );
  for (const chunks of cutsOf(bytes)) {
    assert.deepEqual(decodeAll(codec, chunks), whole, `cut into ${chunks.map((chunk) => chunk.length)}`);
  }
  assert.deepEqual(decodeAll(codec, [bytes], 2), whole, "two frames at a time");
  assert.deepEqual(decodeAll(codec, byteByByte(bytes), 1), whole, "one frame at a time, byte by byte");
}

/** The error, reduced to the fields that the test states. */
function summary({ error, partial }: { error: string; partial: string | undefined }, expected: unknown): ExpectedError {
  const isStated = typeof expected === "object" && expected !== null && "partial" in expected;
  return isStated && partial !== undefined ? { error, partial } : { error };
}

/** Converts a frame for comparison: bytes to hex, an error to its code. */
export function comparable(frame: unknown): unknown {
  if (frame instanceof Uint8Array) return hex(frame);
  if (frame instanceof SocketError) return `error: ${frame.code}`;
  return frame;
}

function hex(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
