import net from "node:net";
import { wordAt } from "./words.ts";

/** A hostile client: sends `first` on each connection, then `again` repeatedly until the server ends the connection. */
export interface HostileClient {
  readonly first?: string | Uint8Array;
  /** Without it, the client closes each connection as soon as it is open. */
  readonly again?: string | Uint8Array;
  /** Whether it reads what the server sends. @default true */
  readonly isReading?: boolean;
}

/** A room with many messages, for searches, and one with long messages. */
export const ROOMS = { searched: "lobby", long: "archive" } as const;

/** Differs from the address of the other clients, so that they do not share its limits per address. */
const OWN_ADDRESS = "127.0.0.2";
const MEBIBYTE = 1_048_576;
const FRAME_BYTES_MAX = 65_536;
const MESSAGE_BYTES_MAX = 16_384;
/** Requests per write. */
const REQUESTS = 100;

const joined = lines(
  { type: "hello", version: 2, username: "mallory" },
  ...Object.values(ROOMS).map((room) => ({ type: "join", room })),
);
const handshake = [
  "GET /ws HTTP/1.1",
  "Host: 127.0.0.1",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  "\r\n",
].join("\r\n");

/** Queries with many words, with many matches, or with no match after a long search. */
const queries = [
  "b",
  `${wordAt(0)} ${wordAt(1)} b`,
  Array.from({ length: 16 }, (_, i) => wordAt(i)).join(" "),
  Array.from({ length: 128 }, () => "b").join(" "),
  `"* OR ${wordAt(0)} NEAR(`,
  "\u{1F600}\u0300".repeat(64),
];

export const hostileClients: Record<string, HostileClient> = {
  "an array a million deep": { again: "[".repeat(1_000_000) },
  "10 MB without a line feed": { again: "x".repeat(10 * MEBIBYTE) },
  "endless text that is not JSON": { again: '{"a":}\n'.repeat(10_000) },
  "requests of the greatest size": { again: ping(FRAME_BYTES_MAX).repeat(16) },
  "messages of the greatest size": {
    first: joined,
    again: many((i) => ({ type: "chat", id: `${i}`, room: ROOMS.long, message: "x".repeat(MESSAGE_BYTES_MAX) })),
  },
  "10,000 requests in one write": { again: lines({ type: "ping" }).repeat(10_000) },
  "awful searches": {
    first: joined,
    again: many((i) => ({ type: "search", room: ROOMS.searched, query: queries[i % queries.length], limit: 200 })),
  },
  "history of the greatest pages": {
    first: joined,
    again: many((i) => ({ type: "history", room: ROOMS.long, limit: 200, after: i })),
  },
  "joins and leaves": {
    first: joined,
    again: many((i) => ({ type: i % 2 === 0 ? "join" : "leave", room: `room${i >> 1}` })),
  },
  "one that reads nothing": {
    first: joined,
    again: many((i) => ({ type: "history", room: ROOMS.long, limit: 200, after: i })),
    isReading: false,
  },
  "connections opened and ended": {},
  "WebSocket frames of 1 byte": { first: handshake, again: frame(0x81, "1").repeat(10_000) },
  "a WebSocket message in fragments of 1 byte": {
    first: handshake + frame(0x01, "{"),
    again: frame(0x00, " ").repeat(10_000),
  },
  "HTTP with 64 KB of headers": { again: `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n${"x-a: b\r\n".repeat(8_192)}\r\n` },
};

/** Opens one hostile connection after the other until the process ends. */
export async function beHostile(port: number, client: HostileClient): Promise<never> {
  for (;;) await connection(port, client);
}

/** Resolves when the connection has closed. Each write waits for the one before, so the server controls the pace. */
function connection(port: number, { first, again, isReading = true }: HostileClient): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = net.connect({ port, host: "127.0.0.1", localAddress: OWN_ADDRESS, noDelay: true });
  const write = () => {
    if (again !== undefined && socket.writable) socket.write(again, "latin1", () => setImmediate(write));
  };
  socket.on("connect", () => {
    if (first !== undefined) socket.write(first);
    if (again === undefined) socket.destroy();
    else write();
    if (isReading) socket.resume();
  });
  socket.on("error", () => undefined);
  socket.on("close", () => resolve());
  return promise;
}

function lines(...requests: readonly object[]): string {
  return requests.map((request) => `${JSON.stringify(request)}\n`).join("");
}

function many(request: (index: number) => object): Uint8Array {
  return Buffer.from(lines(...Array.from({ length: REQUESTS }, (_, index) => request(index))));
}

/** A ping of this size. No rate limit delays it. */
function ping(bytes: number): string {
  const empty = JSON.stringify({ type: "ping", rest: "" });
  return `${JSON.stringify({ type: "ping", rest: "x".repeat(bytes - empty.length) })}\n`;
}

/** A frame with a payload of one byte, as latin1. Its mask is all zeros. */
function frame(head: number, payload: string): string {
  return `${String.fromCharCode(head, 0x81)}\0\0\0\0${payload}`;
}
