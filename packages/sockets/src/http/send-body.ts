import { SocketError } from "../errors.ts";
import type { Connection } from "../tcp/connection.ts";
import type { WriteData } from "../tcp/write-data.ts";
import type { BodyStream } from "./body-stream.ts";
import type { OutgoingBody } from "./request-body.ts";

/** Options for {@link sendBody}. */
export interface SendBodyOptions {
  /** Stops sending between two writes and cancels the source. */
  readonly signal: AbortSignal;
  /** Longest wait for room, in milliseconds. */
  readonly timeoutMs: number;
  /** Returns the error for a wait longer than `timeoutMs`. */
  readonly timeoutError: () => SocketError;
}

/** Size of the pieces of a body of known length. The bytes after the current piece can still be withheld. */
const PIECE_BYTES = 65_536;

/**
 * Sends a body at the pace of the server. Also resolves when it is stopped or the connection breaks: the reader of the
 * response reports the error, because a response may have arrived before.
 *
 * @throws what the source throws.
 * @throws {TypeError} for a chunk that is not a `Uint8Array`.
 * @throws {SocketError} `timeoutError` when the server accepts no bytes for `timeoutMs`.
 */
export async function sendBody(connection: Connection, body: OutgoingBody, options: SendBodyOptions): Promise<void> {
  if (body.kind === "bytes") await sendBytes(connection, body.bytes, options);
  if (body.kind === "stream") await sendChunks(connection, body.stream, options);
}

async function sendBytes(connection: Connection, bytes: Uint8Array, options: SendBodyOptions): Promise<void> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    if (!(await write(connection, bytes.subarray(at, at + PIECE_BYTES), options))) return;
  }
}

/** The chunked coding: RFC 9112, section 7.1. */
async function sendChunks(connection: Connection, stream: BodyStream, options: SendBodyOptions): Promise<void> {
  try {
    while (!options.signal.aborted) {
      const chunk = await nextUnless(options.signal, stream);
      if (options.signal.aborted || !(await write(connection, encodeChunk(chunk), options))) return;
      if (chunk === undefined) return;
    }
  } finally {
    stream.cancel();
  }
}

/** Encodes a chunk; `undefined` is the last one. */
function encodeChunk(chunk: Uint8Array | undefined): WriteData {
  if (chunk === undefined) return "0\r\n\r\n";
  // An empty chunk would end the body.
  return chunk.length === 0 ? [] : [`${chunk.length.toString(16)}\r\n`, chunk, "\r\n"];
}

/** @returns false when sending must stop. */
async function write(connection: Connection, data: WriteData, options: SendBodyOptions): Promise<boolean> {
  try {
    await connection.write(data, options);
    return true;
  } catch (error) {
    if (options.signal.aborted) return false;
    if (!(error instanceof SocketError)) throw error;
    if (error.code === "timeout") throw options.timeoutError();
    return false;
  }
}

/** Returns the next chunk. Resolves at once when the signal aborts, even while the stream is blocked. */
function nextUnless(signal: AbortSignal, stream: BodyStream): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
    stream
      .next()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", stop));
  });
}
