import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Decoder, json, lengthPrefixed, SocketError } from "@landline/sockets";
import { fc } from "../../../../test/seed.ts";
import { beginning, jsonOpening, prefixOpening } from "./opening.ts";

const BYTES_MAX = 64;
const lines = beginning(jsonOpening, json({ bytesMax: BYTES_MAX, invalid: "skip" }));
const prefixed = beginning(prefixOpening, lengthPrefixed({ bytesMax: BYTES_MAX }));

/** Returns the decoded frames and the error after them. A skipped frame gives "invalid". */
function decoded<T>(decoder: Decoder<T>, chunks: readonly Uint8Array[], framesMax?: number): readonly unknown[] {
  const seen: unknown[] = [];
  const take = (call: () => readonly T[]): number => {
    try {
      const frames = call();
      seen.push(...frames.map((frame) => (frame instanceof SocketError ? "invalid" : frame)));
      return frames.length;
    } catch (error) {
      assert.ok(error instanceof SocketError);
      seen.push(error.code);
      return 1;
    }
  };
  for (const chunk of chunks) {
    for (let count = take(() => decoder.decode(chunk, framesMax)); count > 0; ) {
      count = take(() => decoder.decode(new Uint8Array(0), framesMax));
    }
  }
  while (take(() => decoder.end()) > 0);
  return seen;
}

function cuts(bytes: Uint8Array): readonly (readonly Uint8Array[])[] {
  const pairs = Array.from(bytes, (_, at) => [bytes.subarray(0, at), bytes.subarray(at)]);
  return [[bytes], ...pairs, Array.from(bytes, (byte) => Uint8Array.of(byte))];
}

/** The frames of each text, for every split and every `framesMax`. */
const LINES: readonly (readonly [text: string, seen: readonly unknown[]])[] = [
  ['{"a":1}[2]7\nGET / HTTP/1.1\n{"a":2}', [{ a: 1 }, [2], 7, "invalid", { a: 2 }]],
  [' \t\r\n[1]POST / {"a":2}', [[1], "invalid", { a: 2 }]],
  ['hello\n{"a":1}', ["invalid", { a: 1 }]],
  ['hello\r\nTHERE\r{"a":1}', ["invalid", "invalid", { a: 1 }]],
  ['hello{"a":1}', ["invalid", { a: 1 }]],
  ["hello", ["invalid"]],
  ['null\n \n{"a":1}', [null, { a: 1 }]],
  ['POST / HTTP/1.1\n{"a":1}', ["invalid", "malformed"]],
  ['\r\nPOST / HTTP/1.1\n{"a":1}', ["invalid", "malformed"]],
  ['hello\nPOST / HTTP/1.1\n{"a":1}', ["invalid", "invalid", "malformed"]],
  ['hello\t{"a":1}', ["invalid", "malformed"]],
  ['hello-{"a":1}', ["invalid", "malformed"]],
  ['7\n{"a":1}', ["malformed"]],
  ['"text"\n{"a":1}', ["malformed"]],
  ['*\n{"a":1}', ["malformed"]],
  ['@\n{"a":1}', ["malformed"]],
  ['`\n{"a":1}', ["malformed"]],
  ['\0\n{"a":1}', ["malformed"]],
  ['\x16\n{"a":1}', ["malformed"]],
  ['\x0b{"a":1}', ["malformed"]],
  ['\u00ef\u00bb\u00bf{"a":1}', ["malformed"]],
];

const PREFIXED: readonly (readonly [text: string, seen: readonly unknown[]])[] = [
  ["\0\0\0\u0002{}\0\0\0\0\0\0\0\u0001x", ["{}", "", "x"]],
  ['\0\0\0\u0009{ \t\r\n"a"', ["frame-truncated"]],
  ['\0\0\0\u000b{\r\n\t "a":1}\0\0\0\u0001x', ['{\r\n\t "a":1}', "x"]],
  ['\0\0\0\u0007{"a":1}', ['{"a":1}']],
  ["\0\0\0\u0003{", ["frame-truncated"]],
  ["\0\0\0", ["frame-truncated"]],
  ["\0\0\0\u0002[]\0\0\0\u0002{}", ["malformed"]],
  ["\0\0\0\u0003 {}", ["malformed"]],
  ["\0\0\0\u0002{\0\0\0\0\u0002{}", ["malformed"]],
  ["\0\0\0\u0002{{\0\0\0\u0002{}", ["malformed"]],
  ["\0\0\0\u0002{a\0\0\0\u0002{}", ["malformed"]],
  ["\0\0\0\u0001{\0\0\0\u0002{}", ["{", "malformed"]],
  ["\0\0\0\u0002{'\0\0\0\u0002{}", ["malformed"]],
  ["\0\0\0\0{}", ["malformed"]],
  ["\0\0\0\u0041{", ["frame-too-long"]],
  ["\0\u0003\0\u0008\u0021{", ["frame-too-long"]],
];

describe("beginning()", () => {
  for (const [text, seen] of LINES) {
    test(`decodes ${JSON.stringify(text)} to ${JSON.stringify(seen)} at every split`, () => {
      for (const chunks of cuts(Buffer.from(text, "latin1"))) {
        for (const framesMax of [undefined, 1]) assert.deepEqual(decoded(lines.decoder(), chunks, framesMax), seen);
      }
    });
  }

  for (const [text, seen] of PREFIXED) {
    test(`decodes length-prefixed ${JSON.stringify(text)} to ${JSON.stringify(seen)} at every split`, () => {
      for (const chunks of cuts(Buffer.from(text, "latin1"))) {
        for (const framesMax of [undefined, 1]) {
          const frames = decoded(prefixed.decoder(), chunks, framesMax);
          assert.deepEqual(
            frames.map((frame) => (typeof frame === "string" ? frame : Buffer.from(frame as Uint8Array).toString())),
            seen,
          );
        }
      }
    });
  }

  test("yields no object from a stream whose first line starts with a token and a space", () => {
    const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);
    const piece = fc.oneof(fc.constantFrom('{"a":1}', "\n", "\r\n", "{", " HTTP/1.1\r\n"), fc.string({ maxLength: 8 }));
    fc.assert(
      fc.property(
        fc.stringMatching(/^[\r\n]*$/),
        token,
        fc.array(piece, { maxLength: 8 }),
        fc.array(fc.nat(60), { maxLength: 4 }),
        (lineEnds, method, pieces, places) => {
          const bytes = Buffer.from(`${lineEnds}${method} ${pieces.join("")}`);
          const ends = [0, ...places.map((place) => Math.min(place, bytes.length)).sort((a, b) => a - b), bytes.length];
          const chunks = ends.slice(1).map((end, i) => bytes.subarray(ends[i], end));
          const frames = decoded(lines.decoder(), chunks);
          assert.equal(frames.at(-1), "malformed");
          assert.ok(frames.every((frame) => typeof frame !== "object" || frame === null));
        },
      ),
    );
  });

  test("rest() returns the undecoded bytes, and encode() is the codec's", () => {
    const decoder = lines.decoder();
    assert.deepEqual(decoder.decode(Buffer.from('{"a":1}{"b"')), [{ a: 1 }]);
    assert.equal(Buffer.from(decoder.rest()).toString(), '{"b"');
    assert.equal(lines.encode({ a: 1 }), '{"a":1}\n');
  });
});
