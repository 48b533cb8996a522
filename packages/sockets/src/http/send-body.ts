import { SocketError } from "../errors.ts";
import type { Connection } from "../tcp/connection.ts";
import type { WriteData } from "../tcp/write-data.ts";
import type { OutgoingBody } from "./request-body.ts";

/** Options for {@link sendBody}. */
export interface SendBodyOptions {
  /** Stops the sending between two writes; the source is told. */
  readonly signal: AbortSignal;
  /** Longest wait for room, in milliseconds. */
  readonly timeoutMs: number;
}

/** As much of a body of known length is handed to the connection at once: the rest can still be kept back. */
const PIECE_BYTES = 65_536;

/**
 * Sends a body at the pace of the server. Resolves too when it is stopped, and when the connection breaks, which is for
 * its reader to tell: an answer may have come before.
 *
 * @throws what the source throws; {@link TypeError} for a chunk that is not bytes; {@link SocketError} `timeout` when the server does not take it.
 */
export async function sendBody(connection: Connection, body: OutgoingBody, options: SendBodyOptions): Promise<void> {
  if (body.kind === "bytes") await sendBytes(connection, body.bytes, options);
  if (body.kind === "stream") await sendChunks(connection, chunksOf(body.source), options);
}

async function sendBytes(connection: Connection, bytes: Uint8Array, options: SendBodyOptions): Promise<void> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    if (!(await write(connection, bytes.subarray(at, at + PIECE_BYTES), options))) return;
  }
}

/** The chunked coding: RFC 9112, section 7.1. */
async function sendChunks(
  connection: Connection,
  chunks: AsyncIterator<Uint8Array | undefined>,
  options: SendBodyOptions,
): Promise<void> {
  let isDone = false;
  try {
    while (!options.signal.aborted) {
      const step = await nextUnless(options.signal, chunks);
      isDone = step?.done === true;
      if (step === undefined || !(await write(connection, encodeChunk(step), options)) || isDone) return;
    }
  } finally {
    if (!isDone) giveUp(chunks);
  }
}

function encodeChunk({ done = false, value }: IteratorResult<Uint8Array | undefined>): WriteData {
  if (done) return "0\r\n\r\n";
  if (!(value instanceof Uint8Array)) throw new TypeError("body must give Uint8Array chunks");
  // An empty chunk would be the last one.
  return value.length === 0 ? [] : [`${value.length.toString(16)}\r\n`, value, "\r\n"];
}

/** @returns false when there is no use in going on. */
async function write(connection: Connection, data: WriteData, options: SendBodyOptions): Promise<boolean> {
  try {
    await connection.write(data, options);
    return true;
  } catch (error) {
    if (options.signal.aborted) return false;
    if (error instanceof SocketError && error.code !== "timeout") return false;
    throw error;
  }
}

/** A Web Stream's own iterator cannot be left while it waits; its reader can. */
function chunksOf(
  source: AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>,
): AsyncIterator<Uint8Array | undefined> {
  if (!(source instanceof ReadableStream)) return source[Symbol.asyncIterator]();
  const reader = source.getReader();
  return {
    next: async () => {
      const { done, value } = await reader.read();
      return done ? { done, value: undefined } : { done, value };
    },
    return: async () => {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}

/** The next chunk; `undefined` as soon as the signal is aborted, however long the source takes. */
function nextUnless<T>(signal: AbortSignal, chunks: AsyncIterator<T>): Promise<IteratorResult<T> | undefined> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
    chunks
      .next()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", stop));
  });
}

/** Tells the source that no more is wanted. Nobody waits: it may be in the middle of something that takes long. */
function giveUp(chunks: AsyncIterator<unknown>): void {
  void (async () => chunks.return?.())().catch(() => undefined);
}
