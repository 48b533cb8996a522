import assert from "node:assert/strict";
import { test } from "node:test";
import { type Decoder, lines } from "../codec/mod.ts";
import { decodeAll } from "./decode-all.ts";

/** A decoder of lines with something wrong. */
function codecOf(wrong: (right: Decoder<string>) => Partial<Decoder<string>>): { decoder(): Decoder<string> } {
  return {
    decoder: () => {
      const right = lines().decoder();
      return {
        decode: (chunk, framesMax) => right.decode(chunk, framesMax),
        end: () => right.end(),
        rest: () => right.rest(),
        ...wrong(right),
      };
    },
  };
}

test("decodeAll() refuses a decoder that does not keep the contract, and says which part", () => {
  const wrong: readonly [wrong: (right: Decoder<string>) => Partial<Decoder<string>>, message: RegExp][] = [
    // It decodes what comes after the end.
    [
      () => ({ end: () => [] as string[], decode: (chunk) => (String(chunk) === "more" ? ["more"] : []) }),
      /give nothing/,
    ],
    [
      () => ({
        decode(chunk) {
          if (String(chunk) === "more") throw new Error("too late");
          return [];
        },
      }),
      /decode\(\) must throw nothing after end\(\), and threw Error: too late/,
    ],
    [(right) => ({ decode: (chunk) => right.decode(chunk) }), /more frames than asked for/],
    // It stays where it is.
    [() => ({ decode: () => ["one"] }), /10 frames and errors came of 8 bytes/],
    [(right) => ({ decode: (chunk) => right.decode(chunk, chunk.length > 0 ? 0 : 1) }), /fewer frames than were there/],
    [
      () => ({
        end() {
          throw new TypeError("no");
        },
      }),
      /something else than a SocketError: TypeError: no/,
    ],
  ];
  for (const [wrongIn, message] of wrong) {
    assert.throws(() => decodeAll(codecOf(wrongIn), [Buffer.from("one\ntwo\n")], 1), { message });
  }
});
