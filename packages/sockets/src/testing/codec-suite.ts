import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Codec, Decoder } from "../codec/mod.ts";
import type { SocketErrorCode } from "../errors.ts";
import { cutAt } from "./cuts.ts";
import { assertDecodes, comparable, decodeAll } from "./decode-all.ts";
import { mutate } from "./mutate.ts";
import { SeededRandom } from "./seeded-random.ts";

/** Bytes of a codec, and what they must be decoded to. A few frames are enough: every cut of them is tried. */
export interface CodecSample<In> {
  readonly bytes: Uint8Array | string;
  /** The frames in their order. */
  readonly frames: readonly In[];
  /** The error that comes behind them, if the bytes are wrong or end too early. */
  readonly error?: SocketErrorCode | undefined;
}

/** Options for {@link codecSuite}. */
export interface CodecSuiteOptions<Out> {
  /**
   * What is encoded and must come back when it is decoded. An empty list says that the codec only reads.
   * @default the frames of the samples that have no error
   */
  readonly roundTrip?: readonly Out[] | undefined;
  /**
   * The first bytes of a frame over the limit, up to the one that gives it away: exactly there the decoder must refuse the
   * frame, and must not store what comes after. For a codec that leaves long frames out instead: of one over 16 KiB.
   * @default not tested
   */
  readonly tooLong?: readonly (Uint8Array | string)[] | undefined;
  /**
   * What the end of the stream makes of a frame that is not whole: an error, or a last frame, as of a line without its
   * ending. @default "error"
   */
  readonly unfinished?: "error" | "frame" | undefined;
  /**
   * The codec leaves out what is too long or wrong instead of failing. Then nothing tells of a frame that is being left out
   * when the stream ends, and the next codec cannot go on there. @default false
   */
  readonly skips?: boolean | undefined;
  /** How many streams of garbage are decoded: random bytes, and samples that were damaged. @default 2000 */
  readonly garbageInputs?: number | undefined;
  /** Decides what the garbage is; a failure names it. @default 1 */
  readonly seed?: number | undefined;
}

/** What comes after the beginning of a frame that is too long. */
const MORE = Buffer.alloc(4_096, 0x78);

/**
 * Registers the tests that every codec has to pass (`node:test`): the samples come out the same however they are cut and
 * however few frames are taken at a time; what is encoded comes back; a frame over the limit is refused before it is
 * stored; a stream that ends inside a frame says so; garbage gives nothing worse than one `SocketError`, and no more frames
 * than it has bytes; and what was not decoded is handed over to the next codec.
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
    test("makes the same of garbage however it is cut, at most a frame a byte and one SocketError", () => {
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
      test(`decodes ${shown(bytes)} in the same way however it is cut`, () => {
        assertDecodes(codec, bytes, error === undefined ? frames : [...frames, { error }]);
      });
    }

    test("decodes what it encodes", { skip: roundTrip.length === 0 && "it only reads" }, () => {
      const encoded = Buffer.concat(roundTrip.map((frame) => bytesOf(codec.encode(frame))));
      const expected = roundTrip.map((frame) => ({ frame: comparable(frame) }));
      assert.deepEqual(decodeAll(codec, [encoded]), expected);
      const random = new SeededRandom(seed);
      for (let times = 0; times < 100; times += 1) {
        assert.deepEqual(decodeAll(codec, randomCut(random, encoded), 1 + random.below(3)), expected);
      }
    });

    for (const start of tooLong) {
      test(`refuses the frame that begins with ${shown(start)} right there, and stores nothing of it`, () => {
        assertRefuses(codec, Buffer.from(start));
      });
    }

    for (const { bytes } of good) {
      test(`says that the stream ended inside a frame, wherever it ends in ${shown(bytes)}`, () => {
        for (let end = 0; end < bytes.length; end += 1)
          assertEnds(codec, Buffer.from(bytes), end, { unfinished, skips });
      });
    }

    for (const { bytes } of skips ? [] : good) {
      test(`hands over what it did not decode of ${shown(bytes)}`, () => {
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

/** The frame is refused, or left out, with its last byte here and not before; what follows is not stored. */
function assertRefuses(codec: Pick<Codec<unknown, never>, "decoder">, start: Buffer): void {
  const before = codec.decoder();
  assert.deepEqual(before.decode(start.subarray(0, -1)), [], "a frame before the limit");
  for (const chunks of [[start], cutAt(start, [start.length - 1]), Array.from(start, (byte) => Buffer.of(byte))]) {
    const decoder = codec.decoder();
    let isRefused = false;
    for (const chunk of chunks) isRefused = isRefusal(decoder, chunk);
    for (let times = 0; times < 4; times += 1) decoder.decode(MORE);
    const stored = decoder.rest().length;
    assert.ok(stored <= start.length, `${stored} bytes are stored${isRefused ? " after the error" : ""}`);
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

/** The stream is the first `end` bytes: the frames are those that were whole, and what is left over is told. */
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
        `partial is not what there was, at ${end}`,
      );
    }
  }
  if (last.length === 0 && !skips) assert.equal(decoder.rest().length, 0, `bytes were lost without a word, at ${end}`);
}

/** The same comes out at any pace. First one by one: of a decoder that makes no progress the others never come back. */
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

/** The beginning of it: text quoted, bytes in hex. */
function shown(bytes: Uint8Array | string): string {
  const text = typeof bytes === "string" ? JSON.stringify(bytes) : Buffer.from(bytes).toString("hex");
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}
