import { SocketError } from "../errors.ts";
import type { Connection } from "../tcp/connection.ts";
import type { WriteData } from "../tcp/write-data.ts";
import type { BodyStream } from "./body-stream.ts";
import type { OutgoingBody } from "./request-body.ts";

/** Options for {@link sendBody}. */
export interface SendBodyOptions {
  /** Stops the sending between two writes; the source is told. */
  readonly signal: AbortSignal;
  /** Longest wait for room, in milliseconds. */
  readonly timeoutMs: number;
  /** The error when it has passed. */
  readonly timeoutError: () => SocketError;
}

/** As much of a body of known length is handed to the connection at once: the rest can still be kept back. */
const PIECE_BYTES = 65_536;

/**
 * Sends a body at the pace of the server. Resolves too when it is stopped, and when the connection breaks, which is for
 * its reader to tell: an answer may have come before.
 *
 * @throws what the source throws; {@link TypeError} for a chunk that is not bytes; `timeoutError` when the server does not take it.
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

/** The last chunk for `undefined`. */
function encodeChunk(chunk: Uint8Array | undefined): WriteData {
  if (chunk === undefined) return "0\r\n\r\n";
  // An empty chunk would be the last one.
  return chunk.length === 0 ? [] : [`${chunk.length.toString(16)}\r\n`, chunk, "\r\n"];
}

/** @returns false when there is no use in going on. */
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

/** The next chunk. Resolves as soon as the signal is aborted, however long the stream takes. */
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
