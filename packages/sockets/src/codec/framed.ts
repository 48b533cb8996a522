import { SocketError } from "../errors.ts";
import type { Connection } from "../tcp/connection.ts";
import type { WriteData } from "../tcp/write-side.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import type { Codec, Decoder } from "./codec.ts";

/** Frames that may wait to be taken before the connection is no longer read, */
const FRAMES_MAX = 1_024;
/** or the bytes that they came in. */
const BYTES_MAX = 64 * 1_024;
const EMPTY = new Uint8Array(0);

/**
 * A connection seen as frames. It reads the connection by its events; from then on the connection's own `read` is `busy`.
 *
 * An error of the codec, or of the connection, comes once after the frames before it; then the channel has ended.
 *
 * At most 1,024 frames, or those of 64 KiB that arrived, wait to be taken; then the connection is paused.
 *
 * @example
 * ```ts
 * import { connect, framed, lines, serve } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * await using server = await serve({ port: 0 }, (connection) => connection.write("one\ntwo\nthree\n"));
 * await using channel = framed(await connect(server.address), lines());
 * const all: string[] = [];
 * for await (const batch of channel.batches()) all.push(...batch);
 * assert.deepEqual(all, ["one", "two", "three"]);
 * ```
 */
export class Framed<In, Out = In> implements AsyncDisposable {
  readonly connection: Connection;
  readonly #codec: Codec<In, Out>;
  readonly #decoder: Decoder<In>;
  #ready: readonly In[] = [];
  /** `#ready`, if it is an array of our own. */
  #own: In[] = [];
  /** Bytes that arrived since frames were taken. */
  #readyBytes = 0;
  #error: unknown;
  #hasEnded = false;
  #isPaused = false;
  #wait: Wait<readonly In[]> | undefined;

  /** See {@link framed}. */
  constructor(connection: Connection, codec: Codec<In, Out>) {
    this.connection = connection;
    this.#codec = codec;
    this.#decoder = codec.decoder();
    connection.handle({
      data: (_, chunk) => {
        this.#readyBytes += chunk.length;
        this.#decode(() => this.#decoder.decode(chunk, FRAMES_MAX));
      },
      // Our side stays open: who reads frames may still want to answer the last one.
      end: () => {
        this.#decode(() => this.#decoder.end());
        // Once more for the error that comes after these frames.
        this.#decode(() => this.#decoder.end());
        this.#finish(undefined);
      },
      close: (_, error) => {
        if (this.#isPaused) this.#decode(() => this.#decoder.decode(EMPTY));
        this.#finish(error);
      },
    });
  }

  /**
   * Waits for frames: all that are ready, at least one; none when the stream has ended.
   *
   * @throws {SocketError} the codec's or the connection's, once; `busy` while another read waits; `timeout`.
   */
  read(options?: WaitOptions): Promise<readonly In[]> {
    const refusal = refusalOf(options);
    if (refusal !== undefined) return refusal;
    if (this.#wait !== undefined) {
      return Promise.reject(new SocketError("busy", "Cannot read frames: another read is waiting"));
    }
    if (this.#ready.length > 0) return Promise.resolve(this.#take());
    if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      return Promise.reject(error);
    }
    if (this.#hasEnded) return Promise.resolve([]);
    this.#wait = new Wait<readonly In[]>(
      options,
      () => "Cannot read frames",
      () => {
        this.#wait = undefined;
      },
    );
    return this.#wait.promise;
  }

  /** Frames in batches, as they arrive: one promise per batch. */
  async *batches(): AsyncGenerator<readonly In[], void, void> {
    for (let batch = await this.read(); batch.length > 0; batch = await this.read()) yield batch;
  }

  /** Frame by frame until the peer finishes. Leaving the loop leaves the connection open, and drops the frames at hand. */
  async *[Symbol.asyncIterator](): AsyncGenerator<In, void, void> {
    for await (const batch of this.batches()) yield* batch;
  }

  /** Writes a frame; see {@link Connection.write}. Rejects with what the codec throws when it cannot say the frame. */
  write(frame: Out, options?: WaitOptions): Promise<void> {
    let data: WriteData;
    try {
      data = this.#codec.encode(frame) as WriteData;
    } catch (error) {
      return Promise.reject(error);
    }
    return this.connection.write(data, options);
  }

  /** Queues a frame at once; see {@link Connection.send}. Throws what the codec throws when it cannot say the frame. */
  send(frame: Out): boolean {
    return this.connection.send(this.#codec.encode(frame) as WriteData);
  }

  /** Ends the stream of frames at once and closes the connection; see {@link Connection.close}. */
  close(): Promise<void> {
    this.#finish(undefined);
    return this.connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #decode(decode: () => readonly In[]): void {
    if (this.#hasEnded) return;
    let frames: readonly In[];
    try {
      frames = decode();
    } catch (error) {
      this.#finish(error);
      return;
    }
    if (frames.length === 0) return;
    this.#store(frames);
    // As many as were allowed: there may be more in what the decoder holds, and who takes these asks for them.
    if (frames.length >= FRAMES_MAX) this.#pause();
    this.#settle();
    if (this.#ready.length >= FRAMES_MAX || (this.#ready.length > 0 && this.#readyBytes >= BYTES_MAX)) this.#pause();
    // The error after these frames is here already and must not wait for another chunk.
    if (frames.length < FRAMES_MAX) this.#decode(() => this.#decoder.decode(EMPTY, FRAMES_MAX));
  }

  /** A batch that is taken at once is not copied; behind one that waits, frames are put into an array of our own. */
  #store(frames: readonly In[]): void {
    if (this.#ready.length === 0) {
      this.#ready = frames;
      return;
    }
    if (this.#own !== this.#ready) {
      this.#own = [...this.#ready];
      this.#ready = this.#own;
    }
    this.#own.push(...frames);
  }

  #take(): readonly In[] {
    const frames = this.#ready;
    this.#ready = [];
    this.#own = [];
    this.#readyBytes = 0;
    if (this.#isPaused) queueMicrotask(() => this.#resume());
    return frames;
  }

  #settle(): void {
    const wait = this.#wait;
    if (wait === undefined) return;
    this.#wait = undefined;
    if (this.#ready.length > 0) wait.resolve(this.#take());
    else if (this.#error !== undefined) {
      const error = this.#error;
      this.#error = undefined;
      wait.reject(error);
    } else wait.resolve([]);
  }

  #finish(error: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#error = error;
    this.#settle();
  }

  #pause(): void {
    this.#isPaused = true;
    this.connection.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#decode(() => this.#decoder.decode(EMPTY, FRAMES_MAX));
    if (!this.#isPaused) this.connection.resume();
  }
}

/**
 * Sees a connection as frames of a codec.
 *
 * @example
 * ```ts
 * import { connect, framed, lines, serve } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * await using server = await serve({}, async (connection) => {
 *   const channel = framed(connection, lines());
 *   for await (const line of channel) await channel.write(line.toUpperCase());
 * });
 * await using channel = framed(await connect(server.address), lines());
 * await channel.write("hello");
 * assert.deepEqual(await channel.read(), ["HELLO"]);
 * ```
 */
export function framed<In, Out = In>(connection: Connection, codec: Codec<In, Out>): Framed<In, Out> {
  return new Framed(connection, codec);
}
