import { SocketError } from "../errors.ts";
import type { Connection } from "../tcp/connection.ts";
import type { WriteData } from "../tcp/write-side.ts";
import { refusalOf, Wait, type WaitOptions } from "../wait.ts";
import type { Codec, Decoder } from "./codec.ts";

/** The bytes in which so many frames came that the connection is no longer read until they are taken. */
const BYTES_MAX = 64 * 1_024;
const EMPTY = new Uint8Array(0);

/** Options for {@link framed}. */
export interface FramedOptions {
  /**
   * Frames that may wait to be taken before the connection is no longer read, and the most that one read gives. With 1
   * nothing behind a frame is decoded before the next one is asked for: see {@link Framed.changeCodec}. @default 1024
   */
  readonly framesMax?: number;
}

/**
 * A connection seen as frames. It reads the connection by its events; from then on the connection's own `read` is `busy`.
 *
 * An error of the codec, or of the connection, comes once after the frames before it; then the channel has ended.
 *
 * At most 1,024 frames (`framesMax`), or those of 64 KiB that arrived, wait to be taken; then the connection is paused.
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
  #decoder: Decoder<In>;
  readonly #framesMax: number;
  #ready: readonly In[] = [];
  /** `#ready`, if it is an array of our own. */
  #own: In[] = [];
  /** Frames that were taken for a loop that has not come to them. */
  #inHand = 0;
  /** Bytes that arrived since frames were taken. */
  #readyBytes = 0;
  #error: unknown;
  #hasEnded = false;
  /** Until the next read: nothing is decoded meanwhile, and an end that comes is kept for later. */
  #isPaused = false;
  #end: (() => void) | undefined;
  #wait: Wait<readonly In[]> | undefined;

  /** See {@link framed}. `rest` is what another codec left behind. */
  constructor(connection: Connection, codec: Codec<In, Out>, options: FramedOptions = {}, rest: Uint8Array = EMPTY) {
    const { framesMax = 1_024 } = options;
    if (!(framesMax >= 1)) throw new RangeError(`framesMax must be 1 or more: ${framesMax}`);
    this.connection = connection;
    this.#codec = codec;
    this.#decoder = codec.decoder();
    this.#framesMax = framesMax;
    if (rest.length > 0) this.#data(rest);
    connection.handle({
      data: (_, chunk) => this.#data(chunk),
      // Our side stays open: who reads frames may still want to answer the last one.
      end: () => {
        this.#endWith(() => {
          this.#decode(() => this.#decoder.end());
          // Once more for the error that comes after these frames.
          this.#decode(() => this.#decoder.end());
          this.#finish(undefined);
        });
      },
      close: (_, error) => this.#endWith(() => this.#finish(error)),
      unreadBytes: () => this.#unreadBytes(),
    });
    // A connection that had handlers before may have been paused by them.
    if (this.#isPaused) connection.pause();
    else connection.resume();
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
    if (this.#ready.length === 0) this.#resume();
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
    for await (const batch of this.batches()) {
      this.#inHand = batch.length;
      for (const frame of batch) {
        this.#inHand -= 1;
        yield frame;
      }
    }
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

  /**
   * Goes on with another codec from the byte behind the last frame that was read; this channel has ended then. Open it
   * with `framesMax: 1`: frames that were decoded already cannot be turned back into bytes. Behind a value `json` leaves
   * its line feed to the next codec.
   *
   * Writing has no such border: what this channel still writes has the old codec, in the order of the calls.
   *
   * @throws {SocketError} `busy` while a read waits, or frames wait to be read; `closed` when the channel has ended.
   *
   * @example
   * ```ts
   * import { connect, framed, lengthPrefixed, lines, serve } from "@landline/sockets";
   * import assert from "node:assert/strict";
   *
   * await using server = await serve({ port: 0 }, (connection) => connection.write("BINARY\n\0\0\0\x02hi"));
   * const greeting = framed(await connect(server.address), lines(), { framesMax: 1 });
   * assert.deepEqual(await greeting.read(), ["BINARY"]);
   * await using channel = greeting.changeCodec(lengthPrefixed());
   * assert.equal(String((await channel.read())[0]), "hi");
   * ```
   */
  changeCodec<NextIn, NextOut = NextIn>(
    codec: Codec<NextIn, NextOut>,
    options?: FramedOptions,
  ): Framed<NextIn, NextOut> {
    if (this.#wait !== undefined) throw new SocketError("busy", "Cannot change the codec: a read is waiting");
    const frames = this.#ready.length + this.#inHand;
    if (frames > 0) {
      throw new SocketError("busy", `Cannot change the codec: ${frames} frames were not read (option framesMax)`);
    }
    if (this.#hasEnded) throw new SocketError("closed", "Cannot change the codec: the channel has ended");
    this.#hasEnded = true;
    return new Framed(this.connection, codec, options, this.#decoder.rest());
  }

  /** Ends the stream of frames at once and closes the connection; see {@link Connection.close}. */
  close(): Promise<void> {
    this.#finish(undefined);
    return this.connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** What came before TLS must not be taken for what came after it. Of decoded frames there is a count, which does. */
  #unreadBytes(): number {
    const rest = this.#decoder.rest();
    // A decoder is of no use after that.
    this.#decoder = this.#codec.decoder();
    this.#decode(() => this.#decoder.decode(rest, 0));
    return this.#ready.length + this.#inHand + rest.length;
  }

  #data(chunk: Uint8Array): void {
    this.#readyBytes += chunk.length;
    this.#decode(() => this.#decoder.decode(chunk, this.#isPaused ? 0 : this.#framesMax));
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
    const isFull = frames.length >= this.#framesMax;
    if (isFull) this.#pause();
    this.#settle();
    if (this.#ready.length >= this.#framesMax || (this.#ready.length > 0 && this.#readyBytes >= BYTES_MAX))
      this.#pause();
    // The error after these frames is here already and must not wait for another chunk.
    if (!isFull) this.#decodeStored();
  }

  #decodeStored(): void {
    this.#decode(() => this.#decoder.decode(EMPTY, this.#framesMax));
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
    this.#inHand = 0;
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

  /** Before the next read, not after the last one: between them the codec may change. */
  #resume(): void {
    if (!this.#isPaused || this.#hasEnded) return;
    this.#isPaused = false;
    this.#decodeStored();
    if (this.#isPaused) return;
    this.#end?.();
    this.connection.resume();
  }

  /** The connection ended, which counts when all that arrived before it is decoded. */
  #endWith(end: () => void): void {
    if (!this.#isPaused) end();
    else this.#end ??= end;
  }
}

/**
 * Sees a connection as frames of a codec.
 *
 * @throws {RangeError} when `framesMax` is not 1 or more.
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
export function framed<In, Out = In>(
  connection: Connection,
  codec: Codec<In, Out>,
  options?: FramedOptions,
): Framed<In, Out> {
  return new Framed(connection, codec, options);
}
