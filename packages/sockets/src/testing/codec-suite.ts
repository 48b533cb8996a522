import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Codec, Decoder } from "../codec/mod.ts";
import type { SocketErrorCode } from "../errors.ts";
import { cutAt } from "./cuts.ts";
import { assertDecodes, comparable, decodeAll } from "./decode-all.ts";
import { mutate } from "./mutate.ts";
import { SeededRandom } from "./seeded-random.ts";

/** Encoded bytes and their expected frames. Keep samples short: the suite tries every split. */
export interface CodecSample<In> {
  readonly bytes: Uint8Array | string;
  /** The expected frames, in order. */
  readonly frames: readonly In[];
  /** The expected error after the frames, if the bytes are invalid or end too early. */
  readonly error?: SocketErrorCode | undefined;
}

/** Options for {@link codecSuite}. */
export interface CodecSuiteOptions<Out> {
  /**
   * Frames to encode and decode again. An empty list means that the codec only decodes.
   *
   * @default the frames of the samples without an error
   */
  readonly roundTrip?: readonly Out[] | undefined;
  /**
   * Beginnings of frames over the limit. Each ends with the byte at which the limit is exceeded: the decoder must
   * reject the frame exactly there and must not buffer what follows. For a codec that skips long frames: the beginning
   * of a frame over 16 KiB.
   *
   * @default not tested
   */
  readonly tooLong?: readonly (Uint8Array | string)[] | undefined;
  /**
   * The result of an incomplete frame at the end of the stream: an error, or a last frame, such as a line without its
   * ending.
   *
   * @default "error"
   */
  readonly unfinished?: "error" | "frame" | undefined;
  /**
   * The codec skips frames that are too long or invalid instead of failing. When the stream ends inside a skipped frame,
   * it reports nothing, and the next codec cannot continue there.
   *
   * @default false
   */
  readonly skips?: boolean | undefined;
  /** Number of invalid streams to decode: random bytes and damaged samples. @default 2000 */
  readonly garbageInputs?: number | undefined;
  /** Seed of the invalid streams. A failure names its seed. @default 1 */
  readonly seed?: number | undefined;
}

/** The bytes after the beginning of a frame that is too long. */
const MORE = Buffer.alloc(4_096, 0x78);

/**
 * Registers the tests that every codec must pass (`node:test`):
 *
 * - The samples give the same frames at every split, and when frames are taken one at a time.
 * - Encoded frames decode to the same values.
 * - A frame over the limit is rejected before it is buffered.
 * - A stream that ends inside a frame gives an error or a last frame, never silence.
 * - Invalid bytes give at most one frame per byte and one `SocketError`.
 * - Bytes that were not decoded can be handed to the next codec.
 *
 * @example
 * ```ts
 * import { type Codec, lines } from "@landline/sockets";
 * import { codecSuite } from "@landline/sockets/testing";
 *
 * const shouted: Codec<string> = { ...lines({ bytesMax: 8 }), encode: (text) => `${text.toUpperCase()}\n` };
 * codecSuite("shouted", shouted, [{ bytes: "ONE\nTWO\n", frames: ["ONE", "TWO"] }], {
 *   tooLong: ["NINE CHARS"],
 *   unfinished: "frame",
 * });
 * ```
 */
export function codecSuite<In, Out = In>(
  name: string,
  codec: Codec<In, Out>,
  samples: readonly CodecSample<In>[],
  options: CodecSuiteOptions<Out> = {},
): void {
  const { tooLong = [], unfinished = "error", skips = false, garbageInputs = 2_000, seed = 1 } = options;
  const good = samples.filter(({ error }) => error === undefined);
  const roundTrip = options.roundTrip ?? (good.flatMap(({ frames }) => frames) as unknown as readonly Out[]);

  describe(`${name} as a codec`, () => {
    test("gives the same result for invalid bytes at every split, at most one frame per byte and one SocketError", () => {
      for (let input = 0; input < garbageInputs; input += 1) {
        const random = new SeededRandom(seed + input);
        const bytes = garbage(random, samples);
        const where = `bytes ${bytes.toString("hex")}, seed ${random.seed}`;
        try {
          assertProgresses(codec, bytes, randomCut(random, bytes));
        } catch (error) {
          throw new Error(`Cannot decode garbage (${where})`, { cause: error });
        }
      }
    });

    for (const { bytes, frames, error } of samples) {
      test(`decodes ${shown(bytes)} at every split`, () => {
        assertDecodes(codec, bytes, error === undefined ? frames : [...frames, { error }]);
      });
    }

    test("decodes what it encodes", { skip: roundTrip.length === 0 && "it only decodes" }, () => {
      const encoded = Buffer.concat(roundTrip.map((frame) => bytesOf(codec.encode(frame))));
      const expected = roundTrip.map((frame) => ({ frame: comparable(frame) }));
      assert.deepEqual(decodeAll(codec, [encoded]), expected);
      const random = new SeededRandom(seed);
      for (let times = 0; times < 100; times += 1) {
        assert.deepEqual(decodeAll(codec, randomCut(random, encoded), 1 + random.below(3)), expected);
      }
    });

    for (const start of tooLong) {
      test(`rejects a frame at the end of ${shown(start)} and buffers no more of it`, () => {
        assertRefuses(codec, Buffer.from(start));
      });
    }

    for (const { bytes } of good) {
      test(`reports a stream that ends anywhere inside a frame of ${shown(bytes)}`, () => {
        for (let end = 0; end < bytes.length; end += 1)
          assertEnds(codec, Buffer.from(bytes), end, { unfinished, skips });
      });
    }

    for (const { bytes } of skips ? [] : good) {
      test(`returns the bytes of ${shown(bytes)} that it did not decode`, () => {
        const all = decodeAll(codec, [Buffer.from(bytes)]);
        for (let taken = 0; taken <= all.length; taken += 1) {
          const decoder = codec.decoder();
          const { length } = decoder.decode(Buffer.from(bytes), taken);
          assert.deepEqual(decodeAll(codec, [decoder.rest()]), all.slice(length), `after ${length} frames`);
        }
      });
    }
  });
}

/**
 * The last byte of `start`, and no earlier one, must make the decoder reject or skip the frame. Later bytes must not be
 * buffered.
 */
function assertRefuses(codec: Pick<Codec<unknown, never>, "decoder">, start: Buffer): void {
  const before = codec.decoder();
  assert.deepEqual(before.decode(start.subarray(0, -1)), [], "a frame before the limit");
  for (const chunks of [[start], cutAt(start, [start.length - 1]), Array.from(start, (byte) => Buffer.of(byte))]) {
    const decoder = codec.decoder();
    let isRefused = false;
    for (const chunk of chunks) isRefused = isRefusal(decoder, chunk);
    for (let times = 0; times < 4; times += 1) decoder.decode(MORE);
    const stored = decoder.rest().length;
    assert.ok(stored <= start.length, `${stored} bytes are buffered${isRefused ? " after the error" : ""}`);
  }
}

function isRefusal(decoder: Decoder<unknown>, chunk: Uint8Array): boolean {
  try {
    decoder.decode(chunk);
    return false;
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, "frame-too-long");
    return true;
  }
}

/** The stream ends after `end` bytes: complete frames are returned, and the rest is reported. */
function assertEnds(
  codec: Pick<Codec<unknown, never>, "decoder">,
  bytes: Buffer,
  end: number,
  { unfinished, skips }: { readonly unfinished: "error" | "frame"; readonly skips: boolean },
): void {
  const decoder = codec.decoder();
  const whole = decoder.decode(bytes.subarray(0, end)).length;
  const outcomes = decodeAll(codec, [bytes.subarray(0, end)]);
  const last = outcomes.slice(whole);
  assert.ok(last.length <= 1, `${last.length} outcomes for one unfinished frame, at ${end}`);
  for (const outcome of last) {
    if ("frame" in outcome) {
      assert.equal(unfinished, "frame", `an unfinished frame was delivered, at ${end}`);
    } else if (unfinished === "error") {
      assert.equal(outcome.error, "frame-truncated", `at ${end}`);
      assert.ok(
        bytes.toString("hex", 0, end).endsWith(outcome.partial ?? "none"),
        `partial does not match the bytes, at ${end}`,
      );
    }
  }
  if (last.length === 0 && !skips)
    assert.equal(decoder.rest().length, 0, `bytes were lost without an error, at ${end}`);
}

/**
 * Asserts the same result for every number of frames per call. One frame per call comes first: with a decoder that does
 * not advance, the other calls would never return.
 */
function assertProgresses(
  codec: Pick<Codec<unknown, never>, "decoder">,
  bytes: Buffer,
  chunks: readonly Uint8Array[],
): void {
  const whole = decodeAll(codec, [bytes], 1);
  for (const framesMax of [1, 2, Number.POSITIVE_INFINITY]) {
    assert.deepEqual(decodeAll(codec, chunks, framesMax), whole, `${framesMax} frames at a time`);
  }
  assert.deepEqual(decodeAll(codec, [bytes]), whole, "all at once");
}

function garbage(random: SeededRandom, samples: readonly CodecSample<unknown>[]): Buffer {
  if (samples.length === 0 || random.oneIn(3)) return random.bytes(random.below(64));
  return mutate(random, Buffer.from(random.pick(samples).bytes));
}

function randomCut(random: SeededRandom, bytes: Buffer): readonly Uint8Array[] {
  return cutAt(
    bytes,
    Array.from({ length: random.below(6) }, () => random.below(bytes.length + 1)),
  );
}

function bytesOf(data: ReturnType<Codec<unknown>["encode"]>): Buffer {
  const parts = typeof data === "string" || data instanceof Uint8Array ? [data] : data;
  return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

/** The beginning of the bytes: text in quotes, bytes as hex. */
function shown(bytes: Uint8Array | string): string {
  const text = typeof bytes === "string" ? JSON.stringify(bytes) : Buffer.from(bytes).toString("hex");
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}
