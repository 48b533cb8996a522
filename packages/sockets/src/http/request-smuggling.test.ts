import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fc } from "../../../../test/seed.ts";
import { SocketError } from "../errors.ts";
import { ResponseDecoder, type ResponseDecoderOptions } from "./response-decoder.ts";

/** The outcome of a response: its body, or the code and offset of its error. */
interface Outcome {
  readonly body: string;
  readonly isWhole: boolean;
  readonly error?: readonly [code: string, offset: number | undefined];
}

function decode(chunks: readonly Uint8Array[], options?: ResponseDecoderOptions): Outcome {
  const decoder = new ResponseDecoder(options);
  let body = "";
  let isWhole = false;
  const take = (events: ReturnType<ResponseDecoder["decode"]>): void => {
    for (const event of events) {
      if (event.type === "data") body += Buffer.from(event.bytes).toString("latin1");
      isWhole ||= event.type === "end";
    }
  };
  try {
    for (const chunk of chunks) take(decoder.decode(chunk));
    // Decode twice: an error that follows events is thrown by the next call.
    take(decoder.end());
    take(decoder.end());
    return { body, isWhole };
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    return { body, isWhole, error: [error.code, error.offset] };
  }
}

/** Offset of the first field. */
const FIELDS_AT = 17;
/** Offset of the body of a chunked response. */
const CHUNKS_AT = 47;

function withFields(...fields: string[]): string {
  return ["HTTP/1.1 200 OK", ...fields, "", "5\r\nhello\r\n0\r\n\r\n"].join("\r\n");
}

function withChunks(chunks: string): string {
  return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`;
}

const TE = "Transfer-Encoding: chunked";
const CL = "Content-Length: 5";

/** Rejected with the offset of the field or byte, because two readers could see two different messages. */
const REFUSED: readonly (readonly [shape: string, text: string, offset: number])[] = [
  ["length, then coding", withFields(CL, TE), FIELDS_AT + 19],
  ["coding, then length", withFields(TE, CL), FIELDS_AT],
  ["coding that is not chunked, with length", withFields("Transfer-Encoding: xchunked", CL), FIELDS_AT],
  ["coding identity, with length", withFields("Transfer-Encoding: identity", CL), FIELDS_AT],
  ["two lengths", withFields(CL, "Content-Length: 6"), FIELDS_AT + 19],
  ["two lengths in a list", withFields("Content-Length: 5, 6"), FIELDS_AT],
  ["a list of lengths with an empty member", withFields("Content-Length: 5,"), FIELDS_AT],
  ["the same length in other digits and then another", withFields(CL, "Content-Length: 05, 7"), FIELDS_AT + 19],
  ["length +5", withFields("Content-Length: +5"), FIELDS_AT],
  ["length -0", withFields("Content-Length: -0"), FIELDS_AT],
  ["length 5 5", withFields("Content-Length: 5 5"), FIELDS_AT],
  ["length 0x5", withFields("Content-Length: 0x5"), FIELDS_AT],
  ["length 5e0", withFields("Content-Length: 5e0"), FIELDS_AT],
  ["length 5.0", withFields("Content-Length: 5.0"), FIELDS_AT],
  ["length 1_0", withFields("Content-Length: 1_0"), FIELDS_AT],
  ["length in other digits", withFields("Content-Length: \xb2"), FIELDS_AT],
  ["length with a vertical tab", withFields("Content-Length: \x0b5"), FIELDS_AT],
  ["length with a no-break space", withFields("Content-Length: 5\xa0"), FIELDS_AT],
  ["length beyond 2^53", withFields("Content-Length: 9007199254740992"), FIELDS_AT],
  ["length beyond 2^64", withFields("Content-Length: 18446744073709551621"), FIELDS_AT],
  ["Transfer-Encoding : chunked", withFields("Transfer-Encoding : chunked"), FIELDS_AT + 17],
  ["Transfer-Encoding<tab>: chunked", withFields("Transfer-Encoding\t: chunked"), FIELDS_AT + 17],
  ["Content-Length : 5", withFields("Content-Length : 5"), FIELDS_AT + 14],
  ["chunked, chunked", withFields("Transfer-Encoding: chunked, chunked"), FIELDS_AT],
  ["chunked twice in two fields", withFields(TE, TE), FIELDS_AT],
  ["chunked with a parameter", withFields("Transfer-Encoding: chunked;q=1"), FIELDS_AT],
  ["chunked before a no-break space", withFields("Transfer-Encoding: chunked\xa0"), FIELDS_AT],
  ["an empty coding", withFields("Transfer-Encoding:"), FIELDS_AT],
  ["a name with a vertical tab", withFields("\x0bTransfer-Encoding: chunked"), FIELDS_AT],
  ["a name in quotes", withFields('"Transfer-Encoding": chunked'), FIELDS_AT],
  ["a bare CR before a field", withFields(`X: a\r${TE}`), FIELDS_AT + 4],
  ["a bare CR in a coding", withFields("Transfer-Encoding: chun\rked"), FIELDS_AT + 23],
  ["a bare CR in front of a name", withFields(`\r${TE}`), FIELDS_AT],
  ["a NUL in a coding", withFields("Transfer-Encoding: chunked\0"), FIELDS_AT + 26],
  ["a NUL in a name", withFields("Transfer\0-Encoding: chunked"), FIELDS_AT],
  ["xchunked", withFields("Transfer-Encoding: xchunked"), FIELDS_AT],
  ["chunked, identity", withFields("Transfer-Encoding: chunked, identity"), FIELDS_AT],
  ["identity after chunked in another field", withFields(TE, "Transfer-Encoding: identity"), FIELDS_AT],
  ["chunked in quotes", withFields('Transfer-Encoding: "chunked"'), FIELDS_AT],
  ["chunked after a vertical tab", withFields("Transfer-Encoding: \x0bchunked"), FIELDS_AT],
  ["identity", withFields("Transfer-Encoding: identity"), FIELDS_AT],
  ["gzip", withFields("Transfer-Encoding: gzip"), FIELDS_AT],
  ["gzip, chunked", withFields("Transfer-Encoding: gzip, chunked"), FIELDS_AT],
  ["gzip, and chunked on a folded line", withFields("Transfer-Encoding: gzip,", " chunked"), FIELDS_AT],
  ["gzip, then chunked in another field", withFields("Transfer-Encoding: gzip", TE), FIELDS_AT],
  ["a coding cut by a fold", withFields("Transfer-Encoding: chun", " ked"), FIELDS_AT],
  ["a length cut by a fold", withFields("Content-Length: 1", "\t5"), FIELDS_AT],
  ["a length, and another on a folded line", withFields("Content-Length: 5,", " 6"), FIELDS_AT],
  ["a NUL on a folded line", withFields("X: a", " b\0"), FIELDS_AT + 8],
  ["a bare CR on a folded line", withFields("X: a", " b\rc"), FIELDS_AT + 8],
  ["a folded line before the first field", withFields(" X: a"), FIELDS_AT],
  ["a line of white space before the first field", withFields(" "), FIELDS_AT],
  ["a folded line before the first trailer", withChunks("0\r\n X: a\r\n\r\n"), CHUNKS_AT + 3],
  ["a chunk size with 0x", withChunks("0x5\r\nhello\r\n0\r\n\r\n"), CHUNKS_AT],
  ["a chunk size with a sign", withChunks("+5\r\nhello\r\n0\r\n\r\n"), CHUNKS_AT],
  ["a negative chunk size", withChunks("-5\r\nhello\r\n0\r\n\r\n"), CHUNKS_AT],
  ["a chunk size with an underscore", withChunks("0_5\r\nhello\r\n0\r\n\r\n"), CHUNKS_AT],
  ["a chunk size after a space", withChunks(" 5\r\nhello\r\n0\r\n\r\n"), CHUNKS_AT],
  ["a chunk size before a space", withChunks("5 \r\nhello\r\n0\r\n\r\n"), CHUNKS_AT],
  ["a chunk size beyond 2^53", withChunks("20000000000000\r\nhello\r\n0\r\n\r\n"), CHUNKS_AT],
  ["a chunk size that wraps to 5 in 64 bits", withChunks("10000000000000005\r\nhello\r\n0\r\n\r\n"), CHUNKS_AT],
  ["an empty chunk size", withChunks("\r\nhello\r\n0\r\n\r\n"), CHUNKS_AT],
  ["an extension without a size", withChunks(";a\r\nhello\r\n0\r\n\r\n"), CHUNKS_AT],
  ["an extension with a bare CR", withChunks("5;a\rb\r\nhello\r\n0\r\n\r\n"), CHUNKS_AT],
  ["an extension with a bare LF", withChunks("5;a\nhello\r\n0\r\n\r\n"), CHUNKS_AT],
  ["an extension with a NUL", withChunks("5;\0\r\nhello\r\n0\r\n\r\n"), CHUNKS_AT],
  ["a chunk size that ends in LF", withChunks("5\nhello\r\n0\r\n\r\n"), CHUNKS_AT],
  ["a chunk without CRLF", withChunks("5\r\nhello0\r\n\r\n"), CHUNKS_AT + 8],
  ["a chunk with LF", withChunks("5\r\nhello\n0\r\n\r\n"), CHUNKS_AT + 8],
  ["a chunk with CR alone", withChunks("5\r\nhello\r0\r\n\r\n"), CHUNKS_AT + 9],
  ["a chunk with two other bytes", withChunks("5\r\nhelloXX0\r\n\r\n"), CHUNKS_AT + 8],
  ["a trailer with white space before the colon", withChunks("0\r\nX : a\r\n\r\n"), CHUNKS_AT + 4],
  ["a trailer with a bare CR", withChunks("0\r\nX: a\rb\r\n\r\n"), CHUNKS_AT + 7],
];

const CHUNKS = "5\r\nhello\r\n0\r\n\r\n";

/** Accepted by RFC 9112. One connection carries one response, so nothing can be smuggled after it. */
const READ: readonly (readonly [shape: string, text: string, body: string])[] = [
  ["a coding on a folded line", withFields("Transfer-Encoding:", " chunked"), "hello"],
  ["a length on a folded line", withFields("Content-Length:", "\t3"), "5\r\n"],
  ["a folded line of white space", withFields(TE, " ", "\t"), "hello"],
  ["a folded line that looks like a field", withFields(TE, "X: a", ` ${CL}`), "hello"],
  ["a trailer that is folded", withChunks("5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n"), "hello"],
  ["CHUNKED after tabs", withFields("TRANSFER-ENCODING:\t\tCHUNKED\t"), "hello"],
  ["a field with a similar name, until the end", withFields("Transfer_Encoding: chunked"), CHUNKS],
  ["a trailer with a length", withChunks("5\r\nhello\r\n0\r\nContent-Length: 1\r\n\r\n"), "hello"],
  ["a length with zeros in front", withFields("Content-Length: 0003"), "5\r\n"],
  ["a second response after the first", `${withFields(TE)}HTTP/1.1 200 OK\r\n\r\nx`, "hello"],
];

describe("ResponseDecoder and shapes of request smuggling", () => {
  for (const [shape, text, offset] of REFUSED) {
    test(`refuses ${shape}`, () => {
      const bytes = Buffer.from(text, "latin1");
      const whole = decode([bytes]);
      assert.deepEqual(whole.error, ["malformed", offset]);
      assert.equal(whole.isWhole, false);
      assertSameHoweverCut(bytes, whole);
    });
  }

  for (const [shape, text, body] of READ) {
    test(`reads ${shape}`, () => {
      const bytes = Buffer.from(text, "latin1");
      const whole = decode([bytes]);
      assert.deepEqual(whole, { body, isWhole: true });
      assertSameHoweverCut(bytes, whole);
    });
  }

  test("gives the same result at every split, throws only SocketErrors, and buffers no more than its limits", () => {
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
      fc.constantFrom("HTTP/1.1 200 OK\r\n", "HTTP/1.0 404\r\n", "HTTP/1.1 100 X\r\n\r\n", "HTTP/1.1 "),
      fc.constantFrom(`${CL}\r\n`, `${TE}\r\n`, "X: y\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: gzip\r\n"),
      fc.constantFrom(
        "\r\n",
        "\r",
        "\n",
        " ",
        "\0",
        ":",
        ";x",
        "5\r\nhello\r\n",
        "0\r\n",
        "a\r\n",
        "1;xxxxxxxx\r\na\r\n",
      ),
    );
    const head = fc.constantFrom("", "HTTP/1.1 200 OK\r\n", withChunks(""), "HTTP/1.1 200 OK\r\n\r\n");
    const options = fc.record({
      method: fc.constantFrom("GET", "HEAD"),
      headerBytesMax: fc.constantFrom(48, 100, 16_384),
      bodyBytesMax: fc.constantFrom(3, 20, 1_000),
      chunkOverheadBytesMax: fc.constantFrom(0, 5, 16_384),
    });
    const cuts = fc.array(fc.nat(), { maxLength: 12 });
    fc.assert(
      fc.property(head, fc.array(part, { maxLength: 20 }), options, cuts, (start, parts, limits, places) => {
        const bytes = Buffer.from(start + parts.join(""), "latin1");
        const whole = decode([bytes], limits);
        assert.ok(whole.body.length <= limits.bodyBytesMax);
        const ordered = places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b);
        const pieces = [0, ...ordered].map((from, i) => bytes.subarray(from, ordered[i]));
        assert.deepEqual(decode(pieces, limits), whole);
        const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
        assert.deepEqual(decode(single, limits), whole);
        if (whole.error !== undefined && whole.error[0] !== "end-of-stream") return;
        const decoder = new ResponseDecoder(limits);
        for (const piece of pieces) decoder.decode(piece);
        assert.ok(decoder.rest().length <= Math.max(limits.headerBytesMax, 4_096));
      }),
      { numRuns: 3_000 },
    );
  });

  test("accepts a bounded number of bytes for a body with expensive chunks", () => {
    const line = Buffer.from(`1;${"x".repeat(4_000)}\r\na\r\n`);
    const decoder = new ResponseDecoder({ bodyBytesMax: 1_000_000 });
    decoder.decode(Buffer.from(withChunks("")));
    let bytes = 0;
    assert.throws(
      () => {
        for (; bytes < 10_000_000; bytes += line.length) decoder.decode(line);
      },
      { code: "limit" },
    );
    assert.ok(bytes < 32_768, `${bytes} bytes were accepted`);
  });
});

/** Byte by byte, and split in two at every place. */
function assertSameHoweverCut(bytes: Buffer, whole: Outcome): void {
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
  assert.deepEqual(decode(single), whole, "byte by byte");
  for (let at = 0; at <= bytes.length; at += 1) {
    assert.deepEqual(decode([bytes.subarray(0, at), bytes.subarray(at)]), whole, `cut at ${at}`);
  }
}
