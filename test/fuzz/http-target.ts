/**
 * HTTP responses for the fuzzer, and the decoder events that must not depend on the split.
 *
 * @module
 */
import type { Decoder } from "@landline/sockets";
import { ResponseDecoder, type ResponseEvent } from "@landline/sockets/http";
import type { DecodeOutcome } from "@landline/sockets/testing";
import type { SeededRandom } from "../../packages/sockets/src/testing/seeded-random.ts";
import { roughly, texts } from "./damage.ts";
import type { FuzzTarget } from "./fuzz.ts";

/** The longest line that a decoder buffers with any settings. */
const CHUNK_LINE_BYTES_MAX = 4_096;

const STATUS_LINES = [
  "HTTP/1.1 200 OK",
  "HTTP/1.0 200",
  "HTTP/1.1 204 No Content",
  "HTTP/1.1 304 ",
  "HTTP/1.1 404 Not\tFound",
];
/** Longer than the decoder may hold. */
const LONG = "x".repeat(5_000);
const FIELDS = ["A: b", "x-long:   some value  ", "Set-Cookie: a=1", "Empty:", "Connection: close"];
const TOKENS = texts(
  ...["\r\n", "\n", "\r", "\r\n\r\n", ":", " ", "\t", "\0", ";", ",", "0", "ffffffffffffffff", "-1", "+1", "0x1"],
  ...[
    "HTTP/1.1 ",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "chunked",
    " chunked, gzip",
    "\r\n ",
    "0\r\n\r\n",
  ],
);

export const httpTarget: FuzzTarget = {
  name: "http",
  makeCase(random) {
    const setting = {
      method: random.pick(["GET", "GET", "GET", "HEAD"]),
      headerBytesMax: random.pick([40, 100, 1_000]),
      bodyBytesMax: random.pick([0, 3, 20, 1_000]),
      chunkOverheadBytesMax: random.pick([0, 20, 16_384]),
    };
    return {
      setting,
      bytes: roughly(random, answer(random), TOKENS),
      restMax: Math.max(setting.headerBytesMax, CHUNK_LINE_BYTES_MAX),
      decoder: () => comparableDecoder(new ResponseDecoder(setting)),
    };
  },
  settled: joinData,
};

function answer(random: SeededRandom): Buffer {
  const informational = random.oneIn(8) ? "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" : "";
  const eol = random.oneIn(8) ? "\n" : "\r\n";
  const fields = Array.from({ length: random.below(3) }, () =>
    random.oneIn(100) ? `X: ${LONG}` : random.pick(FIELDS),
  );
  const body = random.bytes(random.oneIn(100) ? 900 : random.below(24)).toString("latin1");
  const [framing, sent] = random.pick([
    [[`Content-Length: ${body.length}`], body],
    [["Transfer-Encoding: chunked"], chunked(random, body)],
    [[], body],
  ] as const);
  const extra = random.oneIn(8) ? body : "";
  const head = [random.pick(STATUS_LINES), ...fields, ...framing, "", ""].join(eol);
  return Buffer.from(informational + head + sent + extra, "latin1");
}

function chunked(random: SeededRandom, body: string): string {
  let text = "";
  for (let at = 0; at < body.length; ) {
    const part = body.slice(at, at + 1 + random.below(8));
    const extension = random.pick(["", "", "", ";a=1", ' ; b="c d"', random.oneIn(50) ? `;${LONG}` : ""]);
    text += `${part.length.toString(16)}${extension}\r\n${part}\r\n`;
    at += part.length;
  }
  return `${text}0\r\n${random.oneIn(4) ? "X-Sum: 1\r\n" : ""}\r\n`;
}

/** Turns events into text. */
function comparableDecoder(decoder: ResponseDecoder): Decoder<string> {
  return {
    decode: (chunk, framesMax) => decoder.decode(chunk, framesMax).map(textOf),
    end: () => decoder.end().map(textOf),
    rest: () => decoder.rest(),
  };
}

function textOf(event: ResponseEvent): string {
  if (event.type === "data") return `data ${Buffer.from(event.bytes).toString("latin1")}`;
  if (event.type === "end") return `end ${JSON.stringify([...event.trailers])}`;
  const { version, status, reason, headers } = event.head;
  return `${event.type} ${JSON.stringify([version, status, reason, [...headers]])}`;
}

/** Joins the pieces of the body: their number depends on the split. */
function joinData(outcomes: readonly DecodeOutcome[]): readonly unknown[] {
  const joined: unknown[] = [];
  let data = "";
  for (const outcome of outcomes) {
    const text = "frame" in outcome ? String(outcome.frame) : "";
    if (text.startsWith("data ")) {
      data += text.slice("data ".length);
      continue;
    }
    if (data !== "") joined.push(data);
    data = "";
    joined.push(outcome);
  }
  return data === "" ? joined : [...joined, data];
}
