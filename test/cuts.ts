/**
 * Bytes cut into chunks in every way that matters, and what a decoder makes of them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Codec, SocketError } from "@landline/sockets";

/** What came out of a decoder: a frame, or an error, which ends it. */
export type Outcome<T> =
  | { readonly frame: T }
  | { readonly error: string; readonly text: string; readonly partial: string | undefined };

/** Whole, in two and in three pieces at every place (empty pieces too), and byte by byte. */
export function* cutsOf(bytes: Uint8Array): Generator<readonly Uint8Array[]> {
  yield [bytes];
  yield Array.from(bytes, (byte) => Uint8Array.of(byte));
  for (let first = 0; first <= bytes.length; first += 1) {
    yield [bytes.subarray(0, first), bytes.subarray(first)];
    for (let second = first; second <= bytes.length; second += 1) {
      yield [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
    }
  }
}

/** Cuts bytes at these places, which may lie beyond their end. */
export function cutAt(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const borders = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return borders.slice(1).map((end, index) => bytes.subarray(borders[index], end));
}

/**
 * Decodes the chunks and the end after them. It also holds the decoder to its contract: only `SocketError`s, an error
 * once, nothing after it, and no more frames in one call than were asked for.
 */
export function decodeAll<T>(
  codec: Codec<T, never>,
  chunks: readonly Uint8Array[],
  framesMax = Number.POSITIVE_INFINITY,
): readonly Outcome<T>[] {
  const decoder = codec.decoder();
  const outcomes: Outcome<T>[] = [];
  let isOver = false;
  const step = (decode: () => readonly T[], max: number): number => {
    let frames: readonly T[] = [];
    try {
      frames = decode();
    } catch (error) {
      assert.ok(error instanceof SocketError, `threw something else: ${error}`);
      assert.ok(!isOver, "a second error");
      isOver = true;
      outcomes.push({ error: error.code, text: error.message, partial: hex(error.partial) });
      return 0;
    }
    assert.ok(frames.length <= max, "more frames than asked for");
    assert.ok(frames.length === 0 || !isOver, "a frame after the error");
    outcomes.push(...frames.map((frame) => ({ frame: copyOf(frame) })));
    return frames.length;
  };
  for (const chunk of chunks) {
    // A chunk of its own memory, so that a decoder that reads beyond the chunk is found out.
    let count = step(() => decoder.decode(Buffer.from(chunk), framesMax), framesMax);
    while (count === framesMax) count = step(() => decoder.decode(new Uint8Array(0), framesMax), framesMax);
  }
  for (let call = 0; call < 3; call += 1) step(() => decoder.end(), Number.POSITIVE_INFINITY);
  step(() => decoder.decode(Buffer.from("more")), 0);
  return outcomes;
}

/** Asserts that the sample gives these outcomes, however it is cut and however many frames are taken at a time. */
export function assertDecodes<T>(
  codec: Codec<T, never>,
  sample: Uint8Array | string,
  expected: readonly (T | { readonly error: string; readonly partial?: string })[],
): void {
  const bytes = Buffer.from(sample);
  const whole = decodeAll(codec, [bytes]);
  assert.deepEqual(
    whole.map((outcome) => ("frame" in outcome ? outcome.frame : summary(outcome, expected.at(-1)))),
    expected,
  );
  for (const chunks of cutsOf(bytes)) {
    assert.deepEqual(decodeAll(codec, chunks), whole, `cut into ${chunks.map((chunk) => chunk.length)}`);
  }
  assert.deepEqual(decodeAll(codec, [bytes], 1), whole, "one frame at a time");
  assert.deepEqual(
    decodeAll(
      codec,
      Array.from(bytes, (byte) => Uint8Array.of(byte)),
      1,
    ),
    whole,
    "one frame at a time, byte by byte",
  );
}

/** The error as far as the test states it. */
function summary(outcome: { error: string; partial: string | undefined }, expected: unknown): object {
  const { error, partial } = outcome;
  const states = typeof expected === "object" && expected !== null && "partial" in expected;
  return states ? { error, partial } : { error };
}

/** Frames share memory with chunks and may be Buffers: compared are their bytes, as hex. Errors as frames: their code. */
function copyOf<T>(frame: T): T {
  if (frame instanceof Uint8Array) return hex(frame) as T;
  if (frame instanceof SocketError) return `error: ${frame.code}` as T;
  return frame;
}

function hex(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString("hex");
}
