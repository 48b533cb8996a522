// Decoding speed of the codecs and of two hand-written loops. `concat` is the usual loop: Buffer.concat per chunk.
// `careful` knows the frame layout and copies only frames that span chunks. The rounds of a row are interleaved. Compare
// the ratios to `careful`. Run: node --conditions=@landline/source bench/codecs.ts [NAME]
import { type Codec, delimited, json, lengthPrefixed, lines, netstrings, varintPrefixed } from "@landline/sockets";

/** Decodes the chunks of a stream. Returns the number of frames. */
type Decode = (chunks: readonly Buffer[]) => number;

interface Case {
  readonly name: string;
  readonly frame: Buffer;
  readonly decoders: Readonly<Record<string, Decode>>;
}

const FRAMES = 60_000;
const ROUNDS = 15;
const CHUNK_BYTES = [65_536, 1_448, 100];
const PAYLOAD = Buffer.alloc(64, "x");
const LF = 0x0a;

const message = { type: "chat", username: "ada", room: "lobby", message: "hello!!" };

const cases: readonly Case[] = [
  {
    name: "lengthPrefixed",
    frame: Buffer.concat([Buffer.of(0, 0, 0, 64), PAYLOAD]),
    decoders: {
      codec: decodeWith(lengthPrefixed()),
      careful: careful(endOfPrefixed, (bytes, at, end) => bytes.subarray(at + 4, end)),
      concat: concatPrefixed,
    },
  },
  {
    name: "varintPrefixed",
    frame: Buffer.concat([Buffer.of(64), PAYLOAD]),
    decoders: { codec: decodeWith(varintPrefixed()) },
  },
  {
    name: "netstrings",
    frame: Buffer.concat([Buffer.from("64:"), PAYLOAD, Buffer.from(",")]),
    decoders: { codec: decodeWith(netstrings()) },
  },
  {
    name: "lines",
    frame: Buffer.from(`${PAYLOAD.subarray(1)}\n`),
    decoders: {
      codec: decodeWith(lines()),
      careful: careful(endOfLine, (bytes, at, end) => bytes.toString("utf8", at, end - 1)),
      concat: concatLines,
    },
  },
  {
    name: "lines-utf8",
    frame: Buffer.from(`${"grün".repeat(12)}\n`),
    decoders: {
      codec: decodeWith(lines()),
      careful: careful(endOfLine, (bytes, at, end) => bytes.toString("utf8", at, end - 1)),
      concat: concatLines,
    },
  },
  {
    name: "delimited",
    frame: Buffer.from(`${PAYLOAD.subarray(1)}\0`),
    decoders: {
      codec: decodeWith(delimited("\0")),
      careful: careful(endOfNul, (bytes, at, end) => bytes.subarray(at, end - 1)),
    },
  },
  {
    name: "json-text",
    frame: Buffer.from(`${JSON.stringify({ text: `${PAYLOAD.subarray(12)}` })}\n`),
    decoders: {
      codec: decodeWith(json()),
      careful: careful(endOfLine, (bytes, at, end) => JSON.parse(bytes.toString("utf8", at, end - 1))),
    },
  },
  {
    name: "json-chat",
    frame: Buffer.from(`${JSON.stringify(message)}\n`),
    decoders: {
      codec: decodeWith(json()),
      careful: careful(endOfLine, (bytes, at, end) => JSON.parse(bytes.toString("utf8", at, end - 1))),
    },
  },
];

for (const { name, frame, decoders } of cases) {
  if (process.argv[2] !== undefined && process.argv[2] !== name) continue;
  const stream = Buffer.concat(Array.from({ length: FRAMES }, () => frame));
  for (const bytes of CHUNK_BYTES) {
    const speeds = measure(decoders, chunksOf(stream, bytes));
    const careful = speeds.careful ?? Number.NaN;
    const texts = Object.entries(speeds).map(([key, value]) => `${key} ${value.toFixed(2).padStart(6)}`);
    const ratio = Number.isNaN(careful) ? "" : `  codec/careful ${((speeds.codec ?? 0) / careful).toFixed(2)}`;
    console.log(`${name.padEnd(15)} ${String(bytes).padStart(5)} B  ${texts.join("  ")} M/s${ratio}`);
  }
}

/** Millions of frames per second, the median of interleaved rounds. */
function measure(decoders: Case["decoders"], chunks: readonly Buffer[]): Record<string, number> {
  const rounds: Record<string, number[]> = {};
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [key, decode] of Object.entries(decoders)) {
      const start = performance.now();
      const count = decode(chunks);
      const ms = performance.now() - start;
      if (count !== FRAMES) throw new Error(`${key} found ${count} of ${FRAMES} frames`);
      rounds[key] ??= [];
      rounds[key].push(FRAMES / ms / 1_000);
    }
  }
  return Object.fromEntries(Object.entries(rounds).map(([key, list]) => [key, median(list)]));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Splits the stream into chunks. Each has its own memory, like the chunks of a socket. */
function chunksOf(stream: Buffer, bytes: number): readonly Buffer[] {
  return Array.from({ length: Math.ceil(stream.length / bytes) }, (_, index) => {
    const chunk = Buffer.allocUnsafeSlow(Math.min(bytes, stream.length - index * bytes));
    stream.copy(chunk, 0, index * bytes);
    return chunk;
  });
}

function decodeWith(codec: Codec<unknown, never>): Decode {
  return (chunks) => {
    const decoder = codec.decoder();
    let count = 0;
    for (const chunk of chunks) count += decoder.decode(chunk).length;
    return count;
  };
}

function concatPrefixed(chunks: readonly Buffer[]): number {
  let rest: Buffer = Buffer.alloc(0);
  let count = 0;
  for (const chunk of chunks) {
    rest = Buffer.concat([rest, chunk]);
    const frames: Buffer[] = [];
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
      const end = 4 + rest.readUInt32BE(0);
      frames.push(rest.subarray(4, end));
      rest = rest.subarray(end);
    }
    count += frames.length;
  }
  return count;
}

function concatLines(chunks: readonly Buffer[]): number {
  let rest = "";
  let count = 0;
  for (const chunk of chunks) {
    const pieces = (rest + chunk.toString("utf8")).split("\n");
    rest = pieces.pop() ?? "";
    count += pieces.length;
  }
  return count;
}

/** Copies only frames that span two chunks. A frame must be shorter than a chunk. */
function careful(
  endOf: (bytes: Buffer, at: number) => number,
  take: (bytes: Buffer, at: number, end: number) => unknown,
) {
  return (chunks: readonly Buffer[]): number => {
    let rest: Buffer = Buffer.alloc(0);
    let count = 0;
    for (const chunk of chunks) {
      const frames: unknown[] = [];
      let at = 0;
      if (rest.length > 0) {
        const joined = Buffer.concat([rest, chunk.subarray(0, 128)]);
        const end = endOf(joined, 0);
        if (end === -1) {
          rest = joined;
          continue;
        }
        frames.push(take(joined, 0, end));
        at = end - rest.length;
      }
      for (let end = endOf(chunk, at); end !== -1; end = endOf(chunk, at)) {
        frames.push(take(chunk, at, end));
        at = end;
      }
      rest = chunk.subarray(at);
      count += frames.length;
    }
    return count;
  };
}

function endOfPrefixed(bytes: Buffer, at: number): number {
  if (bytes.length < at + 4) return -1;
  const end = at + 4 + bytes.readUInt32BE(at);
  return end <= bytes.length ? end : -1;
}

function endOfLine(bytes: Buffer, at: number): number {
  const found = bytes.indexOf(LF, at);
  return found === -1 ? -1 : found + 1;
}

function endOfNul(bytes: Buffer, at: number): number {
  const found = bytes.indexOf(0, at);
  return found === -1 ? -1 : found + 1;
}
