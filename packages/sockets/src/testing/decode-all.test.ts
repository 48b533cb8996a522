import assert from "node:assert/strict";
import { test } from "node:test";
import { type Decoder, lines } from "../codec/mod.ts";
import { decodeAll } from "./decode-all.ts";

/** A decoder of lines with one fault. */
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

test("decodeAll() fails for a decoder that violates its contract, and names the violation", () => {
  const wrong: readonly [wrong: (right: Decoder<string>) => Partial<Decoder<string>>, message: RegExp][] = [
    // Decodes bytes after the end.
    [
      () => ({ end: () => [] as string[], decode: (chunk) => (String(chunk) === "more" ? ["more"] : []) }),
      /return nothing/,
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
    [(right) => ({ decode: (chunk) => right.decode(chunk) }), /more frames than requested/],
    // Does not advance.
    [() => ({ decode: () => ["one"] }), /10 frames and errors from 8 bytes/],
    [(right) => ({ decode: (chunk) => right.decode(chunk, chunk.length > 0 ? 0 : 1) }), /fewer frames than available/],
    [
      () => ({
        end() {
          throw new TypeError("no");
        },
      }),
      /an error that is not a SocketError: TypeError: no/,
    ],
  ];
  for (const [wrongIn, message] of wrong) {
    assert.throws(() => decodeAll(codecOf(wrongIn), [Buffer.from("one\ntwo\n")], 1), { message });
  }
});
