import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { test } from "node:test";
import { failOnLeaks } from "../../../test/leaks.ts";
import {
  type DelimitedOptions,
  delimited,
  type JsonOptions,
  json,
  type LengthPrefixedOptions,
  type LinesOptions,
  lengthPrefixed,
  lines,
  netstrings,
  type SizedOptions,
  type VarintPrefixedOptions,
  varintPrefixed,
} from "./codec/mod.ts";
import { get, type RequestOptions, ResponseDecoder, type ResponseDecoderOptions, request } from "./http/mod.ts";
import { type ConnectOptions, connect, type ListenOptions, listen, serve } from "./tcp/mod.ts";
import { memoryPair } from "./testing/mod.ts";
import { bind, type RequestOptions as UdpRequestOptions, type UdpSocketOptions } from "./udp/mod.ts";

failOnLeaks();

/** Invalid values of every option of a function; none when any value is allowed or Node checks it. */
type Wrong<Options> = { readonly [Name in keyof Required<Options>]: readonly unknown[] };

const TIMES = [-1, Number.NaN, 2 ** 31];
const SIZES = [-1, Number.NaN, 0.5];
const PORTS = [-1, 65_536, 0.5, Number.NaN];

const REQUEST: Wrong<RequestOptions> = {
  timeoutMs: TIMES,
  headTimeoutMs: TIMES,
  chunkTimeoutMs: TIMES,
  redirectsMax: [...SIZES, Number.POSITIVE_INFINITY],
  headerBytesMax: [...SIZES, Number.POSITIVE_INFINITY],
  bodyBytesMax: SIZES,
  chunkOverheadBytesMax: [...SIZES, Number.POSITIVE_INFINITY],
  method: ["", "G T", "CONNECT"],
  secretHeaders: ["x-api-key", ["a b"], [""], {}],
  headers: [{ "a b": "c" }, { a: "b\r\nc" }, { "content-length": "1" }],
  body: [5, null, {}],
  json: [() => 1],
  signal: [],
  decompress: [],
  tls: [],
  lookup: [],
  allowAddress: [],
};

const CONNECTION = {
  readHighWaterMark: [-1, Number.NaN],
  writeHighWaterMark: [0, -1, Number.NaN],
  writeLowWaterMark: [-1, Number.NaN],
  lingerMs: TIMES,
  sendTimeoutMs: TIMES,
};

const CONNECT: Wrong<ConnectOptions> = {
  ...CONNECTION,
  port: [...PORTS, 0],
  timeoutMs: TIMES,
  host: [],
  path: [],
  family: [],
  localAddress: [],
  lookup: [],
  allowAddress: [],
  noDelay: [],
  keepAliveMs: [],
  tls: [],
  signal: [],
};

const LISTEN: Wrong<ListenOptions> = {
  ...CONNECTION,
  connectionsMax: [-1, Number.NaN],
  idleTimeoutMs: TIMES,
  host: [],
  port: [],
  path: [],
  backlog: [],
  reusePort: [],
  noDelay: [],
  keepAliveMs: [],
  tls: [],
  onError: [],
};

const BIND: Wrong<UdpSocketOptions> = {
  port: PORTS,
  queueMax: [0, -1, Number.NaN],
  ttl: [0, 256, 0.5],
  multicastTtl: [-1, 256, 0.5],
  receiveBufferBytes: [0, 2 ** 31],
  sendBufferBytes: [0, 2 ** 31],
  host: [],
  reuseAddress: [],
  ipv6Only: [],
  lookup: [],
  broadcast: [],
  multicastLoopback: [],
  multicastInterface: [],
};

const DECODER: Wrong<ResponseDecoderOptions> = {
  headerBytesMax: [...SIZES, Number.POSITIVE_INFINITY],
  bodyBytesMax: SIZES,
  chunkOverheadBytesMax: [...SIZES, Number.POSITIVE_INFINITY],
  method: [],
};

const WORDS = ["", "no such word", null, 0, true];
const SIZED: Wrong<SizedOptions> = { bytesMax: [...SIZES, Number.POSITIVE_INFINITY], tooLong: WORDS, copy: [] };

const LENGTH_PREFIXED: Wrong<LengthPrefixedOptions> = {
  ...SIZED,
  lengthBytes: [0, 5],
  offset: SIZES,
  // One byte more than the longest frame: 8 MiB and its header.
  skip: [...SIZES, 8_388_613],
  // Every frame length would be negative or above the limit.
  adjustment: [0.5, -(2 ** 32), 8_388_609],
  endian: WORDS,
};

const VARINT_PREFIXED: Wrong<VarintPrefixedOptions> = { ...SIZED, offset: SIZES, skip: SIZES, overlong: WORDS };

const LINES: Wrong<LinesOptions> = { bytesMax: SIZES, tooLong: WORDS, ending: [...WORDS, "\r", "\n\n"] };

const DELIMITED: Wrong<DelimitedOptions> = SIZED;

const JSON_CODEC: Wrong<JsonOptions> = {
  // Every JSON value has at least one byte.
  bytesMax: [...SIZES, 0],
  depthMax: SIZES,
  framing: WORDS,
  invalid: WORDS,
  parse: [],
};

/** A request of a UDP socket, which is closed afterwards. */
async function udpRequest(options: object): Promise<void> {
  await using socket = await bind({ host: "127.0.0.1" });
  await socket.request("x", socket.address, options);
}

const UDP_REQUEST: Wrong<UdpRequestOptions> = {
  timeoutMs: [...TIMES, Number.POSITIVE_INFINITY],
  attempts: [0, 11, 0.5, Number.NaN],
  signal: [],
  matches: [],
  anySender: [],
};

/** Calls a method of a connection that waits. */
async function readWith(options: object): Promise<void> {
  await using pair = memoryPair();
  await pair.client.read(options);
}

const UNUSED_URL = "http://localhost:1/";
const CASES: readonly [name: string, call: (options: object) => unknown, wrong: Wrong<object>][] = [
  ["get()", (options) => get(UNUSED_URL, options), { ...REQUEST, method: [], body: [], json: [] }],
  ["request()", (options) => request(UNUSED_URL, options), REQUEST],
  ["new ResponseDecoder()", (options) => new ResponseDecoder(options), DECODER],
  ["connect()", (options) => connect({ port: 1, ...options }), CONNECT],
  ["listen()", (options) => listen(options), LISTEN],
  ["serve()", (options) => serve(options, () => undefined), LISTEN],
  ["bind()", (options) => bind(options), BIND],
  ["lengthPrefixed()", (options) => lengthPrefixed(options), LENGTH_PREFIXED],
  ["varintPrefixed()", (options) => varintPrefixed(options), VARINT_PREFIXED],
  ["lines()", (options) => lines(options), LINES],
  ["delimited()", (options) => delimited(";", options), DELIMITED],
  ["netstrings()", (options) => netstrings(options), SIZED],
  ["json()", (options) => json(options), JSON_CODEC],
  ["UdpSocket.request()", udpRequest, UDP_REQUEST],
  ["Connection.read()", readWith, { timeoutMs: TIMES }],
  ["memoryPair()", (options) => memoryPair(options), { bufferBytes: [0, -1, 0.5, Number.NaN] }],
];

for (const [name, call, wrong] of CASES) {
  test(`${name} names an invalid option in its error`, async () => {
    for (const [option, values] of Object.entries(wrong as Record<string, unknown[]>)) {
      for (const value of values) {
        await assert.rejects(
          async () => call({ [option]: value }),
          (error: Error) => {
            assert.ok(error instanceof TypeError || error instanceof RangeError, `${option}: ${error.stack}`);
            assert.ok(error.message.startsWith(`${option} `), `${option}: ${error.message}`);
            return true;
          },
        );
      }
    }
  });
}

test("every option named in an error text of the package exists", async () => {
  const sources: string[] = [];
  for await (const path of glob("**/*.ts", { cwd: import.meta.dirname, exclude: ["**/*.test.ts"] })) {
    sources.push(readFileSync(`${import.meta.dirname}/${path}`, "utf8"));
  }
  const all = sources.join("\n");
  const named = new Set(Array.from(all.matchAll(/\(option (\w+)\)/g), ([, option = ""]) => option));
  assert.ok(named.has("redirectsMax"), "the texts are found");
  for (const option of named) assert.match(all, new RegExp(`^ {2}readonly ${option}\\?: `, "m"), option);
});
