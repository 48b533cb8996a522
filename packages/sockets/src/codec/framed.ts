import { SocketError } from "../errors.ts";
import { PullIterator } from "../pull-iterator.ts";
import type { Connection } from "../tcp/connection.ts";
import type { WriteData } from "../tcp/write-data.ts";
import type { WaitOptions } from "../wait.ts";
import type { Codec, Decoder } from "./codec.ts";
import { encodeBatch } from "./encode-batch.ts";
import { FrameQueue, readBusy } from "./frame-queue.ts";
import { withPeer } from "./with-peer.ts";

/** When the unread frames came from this many bytes, the connection is paused. */
const BYTES_MAX = 64 * 1_024;
const EMPTY = new Uint8Array(0);
/** The queue of each connection's channel. With two channels each would miss the frames of the other. */
const queues = new WeakMap<Connection, FrameQueue<unknown>>();

/** Options for {@link framed}. */
export interface FramedOptions {
  /**
   * Maximum number of unread frames, at which the connection is paused. Also the maximum number of frames per read. With
   * 1, bytes after a frame are decoded only when the next frame is requested: see {@link Framed.changeCodec}.
   *
   * @default 1024
   */
  readonly framesMax?: number | undefined;
}

/**
 * A channel: a connection that is read and written as frames of a codec. It uses the events of the connection, so the
 * connection's own `read` rejects with `busy`.
 *
 * Read frames in batches (`read`, `batches`) or one at a time (`next`, `frames`, `for await`), in any combination.
 * Unread frames stay for the next call, even after you leave a loop.
 *
 * An error of the codec or the connection is thrown once, after the frames before it, and names the peer. Then the
 * channel has ended.
 *
 * The connection is paused while 1,024 frames (`framesMax`), or the frames of 64 KiB, are unread.
 *
 * @example
 * ```ts
 * import { connect, framed, lines, serve } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * await using server = await serve({ port: 0 }, (connection) => connection.write("one\ntwo\nthree\n"));
 * await using channel = framed(await connect(server.address), lines());
 * assert.equal(await channel.next({ timeoutMs: 5_000 }), "one");
 * for await (const line of channel.frames({ timeoutMs: 5_000 })) {
 *   assert.equal(line, "two");
 *   break;
 * }
 * const others: string[] = [];
 * for await (const batch of channel.batches()) others.push(...batch);
 * assert.deepEqual(others, ["three"]);
 * ```
 */
export class Framed<In, Out = In> implements AsyncDisposable {
  readonly connection: Connection;
  readonly #codec: Codec<In, Out>;
  #decoder: Decoder<In>;
  readonly #framesMax: number;
  readonly #queue: FrameQueue<In>;
  /** Set until the next read: nothing is decoded, and an end is kept for later. */
  #isPaused = false;
  #end: (() => void) | undefined;
  /** Whether another reader has taken over the connection. */
  #hasLeft = false;

  /** See {@link framed}. `rest` is the undecoded bytes of a previous codec. */
  constructor(connection: Connection, codec: Codec<In, Out>, options: FramedOptions = {}, rest: Uint8Array = EMPTY) {
    const framesMax = framesMaxOf(options);
    if (queues.get(connection)?.hasEnded === false) throw readBusy(connection, "another channel reads the connection");
    this.connection = connection;
    this.#codec = codec;
    this.#decoder = codec.decoder();
    this.#framesMax = framesMax;
    this.#queue = new FrameQueue(connection, () => this.#resume());
    if (rest.length > 0) this.#data(rest);
    connection.handle({
      data: (_, chunk) => this.#data(chunk),
      // Our side stays open, so that the last frame can still be answered.
      end: () => {
        this.#endWith(() => {
          this.#decode(() => this.#decoder.end());
          // Call it again for an error after these frames.
          this.#decode(() => this.#decoder.end());
          this.#queue.end(undefined);
        });
      },
      close: (_, error) => this.#endWith(() => this.#queue.end(error)),
      unreadBytes: () => this.#unreadBytes(),
      closing: (error) => this.#queue.close(error),
      leave: (action, closed) => (this.#queue.hasEnded ? EMPTY : this.#leave(action, closed)),
    });
    queues.set(connection, this.#queue);
    // The previous handlers may have paused the connection.
    if (this.#isPaused) connection.pause();
    else connection.resume();
  }

  /**
   * Waits for frames and returns all that are ready, at least one. Returns an empty array at the end, every time.
   *
   * @throws {SocketError} the error of the codec or the connection, once.
   * @throws {SocketError} `closed` when this side closed, reset or detached the connection.
   * @throws {SocketError} `busy` while another read waits.
   * @throws {SocketError} `timeout` when `timeoutMs` has passed. No frame is lost.
   */
  read(options?: WaitOptions): Promise<readonly In[]> {
    return this.#queue.read(options, () => this.#queue.ready.takeAll());
  }

  /**
   * Waits for one frame. Returns `null` at the end, every time. If frames can be `null`, as with `json`, use `read` or
   * a loop instead.
   *
   * @throws {SocketError} as {@link read}.
   */
  next(options?: WaitOptions): Promise<In | null> {
    return this.#queue.read(options, () => (this.#queue.ready.length > 0 ? this.#queue.ready.take() : null));
  }

  /** Yields batches of frames as they arrive, with one promise per batch. `options` apply to each wait. */
  batches(options?: WaitOptions): AsyncGenerator<readonly In[], void, void> {
    const { ready } = this.#queue;
    const take = () => PullIterator.result(ready.length > 0 ? ready.takeAll() : null);
    return new PullIterator(() => this.#queue.read(options, take));
  }

  /**
   * Yields frames until the peer finishes. `options` apply to each wait. Leaving the loop leaves the connection open
   * and keeps the other frames for the next read or loop.
   */
  async *frames(options?: WaitOptions): AsyncGenerator<In, void, void> {
    // One wait for all frames that arrive together.
    while (await this.#queue.read(options, () => this.#queue.ready.length > 0)) {
      while (this.#queue.ready.length > 0) {
        options?.signal?.throwIfAborted();
        yield this.#queue.ready.take();
      }
    }
  }

  /** As {@link frames}. */
  [Symbol.asyncIterator](): AsyncGenerator<In, void, void> {
    return this.frames();
  }

  /**
   * Writes a frame. See {@link Connection.write}. Rejects with the error of the codec when the frame cannot be encoded.
   */
  write(frame: Out, options?: WaitOptions): Promise<void> {
    return this.#write(() => this.#codec.encode(frame), options);
  }

  /**
   * Queues a frame at once. See {@link Connection.send}. Throws the error of the codec when the frame cannot be
   * encoded.
   */
  send(frame: Out): boolean {
    return this.connection.send(this.#encode(() => this.#codec.encode(frame)));
  }

  /**
   * As {@link write}, for several frames. Writes none of them if one cannot be encoded. Faster than single writes for
   * many small frames.
   *
   * @example
   * ```ts
   * import { framed, lengthPrefixed, serve } from "@landline/sockets";
   *
   * await using server = await serve({ port: 0 }, async (connection) => {
   *   const channel = framed(connection, lengthPrefixed());
   *   for await (const frames of channel.batches()) await channel.writeBatch(frames);
   * });
   * ```
   */
  writeBatch(frames: readonly Out[], options?: WaitOptions): Promise<void> {
    return this.#write(() => encodeBatch(this.#codec, frames), options);
  }

  /** As {@link send}, for several frames. See {@link writeBatch}. */
  sendBatch(frames: readonly Out[]): boolean {
    return this.connection.send(this.#encode(() => encodeBatch(this.#codec, frames)));
  }

  /**
   * Continues with another codec directly after the last frame that was read, and ends this channel. Open this channel
   * with `framesMax: 1`, because frames that are already decoded cannot be converted back to bytes. `json` leaves the
   * line feed after a value to the next codec.
   *
   * The new channel has no effect on writes through this one: they use the old codec. All data leaves in the order of
   * the calls.
   *
   * @throws {SocketError} `busy` while a read waits, or while there are unread frames.
   * @throws {SocketError} `closed` when the channel has ended, or the error that ended it.
   * @throws {RangeError} when `framesMax` is not 1 or more.
   *
   * @example
   * ```ts
   * import { connect, framed, lengthPrefixed, lines, serve } from "@landline/sockets";
   * import assert from "node:assert/strict";
   *
   * await using server = await serve({ port: 0 }, (connection) => connection.write("BINARY\n\0\0\0\x02hi"));
   * const greeting = framed(await connect(server.address), lines(), { framesMax: 1 });
   * assert.equal(await greeting.next(), "BINARY");
   * await using channel = greeting.changeCodec(lengthPrefixed());
   * assert.equal(String(await channel.next()), "hi");
   * ```
   */
  changeCodec<NextIn, NextOut = NextIn>(
    codec: Codec<NextIn, NextOut>,
    options?: FramedOptions,
  ): Framed<NextIn, NextOut> {
    // Validate first: on an error this channel must continue.
    framesMaxOf(options);
    const rest = this.#leave("change the codec");
    try {
      return new Framed(this.connection, codec, options, rest);
    } catch (error) {
      this.#hasLeft = false;
      throw error;
    }
  }

  /**
   * Returns the connection, for `readExactly` and the other reads, directly after the last frame that was read. Ends
   * this channel. Open it with `framesMax: 1`, as for {@link changeCodec}.
   *
   * @throws {SocketError} as {@link changeCodec}.
   * @throws {SocketError} `closed` after the connection's `close()`.
   *
   * @example
   * ```ts
   * import { connect, framed, lines, serve } from "@landline/sockets";
   * import assert from "node:assert/strict";
   *
   * await using server = await serve({ port: 0 }, (connection) => connection.write("size 5\nhello"));
   * const header = framed(await connect(server.address), lines(), { framesMax: 1 });
   * const [, size] = (await header.next())?.split(" ") ?? [];
   * await using connection = header.release();
   * assert.equal(String(await connection.readExactly(Number(size))), "hello");
   * ```
   */
  release(): Connection {
    this.connection.handBack(() => this.#leave("release the connection"));
    return this.connection;
  }

  /**
   * Closes the connection. See {@link Connection.close}. A waiting read rejects with `closed`. Does nothing after
   * {@link changeCodec} and {@link release}: the new owner closes the connection.
   */
  async close(): Promise<void> {
    if (!this.#hasLeft) await this.connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Ends the channel between two frames and returns its undecoded bytes for the next reader. */
  #leave(action: string, closed?: () => SocketError): Uint8Array {
    if (this.#queue.isReading && closed === undefined)
      throw new SocketError("busy", `Cannot ${action}: a read is waiting`);
    const frames = this.#queue.ready.length;
    if (frames > 0) {
      const text =
        frames === 1 ? "a frame was decoded that was not read" : `${frames} frames were decoded that were not read`;
      throw new SocketError("busy", `Cannot ${action}: ${text}; open the channel with framesMax: 1`);
    }
    if (this.#queue.hasEnded) {
      throw this.#queue.takeError() ?? new SocketError("closed", `Cannot ${action}: the channel has ended`);
    }
    this.#hasLeft = true;
    if (closed === undefined) this.#queue.end(undefined);
    else this.#queue.close(closed);
    return this.#decoder.rest();
  }

  /**
   * Plain bytes must not count as protected after a TLS handshake. Decoded frames have no known size, so each counts as
   * one byte.
   */
  #unreadBytes(): number {
    const rest = this.#decoder.rest();
    // The decoder cannot be used after `rest`.
    this.#decoder = this.#codec.decoder();
    this.#decode(() => this.#decoder.decode(rest, 0));
    return this.#queue.ready.length + rest.length;
  }

  #write(encode: () => WriteData, options: WaitOptions | undefined): Promise<void> {
    let data: WriteData;
    try {
      data = this.#encode(encode);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.connection.write(data, options);
  }

  #encode(encode: () => WriteData): WriteData {
    try {
      return encode();
    } catch (error) {
      throw withPeer(error, "to", this.connection.facts());
    }
  }

  #data(chunk: Uint8Array): void {
    this.#queue.ready.bytes += chunk.length;
    this.#decode(() => this.#decoder.decode(chunk, this.#isPaused ? 0 : this.#room));
  }

  /** Number of frames that may still be decoded. */
  get #room(): number {
    return this.#framesMax - this.#queue.ready.length;
  }

  #decode(decode: () => readonly In[]): void {
    if (this.#queue.hasEnded) return;
    let frames: readonly In[];
    try {
      frames = decode();
    } catch (error) {
      this.#queue.end(withPeer(error, "from", this.connection.facts()));
      return;
    }
    if (frames.length === 0) return;
    // The maximum was decoded, so the decoder may hold more frames: the next read asks for them.
    const isFull = frames.length >= this.#room;
    this.#queue.push(frames);
    if (isFull || (this.#queue.ready.length > 0 && this.#queue.ready.bytes >= BYTES_MAX)) this.#pause();
    // An error after these frames must not wait for another chunk.
    if (!isFull) this.#decodeStored();
  }

  #decodeStored(): void {
    this.#decode(() => this.#decoder.decode(EMPTY, this.#room));
  }

  #pause(): void {
    this.#isPaused = true;
    this.connection.pause();
  }

  /** Resumes before the next read, not after the last one, because the codec may change between them. */
  #resume(): void {
    if (!this.#isPaused || this.#queue.hasEnded) return;
    this.#isPaused = false;
    this.#decodeStored();
    if (this.#isPaused) return;
    this.#end?.();
    this.connection.resume();
  }

  /** The connection ended. While paused, the end waits until all bytes before it are decoded. */
  #endWith(end: () => void): void {
    if (!this.#isPaused) end();
    else this.#end ??= end;
  }
}

/** @throws {RangeError} when `framesMax` is not 1 or more. */
function framesMaxOf({ framesMax = 1_024 }: FramedOptions = {}): number {
  if (!(framesMax >= 1)) throw new RangeError(`framesMax must be 1 or more: ${framesMax}`);
  return framesMax;
}

/**
 * Opens a channel that reads and writes the connection as frames of a codec.
 *
 * @throws {RangeError} when `framesMax` is not 1 or more.
 * @throws {SocketError} `busy` while a read of the connection waits, or while another channel reads it.
 * @throws {SocketError} `closed` after `close()`.
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
