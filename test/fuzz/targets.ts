/**
 * The fuzz targets: every codec of the toolkit in many settings, with mostly valid streams.
 *
 * @module
 */
import { delimited, json, lengthPrefixed, lines, mapped, netstrings, varintPrefixed } from "@landline/sockets";
import type { SeededRandom } from "../../packages/sockets/src/testing/seeded-random.ts";
import { roughly, texts } from "./damage.ts";
import type { FuzzTarget } from "./fuzz.ts";
import { httpTarget } from "./http-target.ts";
import { jsonText, jsonTokens } from "./json-text.ts";

const LIMITS = [0, 1, 3, 10, 40, 200] as const;

export const targets: readonly FuzzTarget[] = [
  {
    name: "lengthPrefixed",
    makeCase(random) {
      const lengthBytes = random.pick([1, 1, 2, 3, 4, 4, 8] as const);
      const offset = random.oneIn(2) ? 0 : random.below(4);
      const adjustment = random.oneIn(2) ? 0 : random.below(13) - 6;
      const skip = random.oneIn(2) ? offset + lengthBytes : random.below(8);
      const endian = random.pick(["big", "little"] as const);
      const setting = { lengthBytes, offset, adjustment, skip, endian, ...sized(random) };
      // The codec rejects an impossible layout.
      setting.bytesMax = Math.max(setting.bytesMax, adjustment, skip - offset - lengthBytes);
      const header = (length: number): Buffer => {
        const value = Math.max(0, length - adjustment);
        const digits = Array.from({ length: lengthBytes }, (_, place) => Math.floor(value / 256 ** place) % 256);
        return Buffer.concat([random.bytes(offset), Buffer.from(endian === "big" ? digits.reverse() : digits)]);
      };
      return {
        setting,
        bytes: roughly(
          random,
          sizedStream(random, setting.bytesMax, (body) => [header(body.length), body]),
        ),
        restMax: offset + lengthBytes + setting.bytesMax,
        decoder: () => lengthPrefixed(setting).decoder(),
      };
    },
  },
  {
    name: "varintPrefixed",
    makeCase(random) {
      const offset = random.oneIn(2) ? 0 : random.below(4);
      const skip = random.oneIn(2) ? undefined : random.below(6);
      const setting = { offset, skip, overlong: random.pick(["fail", "accept"] as const), ...sized(random) };
      const header = (length: number): Buffer[] => [random.bytes(offset), varint(random, length)];
      return {
        setting,
        bytes: roughly(
          random,
          sizedStream(random, setting.bytesMax, (body) => [...header(body.length), body]),
        ),
        restMax: offset + 8 + setting.bytesMax,
        decoder: () => varintPrefixed(setting).decoder(),
      };
    },
  },
  {
    name: "netstrings",
    makeCase(random) {
      const setting = sized(random);
      const parts = (body: Buffer): Buffer[] => [Buffer.from(`${body.length}:`), body, Buffer.from(",")];
      return {
        setting,
        bytes: roughly(random, sizedStream(random, setting.bytesMax, parts), texts("0", ":", ",", "9999999999999999:")),
        // Sixteen digits, the colon and the comma.
        restMax: 18 + setting.bytesMax,
        decoder: () => netstrings(setting).decoder(),
      };
    },
  },
  {
    name: "lines",
    makeCase(random) {
      const setting = sized(random);
      const pieces = ["\n", "\r\n", "\r", "a", "bc", "é", "€", "😀", "\u{feff}"];
      return {
        setting,
        bytes: roughly(random, ofPieces(random, pieces), [Buffer.from("\n"), Buffer.of(0xe2, 0x82), Buffer.of(0xff)]),
        restMax: setting.bytesMax + 1,
        decoder: () => lines(setting).decoder(),
      };
    },
  },
  {
    name: "delimited",
    makeCase(random) {
      const letters = (): string =>
        Array.from({ length: 1 + random.below(3) }, () => random.pick(["a", "b", "c"])).join("");
      const delimiters = Array.from({ length: 1 + random.below(3) }, letters);
      const setting = { delimiters, ...sized(random) };
      return {
        setting,
        bytes: roughly(random, ofPieces(random, ["a", "b", "c", "x", ...delimiters]), texts(...delimiters)),
        restMax: setting.bytesMax + Math.max(...delimiters.map(({ length }) => length)),
        decoder: () => delimited(delimiters, setting).decoder(),
      };
    },
  },
  {
    name: "json",
    makeCase(random) {
      const setting = {
        bytesMax: random.pick([3, 10, 40, 1_000]),
        depthMax: random.pick([0, 1, 3, 128]),
        framing: random.pick(["values", "lines"] as const),
        invalid: random.pick(["fail", "skip"] as const),
      };
      return {
        setting,
        bytes: roughly(random, jsonText(random), jsonTokens),
        // With lines, one byte more may be the CR of an ending.
        restMax: setting.bytesMax + (setting.framing === "lines" ? 1 : 0),
        decoder: () => json(setting).decoder(),
      };
    },
  },
  {
    name: "mapped",
    makeCase(random) {
      const pieces = ["a", "bc", "é"];
      const setting = { refused: random.pick(["", ...pieces]), ...sized(random) };
      const decode = (line: string): number => {
        if (line === setting.refused) throw new Error("refused");
        return line.length;
      };
      return {
        setting,
        bytes: roughly(random, ofPieces(random, ["\n", "\n", ...pieces]), texts("\n", setting.refused)),
        restMax: setting.bytesMax + 1,
        decoder: () => mapped(lines(setting), { decode, encode: String }).decoder(),
      };
    },
  },
  httpTarget,
];

function sized(random: SeededRandom): { bytesMax: number; tooLong: "fail" | "skip" } {
  return { bytesMax: random.pick(LIMITS), tooLong: random.pick(["fail", "skip"]) };
}

/** Some frames, most of them within the limit or near it. */
function sizedStream(random: SeededRandom, bytesMax: number, parts: (body: Buffer) => readonly Buffer[]): Buffer {
  const frames = Array.from({ length: random.below(5) }, () => {
    const length = random.oneIn(4)
      ? Math.max(0, bytesMax - 1 + random.below(3))
      : random.below(Math.min(bytesMax, 12) + 1);
    return Buffer.concat(parts(random.bytes(length)));
  });
  return Buffer.concat(frames);
}

/** LEB128, sometimes one byte longer than necessary. */
function varint(random: SeededRandom, value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(...(random.oneIn(8) ? [rest | 0x80, 0] : [rest]));
  return Buffer.from(bytes);
}

/** A few pieces in sequence, sometimes enough to fill a decoder's internal block. */
function ofPieces(random: SeededRandom, pieces: readonly string[]): Buffer {
  const count = random.oneIn(200) ? 3_000 : random.below(24);
  return Buffer.from(Array.from({ length: count }, () => random.pick(pieces)).join(""));
}
