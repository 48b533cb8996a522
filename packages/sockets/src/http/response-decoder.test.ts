import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SocketError } from "../errors.ts";
import { ResponseDecoder, type ResponseDecoderOptions } from "./response-decoder.ts";

/** The outcome of decoding, with the data joined, so that different splits can be compared. */
interface Outcome {
  informational: number[];
  status?: number;
  version?: string;
  reason?: string;
  headers?: [string, string][];
  body: string;
  trailers?: [string, string][];
  error?: { code: string; offset: number | undefined; expected: number | undefined };
}

interface DecodeOptions extends ResponseDecoderOptions {
  /** Whether the connection ends after the chunks. */
  isEnded?: boolean;
}

function decode(chunks: readonly Uint8Array[], { isEnded = true, ...options }: DecodeOptions = {}): Outcome {
  const decoder = new ResponseDecoder(options);
  const outcome: Outcome = { informational: [], body: "" };
  const take = (events: ReturnType<ResponseDecoder["decode"]>) => {
    for (const event of events) {
      if (event.type === "informational") outcome.informational.push(event.head.status);
      else if (event.type === "data") outcome.body += Buffer.from(event.bytes).toString("latin1");
      else if (event.type === "end") outcome.trailers = [...event.trailers];
      else {
        const { status, version, reason, headers } = event.head;
        Object.assign(outcome, { status, version, reason, headers: [...headers] });
      }
    }
  };
  try {
    for (const chunk of chunks) take(decoder.decode(chunk));
    // Decode twice: an error that follows events is thrown by the next call.
    take(decoder.decode(new Uint8Array(0)));
    if (isEnded) take(decoder.end());
    if (isEnded) take(decoder.end());
  } catch (error) {
    assert.ok(error instanceof SocketError, String(error));
    outcome.error = { code: error.code, offset: error.offset, expected: error.expected };
  }
  return outcome;
}

function bytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

function message(...lines: string[]): string {
  return lines.join("\r\n");
}

interface Sample {
  readonly name: string;
  readonly text: string;
  readonly options?: DecodeOptions;
  readonly expected: Partial<Outcome>;
}

const CHUNKED = "Transfer-Encoding: chunked";

const GOOD: readonly Sample[] = [
  {
    name: "a length",
    text: message("HTTP/1.1 200 OK", "Content-Length: 5", "X-A: 1", "x-a: \t2 ", "", "hello"),
    expected: {
      status: 200,
      version: "1.1",
      reason: "OK",
      body: "hello",
      headers: [
        ["content-length", "5"],
        ["x-a", "1, 2"],
      ],
      trailers: [],
    },
  },
  {
    name: "several cookies",
    text: message("HTTP/1.1 200 OK", "Content-Length: 0", "Set-Cookie: a=1", "Set-Cookie: b=2", "", ""),
    expected: {
      body: "",
      headers: [
        ["content-length", "0"],
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
      ],
      trailers: [],
    },
  },
  {
    name: "chunks with extensions and trailers",
    text: message(
      "HTTP/1.1 200 OK",
      CHUNKED,
      "",
      '5;a=1;b="x; y"',
      "hello",
      "00A ; c",
      "0123456789",
      "0",
      "X-Sum: 42",
      "",
      "",
    ),
    expected: { body: "hello0123456789", trailers: [["x-sum", "42"]] },
  },
  {
    name: "chunks and other capitals",
    text: message("HTTP/1.1 200 OK", "transfer-encoding: , Chunked", "", "1", "a", "000", "", ""),
    expected: { body: "a", trailers: [] },
  },
  {
    name: "a body until the end",
    text: message("HTTP/1.0 200 OK", "", "all\r\nof it"),
    expected: { version: "1.0", body: "all\r\nof it", trailers: [] },
  },
  {
    name: "folded fields, with a space for each fold",
    text: message("HTTP/1.1 200 OK", "A: b \t", " \t c", "\td: e ", "B:", " ", " f", "Content-Length: 0", "", ""),
    expected: {
      headers: [
        ["a", "b c d: e"],
        ["b", "f"],
        ["content-length", "0"],
      ],
    },
  },
  {
    name: "folded trailers",
    text: message("HTTP/1.1 200 OK", CHUNKED, "", "0", "A: b", " c", "", ""),
    expected: { trailers: [["a", "b c"]] },
  },
  {
    name: "an empty body until the end",
    text: message("HTTP/1.1 200 OK", "", ""),
    expected: { body: "", trailers: [] },
  },
  {
    name: "1xx before the answer",
    text: message("HTTP/1.1 100 Continue", "", "HTTP/1.1 103", "Link: </a>", "", "HTTP/1.1 204 No Content", "", ""),
    expected: { informational: [100, 103], status: 204, body: "", headers: [], trailers: [] },
  },
  {
    name: "204 with a length that lies",
    text: message("HTTP/1.1 204 No Content", "Content-Length: 5", "", ""),
    expected: { status: 204, body: "", trailers: [] },
  },
  {
    name: "304 with a length",
    text: message("HTTP/1.1 304 Not Modified", "Content-Length: 5", "", ""),
    expected: { status: 304, body: "", trailers: [] },
  },
  {
    name: "HEAD with chunks",
    text: message("HTTP/1.1 200 OK", CHUNKED, "", ""),
    options: { method: "HEAD" },
    expected: { status: 200, body: "", trailers: [] },
  },
  {
    name: "the same length repeated",
    text: message("HTTP/1.1 200 OK", "Content-Length: 2, 2", "Content-Length: 2", "", "ok"),
    expected: { body: "ok", trailers: [] },
  },
  {
    name: "no reason phrase",
    text: message("HTTP/1.1 200", "Content-Length: 0", "", ""),
    expected: { status: 200, reason: "", trailers: [] },
  },
  {
    name: "a reason phrase in Latin-1",
    text: message("HTTP/1.1 404 Non trouv\xe9", "Content-Length: 0", "", ""),
    expected: { status: 404, reason: "Non trouv\xe9", trailers: [] },
  },
  {
    name: "lines that end in LF alone",
    text: "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    expected: { body: "ok", trailers: [] },
  },
  {
    name: "bytes after the message",
    text: message("HTTP/1.1 200 OK", "Content-Length: 2", "", "okHTTP/1.1 nonsense"),
    expected: { body: "ok", trailers: [] },
  },
  {
    name: "bytes after the last chunk",
    text: message("HTTP/1.1 200 OK", CHUNKED, "", "0", "", "\0\r\r"),
    expected: { body: "", trailers: [] },
  },
  {
    name: "exactly chunkOverheadBytesMax, and chunks that make up for it",
    text: message("HTTP/1.1 200 OK", CHUNKED, "", `1;${"x".repeat(24)}`, "a", "14", "x".repeat(20), "0", "", ""),
    options: { chunkOverheadBytesMax: 10 },
    expected: { body: `a${"x".repeat(20)}`, trailers: [] },
  },
  {
    name: "exactly headerBytesMax and bodyBytesMax",
    text: message("HTTP/1.1 200 OK", "Content-Length: 4", "", "body"),
    options: { headerBytesMax: 38, bodyBytesMax: 4 },
    expected: { body: "body", trailers: [] },
  },
];

/** Responses that are rejected, with the offset of the wrong byte. */
const BAD: readonly (readonly [name: string, text: string, offset: number, options?: DecodeOptions])[] = [
  ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n", 0],
  ["an empty line first", message("", "HTTP/1.1 200 OK", "", ""), 0],
  ["HTTP/2.0", message("HTTP/2.0 200 OK", "", ""), 0],
  ["HTTP/1.2", message("HTTP/1.2 200 OK", "", ""), 0],
  ["http/1.1", message("http/1.1 200 OK", "", ""), 0],
  ["a status of two digits", message("HTTP/1.1 20 OK", "", ""), 0],
  ["a status of four digits", message("HTTP/1.1 2000 OK", "", ""), 0],
  ["two spaces before the status", message("HTTP/1.1  200 OK", "", ""), 0],
  ["a bare CR in the status line", message("HTTP/1.1 200 O\rK", "", ""), 14],
  ["an escape in the reason", message("HTTP/1.1 200 \x1b[2J", "", ""), 0],
  ["a switch of protocols", message("HTTP/1.1 101 Switching", "", ""), 26],
  ["a bare CR in a field", message("HTTP/1.1 200 OK", "A: b\rc", "", ""), 21],
  ["CR CR LF", message("HTTP/1.1 200 OK", "A: b\r", "", ""), 21],
  ["a NUL in a field", message("HTTP/1.1 200 OK", "A: b\0c", "", ""), 21],
  ["white space before a colon", message("HTTP/1.1 200 OK", "Content-Length : 5", "", "hello"), 31],
  ["a coding before chunked", message("HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked", "", "0", "", ""), 17],
  ["a coding that is not chunked", message("HTTP/1.1 200 OK", "Transfer-Encoding: gzip", "", ""), 17],
  ["two Locations", message("HTTP/1.1 302 X", "Location: /a", "Location: /b", "", ""), 30],
  ["white space before the first field", message("HTTP/1.1 200 OK", "\tA: b", "", ""), 17],
  ["a field without a colon", message("HTTP/1.1 200 OK", "A b", "", ""), 17],
  ["a field without a name", message("HTTP/1.1 200 OK", ": b", "", ""), 17],
  ["a name with a control character", message("HTTP/1.1 200 OK", "A\x01: b", "", ""), 17],
  ["two different lengths", message("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6", "", "hello"), 36],
  ["two different lengths in one field", message("HTTP/1.1 200 OK", "Content-Length: 5, 6", "", "hello"), 17],
  ["a length with a sign", message("HTTP/1.1 200 OK", "Content-Length: +5", "", "hello"), 17],
  ["a negative length", message("HTTP/1.1 200 OK", "Content-Length: -5", "", "hello"), 17],
  ["an empty length", message("HTTP/1.1 200 OK", "Content-Length:", "", "hello"), 17],
  ["a hexadecimal length", message("HTTP/1.1 200 OK", "Content-Length: 0x5", "", "hello"), 17],
  ["a length above 2^53", message("HTTP/1.1 200 OK", "Content-Length: 99999999999999999999", "", ""), 17],
  ["a length with chunks", message("HTTP/1.1 200 OK", "Content-Length: 5", CHUNKED, "", "0", "", ""), 36],
  [
    "a length with chunks for HEAD",
    message("HTTP/1.1 200 OK", "Content-Length: 5", CHUNKED, "", ""),
    36,
    { method: "HEAD" },
  ],
  ["chunked twice", message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked, chunked", "", "0", "", ""), 17],
  ["chunked with a parameter", message("HTTP/1.1 200 OK", "Transfer-Encoding: chunked;a=1", "", "0", "", ""), 17],
  ["a coding without a name", message("HTTP/1.1 200 OK", "Transfer-Encoding: ", "", "0", "", ""), 17],
  ["a chunk size that is not hexadecimal", message("HTTP/1.1 200 OK", CHUNKED, "", "g", "hello", ""), 47],
  ["an empty chunk size", message("HTTP/1.1 200 OK", CHUNKED, "", "", "hello", ""), 47],
  ["a chunk size with a sign", message("HTTP/1.1 200 OK", CHUNKED, "", "+5", "hello", ""), 47],
  ["a chunk size with 0x", message("HTTP/1.1 200 OK", CHUNKED, "", "0x5", "hello", ""), 47],
  ["a chunk size before white space", message("HTTP/1.1 200 OK", CHUNKED, "", "5 ", "hello", ""), 47],
  ["a chunk size after white space", message("HTTP/1.1 200 OK", CHUNKED, "", " 5", "hello", ""), 47],
  ["a chunk size above 2^53", message("HTTP/1.1 200 OK", CHUNKED, "", "fffffffffffffffff", "", ""), 47],
  ["a chunk size that ends in LF", `${message("HTTP/1.1 200 OK", CHUNKED, "", "5")}\nhello\r\n`, 47],
  ["a control character in an extension", message("HTTP/1.1 200 OK", CHUNKED, "", "5;\x01", "hello", ""), 47],
  ["a chunk longer than its size", message("HTTP/1.1 200 OK", CHUNKED, "", "4", "hello", ""), 54],
  ["a chunk that ends in LF", `${message("HTTP/1.1 200 OK", CHUNKED, "", "5", "hello")}\n0\r\n`, 55],
  ["a chunk that ends in CR alone", `${message("HTTP/1.1 200 OK", CHUNKED, "", "5", "hello")}\r0\r\n`, 56],
  ["a trailer without a colon", message("HTTP/1.1 200 OK", CHUNKED, "", "0", "A", "", ""), 50],
];

const CUT_OFF: readonly (readonly [name: string, text: string, expected?: number])[] = [
  ["nothing", ""],
  ["half a status line", "HTTP/1.1 20"],
  ["half a head", message("HTTP/1.1 200 OK", "Content-Le")],
  ["a head without its empty line", message("HTTP/1.1 200 OK", "Content-Length: 5", "")],
  ["nothing after 100", message("HTTP/1.1 100 Continue", "", "")],
  ["a body short of its length", message("HTTP/1.1 200 OK", "Content-Length: 5", "", "hell"), 5],
  ["a length without a body", message("HTTP/1.1 200 OK", "Content-Length: 5", "", ""), 5],
  ["half a chunk", message("HTTP/1.1 200 OK", CHUNKED, "", "5", "hel")],
  ["no last chunk", message("HTTP/1.1 200 OK", CHUNKED, "", "5", "hello", "")],
  ["a last chunk without its trailers", message("HTTP/1.1 200 OK", CHUNKED, "", "0", "")],
];

const LIMITS: readonly (readonly [name: string, text: string, options: DecodeOptions])[] = [
  ["a head one byte too long", message("HTTP/1.1 200 OK", "A: 1", "", ""), { headerBytesMax: 24 }],
  ["a status line without an end", "H".repeat(100), { headerBytesMax: 99 }],
  ["many 1xx", message("HTTP/1.1 100 Continue", "", "").repeat(10), { headerBytesMax: 200 }],
  ["trailers", message("HTTP/1.1 200 OK", CHUNKED, "", "0", `A: ${"x".repeat(60)}`, "", ""), { headerBytesMax: 60 }],
  ["a chunk's extensions", message("HTTP/1.1 200 OK", CHUNKED, "", `1;${"x".repeat(5000)}`, "a", "0", "", ""), {}],
  ["a length", message("HTTP/1.1 200 OK", "Content-Length: 5", "", ""), { bodyBytesMax: 4 }],
  [
    "small chunks with long extensions",
    message("HTTP/1.1 200 OK", CHUNKED, "", `${`1;${"x".repeat(1000)}\r\na\r\n`.repeat(20)}0`, "", ""),
    {},
  ],
  [
    "a chunk overhead one byte over the limit",
    message("HTTP/1.1 200 OK", CHUNKED, "", `1;${"x".repeat(24)}`, "a", "0", "", ""),
    { chunkOverheadBytesMax: 9 },
  ],
  [
    "the sum of chunks",
    message("HTTP/1.1 200 OK", CHUNKED, "", "4", "hell", "1", "o", "0", "", ""),
    { bodyBytesMax: 4 },
  ],
  ["a body until the end", message("HTTP/1.1 200 OK", "", "hello"), { bodyBytesMax: 4 }],
];

describe("ResponseDecoder", () => {
  for (const { name, text, options, expected } of GOOD) {
    test(`decodes ${name}`, () => {
      const whole = decode([bytes(text)], options);
      assert.equal(whole.error, undefined);
      for (const [key, value] of Object.entries(expected)) assert.deepEqual(whole[key as keyof Outcome], value, key);
      assertSameHoweverCut(bytes(text), whole, options);
    });
  }

  test("ends a response with a known length before the connection ends", () => {
    const isOpen = { isEnded: false };
    for (const text of ["HTTP/1.1 204 X\r\n\r\n", "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n"]) {
      assert.deepEqual(decode([bytes(text)], isOpen).trailers, []);
    }
    assert.equal(decode([bytes("HTTP/1.1 200 X\r\n\r\n")], isOpen).trailers, undefined);
  });

  for (const [name, text, offset, options] of BAD) {
    test(`refuses ${name}`, () => {
      const whole = decode([bytes(text)], options);
      assert.deepEqual(whole.error, { code: "malformed", offset, expected: undefined });
      assertSameHoweverCut(bytes(text), whole, options);
    });
  }

  for (const [name, text, expected] of CUT_OFF) {
    test(`rejects ${name} at the end of the stream`, () => {
      const whole = decode([bytes(text)]);
      assert.deepEqual(whole.error, { code: "end-of-stream", offset: undefined, expected });
      assertSameHoweverCut(bytes(text), whole);
    });
  }

  for (const [name, text, options] of LIMITS) {
    test(`limits ${name}`, () => {
      const { error } = decode([bytes(text)], options);
      assert.equal(error?.code, "limit");
      const chunks = Array.from(bytes(text), (byte) => Uint8Array.of(byte));
      assert.deepEqual(decode(chunks, options).error, error);
    });
  }

  test("names the limit and its option in the error", () => {
    const chunks = (line: string): string => message("HTTP/1.1 200 OK", CHUNKED, "", line, "");
    const expected: readonly [text: string, message: RegExp][] = [
      ["H".repeat(17_000), /its head exceeds limit 16384 bytes \(option headerBytesMax\) \(at byte 0\)$/],
      [
        chunks(`0\r\nA: ${"x".repeat(17_000)}`),
        /its trailer section exceeds limit 16384 bytes \(option headerBytesMax\)/,
      ],
      [chunks(`1;${"x".repeat(5_000)}`), /the line before a chunk exceeds limit 4096 bytes \(at byte/],
      [chunks(`${`1;${"x".repeat(4_000)}\r\na\r\n`.repeat(5)}0`), /limit 16384 bytes \(option chunkOverheadBytesMax\)/],
      [chunks("4000001"), /its body exceeds limit 67108864 bytes \(option bodyBytesMax\)$/],
    ];
    for (const [text, message] of expected) {
      // After events of the same call the error is kept for the next call.
      const decoder = new ResponseDecoder();
      const decodeTwice = (): void => void [decoder.decode(bytes(text)), decoder.decode(bytes(""))];
      assert.throws(decodeTwice, { code: "limit", message });
    }
  });

  test("throws once and returns nothing after that", () => {
    const decoder = new ResponseDecoder();
    assert.throws(() => decoder.decode(bytes("nonsense\r\n")), { code: "malformed" });
    assert.deepEqual(decoder.decode(bytes("HTTP/1.1 200 OK\r\n\r\n")), []);
    assert.deepEqual(decoder.end(), []);
  });

  test("returns at most the requested number of events per call", () => {
    const empty = new Uint8Array(0);
    for (const text of [
      message("HTTP/1.1 304 Not Modified", "", ""),
      message("HTTP/1.1 200 OK", "Content-Length: 0", "", ""),
      message("HTTP/1.1 200 OK", "Content-Length: 2", "", "hi"),
      message("HTTP/1.1 200 OK", CHUNKED, "", "0", "", ""),
    ]) {
      const all = new ResponseDecoder().decode(bytes(text)).map(({ type }) => type);
      const decoder = new ResponseDecoder();
      const oneByOne = [decoder.decode(bytes(text), 1), ...all.slice(1).map(() => decoder.decode(empty, 1))];
      assert.deepEqual(
        oneByOne.map((events) => events.map(({ type }) => type)),
        all.map((type) => [type]),
      );
      assert.deepEqual(decoder.end(), []);
    }
  });
});

/** Byte by byte, and split in two at every place. */
function assertSameHoweverCut(text: Buffer, whole: Outcome, options?: DecodeOptions): void {
  const single = Array.from(text, (byte) => Uint8Array.of(byte));
  assert.deepEqual(decode(single, options), whole, "byte by byte");
  for (let at = 0; at <= text.length; at += 1) {
    assert.deepEqual(decode([text.subarray(0, at), text.subarray(at)], options), whole, `cut at ${at}`);
  }
}
