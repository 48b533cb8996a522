import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { resetStream } from "./reset-stream.ts";
import { watchSending } from "./send-watch.ts";

/** What a stream tells the one who owns it. */
export interface StreamOwner {
  received(chunk: Uint8Array): void;
  /** The peer finished. */
  ended(): void;
  /** It broke, and is then gone. */
  failed(error: Error): void;
  /** It is gone, in peace or not. */
  gone(): void;
  /** Nothing moved for the idle time. */
  idled(): void;
  /** Bytes wait to be sent, and none has left for the send timeout. */
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

/** A stream that was given away has no owner; it is not left to hold its bytes for ever. */
function onStalled(stream: OwnedStream): void {
  if (stream[owner] === undefined) resetStream(stream);
  else stream[owner].stalled();
}

/** Tells its new owner what happens to a stream, which stays paused until somebody reads. */
export function adoptStream(stream: OwnedStream, newOwner: StreamOwner): void {
  stream[owner] = newOwner;
  stream.pause();
  stream.on("data", onData).on("end", onEnd).on("error", onError).on("close", onClose);
}

/** Leaves a stream to somebody else, paused. */
export function abandonStream(stream: OwnedStream): void {
  stream.pause();
  stream.off("data", onData).off("end", onEnd).off("error", onError).off("close", onClose);
  watchIdleTime(stream, 0);
  delete stream[owner];
}

/** Tells the owner when nothing moved for this long, in milliseconds; 0 is never. */
export function watchIdleTime(stream: Duplex, idleTimeoutMs: number): void {
  (stream as Partial<Socket>).setTimeout?.(idleTimeoutMs, onTimeout);
}

/** Tells the owner when bytes wait to be sent and none has left for this long, in milliseconds; 0 is never. */
export function watchSendTime(stream: Duplex, sendTimeoutMs: number): void {
  watchSending(stream, sendTimeoutMs, onStalled);
}
