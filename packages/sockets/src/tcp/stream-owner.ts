import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { resetStream } from "./reset-stream.ts";
import { watchSending } from "./send-watch.ts";

/** Receives the events of a stream. */
export interface StreamOwner {
  received(chunk: Uint8Array): void;
  /** The peer finished. */
  ended(): void;
  /** The stream failed; `gone` follows. */
  failed(error: Error): void;
  /** The stream is closed, normally or not. */
  gone(): void;
  /** No byte was read or written for the idle time. */
  idled(): void;
  /** Bytes are buffered, and none was sent for the send timeout. */
  stalled(): void;
}

const owner: unique symbol = Symbol("landline.owner");

type OwnedStream = Duplex & { [owner]?: StreamOwner };

// One function per event for all streams, not one closure per stream.
function onData(this: OwnedStream, chunk: Uint8Array): void {
  this[owner]?.received(chunk);
}

function onEnd(this: OwnedStream): void {
  this[owner]?.ended();
}

function onError(this: OwnedStream, error: Error): void {
  this[owner]?.failed(error);
}

function onClose(this: OwnedStream): void {
  this[owner]?.gone();
}

function onTimeout(this: OwnedStream): void {
  this[owner]?.idled();
}

/** A detached stream has no owner. It is reset, so that its buffered bytes do not stay in memory. */
function onStalled(stream: OwnedStream): void {
  if (stream[owner] === undefined) resetStream(stream);
  else stream[owner].stalled();
}

/** Makes `newOwner` receive the stream's events. The stream stays paused until someone reads. */
export function adoptStream(stream: OwnedStream, newOwner: StreamOwner): void {
  stream[owner] = newOwner;
  stream.pause();
  stream.on("data", onData).on("end", onEnd).on("error", onError).on("close", onClose);
}

/** Removes the owner and its listeners, and pauses the stream. */
export function abandonStream(stream: OwnedStream): void {
  stream.pause();
  stream.off("data", onData).off("end", onEnd).off("error", onError).off("close", onClose);
  watchIdleTime(stream, 0);
  delete stream[owner];
}

/** Calls `idled` when no byte was read or written for this long, in milliseconds; 0 for never. */
export function watchIdleTime(stream: Duplex, idleTimeoutMs: number): void {
  (stream as Partial<Socket>).setTimeout?.(idleTimeoutMs, onTimeout);
}

/** Calls `stalled` when bytes are buffered and none was sent for this long, in milliseconds; 0 for never. */
export function watchSendTime(stream: Duplex, sendTimeoutMs: number): void {
  watchSending(stream, sendTimeoutMs, onStalled);
}
