import assert from "node:assert/strict";
import type { Codec, Decoder } from "../codec/mod.ts";
import { SocketError } from "../errors.ts";
import { byteByByte, cutsOf } from "./cuts.ts";

/**
 * What came out of a decoder: a frame, or the error that ended it. Bytes stand there as hex, which reads well in a failed
 * comparison and is a copy, as frames may share memory with their chunks.
 */
export type DecodeOutcome =
  | { readonly frame: unknown }
  | { readonly error: string; readonly text: string; readonly partial: string | undefined };

/** An error as far as a test states it: its code, and for `frame-truncated` what there was, as hex. */
export interface ExpectedError {
  readonly error: string;
  readonly partial?: string;
}

/**
 * Decodes the chunks and the end after them with a new decoder of the codec, and holds it to its contract: only
 * `SocketError`s, an error once, nothing after it or after the end, no more than `framesMax` frames in one call, and fewer
 * only when no more are there. Every frame and the error must have taken a byte at least: there are at most as many as
 * bytes, and one more for the end.
 *
 * @throws {assert.AssertionError} where the decoder does not keep to it.
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
      if (!(error instanceof SocketError)) assert.fail(`the decoder threw something else than a SocketError: ${error}`);
      assert.ok(!isOver, "a second error");
      isOver = true;
      outcomes.push({ error: error.code, text: error.message, partial: hex(error.partial) });
      checkProgress();
      return 0;
    }
    assert.ok(frames.length <= max, "more frames than asked for");
    assert.ok(frames.length === 0 || !isOver, "a frame after the error");
    for (const frame of frames) outcomes.push({ frame: comparable(frame) });
    checkProgress();
    return frames.length;
  };
  const checkProgress = (): void => {
    assert.ok(outcomes.length <= bytes + 1, `${outcomes.length} frames and errors came of ${bytes} bytes`);
  };
  const decodeMore = (): number => step(() => decoder.decode(new Uint8Array(0), framesMax), framesMax);
  for (const chunk of chunks) {
    bytes += chunk.length;
    // A chunk of its own memory, so that a decoder that reads beyond the chunk is found out.
    let count = step(() => decoder.decode(Buffer.from(chunk), framesMax), framesMax);
    while (count === framesMax) count = decodeMore();
    if (framesMax < Number.POSITIVE_INFINITY) assert.equal(decodeMore(), 0, "fewer frames than were there");
  }
  for (let call = 0; call < 3; call += 1) step(() => decoder.end(), Number.POSITIVE_INFINITY);
  assertIsOver(decoder);
  return outcomes;
}

/** What comes after the end, as the bytes of a connection that was reset meanwhile, must not be taken for more. */
function assertIsOver(decoder: Decoder<unknown>): void {
  let frames: readonly unknown[];
  try {
    frames = decoder.decode(Buffer.from("more"));
  } catch (error) {
    assert.fail(`decode() must throw nothing after end(), and threw ${error}`);
  }
  assert.equal(frames.length, 0, "decode() must give nothing after end(): see Decoder.end");
}

/**
 * Asserts that the bytes give these frames, and perhaps an error behind them, however they are cut ({@link cutsOf}) and
 * however many frames are taken at a time. Frames that are bytes may be given as such or as hex.
 *
 * @throws {assert.AssertionError} with the first cut that makes a difference.
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
  // First one by one: so a decoder that makes no progress is found out, which otherwise never comes back.
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

/** The error as far as the test states it. */
function summary({ error, partial }: { error: string; partial: string | undefined }, expected: unknown): ExpectedError {
  const isStated = typeof expected === "object" && expected !== null && "partial" in expected;
  return isStated && partial !== undefined ? { error, partial } : { error };
}

/** What a frame is compared by: bytes by their hex, errors that are frames by their code. */
export function comparable(frame: unknown): unknown {
  if (frame instanceof Uint8Array) return hex(frame);
  if (frame instanceof SocketError) return `error: ${frame.code}`;
  return frame;
}

function hex(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
