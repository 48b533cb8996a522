import { SocketError } from "../errors.ts";
import { PullIterator } from "../pull-iterator.ts";
import type { Connection } from "../tcp/connection.ts";
import type { WriteData } from "../tcp/write-data.ts";
import type { WaitOptions } from "../wait.ts";
import type { Codec, Decoder } from "./codec.ts";
import { encodeBatch } from "./encode-batch.ts";
import { FrameQueue, readBusy } from "./frame-queue.ts";
import { withPeer } from "./with-peer.ts";

/** The bytes in which so many frames came that the connection is no longer read until they are taken. */
const BYTES_MAX = 64 * 1_024;
const EMPTY = new Uint8Array(0);
/** Of the channel that a connection has: two would each lose what the other gets. */
const queues = new WeakMap<Connection, FrameQueue<unknown>>();

/** Options for {@link framed}. */
export interface FramedOptions {
  /**
   * Frames that may wait to be taken before the connection is no longer read, and the most that one read gives. With 1
   * nothing behind a frame is decoded before the next one is asked for: see {@link Framed.changeCodec}. @default 1024
   */
  readonly framesMax?: number | undefined;
}

/**
 * A connection seen as frames. It reads the connection by its events; from then on the connection's own `read` is `busy`.
 *
 * Frames are read in batches (`read`, `batches`) or one by one (`next`, `frames`, `for await`), and from one way to another
 * as it suits: what was not taken stays, also when a loop is left.
 *
 * An error of the codec, or of the connection, comes once after the frames before it, with the peer's address; then the
 * channel has ended.
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
  /** Until the next read: nothing is decoded meanwhile, and an end that comes is kept for later. */
  #isPaused = false;
  #end: (() => void) | undefined;
  /** Whether the connection is somebody else's now. */
  #hasLeft = false;

  /** See {@link framed}. `rest` is what another codec left behind. */
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
      // Our side stays open: who reads frames may still want to answer the last one.
      end: () => {
        this.#endWith(() => {
          this.#decode(() => this.#decoder.end());
          // Once more for the error that comes after these frames.
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
    // A connection that had handlers before may have been paused by them.
    if (this.#isPaused) connection.pause();
    else connection.resume();
  }

  /**
   * Waits for frames: all that are ready, at least one; an empty array at the end, and then again.
   *
   * @throws {SocketError} the codec's or the connection's, once; `closed` when this side closed, reset or detached the
   * connection; `busy` while another read waits; `timeout`.
   */
  read(options?: WaitOptions): Promise<readonly In[]> {
    return this.#queue.read(options, () => this.#queue.ready.takeAll());
  }

  /**
   * Waits for one frame; `null` at the end, and then again. A codec whose frames may be `null`, as those of `json`, is
   * better read with `read` or in a loop.
   *
   * @throws {SocketError} as {@link read}.
   */
  next(options?: WaitOptions): Promise<In | null> {
    return this.#queue.read(options, () => (this.#queue.ready.length > 0 ? this.#queue.ready.take() : null));
  }

  /** Frames in batches, as they arrive: one promise per batch. The options are those of each wait. */
  batches(options?: WaitOptions): AsyncGenerator<readonly In[], void, void> {
    const { ready } = this.#queue;
    const take = () => PullIterator.result(ready.length > 0 ? ready.takeAll() : null);
    return new PullIterator(() => this.#queue.read(options, take));
  }

  /**
   * Frame by frame until the peer finishes. The options are those of each wait. Leaving the loop leaves the connection open
   * and the other frames where they are, for the next read or loop.
   */
  async *frames(options?: WaitOptions): AsyncGenerator<In, void, void> {
    // One wait for all that come together.
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

  /** Writes a frame; see {@link Connection.write}. Rejects with what the codec throws when it cannot say the frame. */
  write(frame: Out, options?: WaitOptions): Promise<void> {
    return this.#write(() => this.#codec.encode(frame), options);
  }

  /** Queues a frame at once; see {@link Connection.send}. Throws what the codec throws when it cannot say the frame. */
  send(frame: Out): boolean {
    return this.connection.send(this.#encode(() => this.#codec.encode(frame)));
  }

  /**
   * As {@link write}, for several frames: all of them, or none where the codec cannot say one. For many small frames it
   * costs less than writing them one by one.
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

  /** As {@link send}, for several frames; see {@link writeBatch}. */
  sendBatch(frames: readonly Out[]): boolean {
    return this.connection.send(this.#encode(() => encodeBatch(this.#codec, frames)));
  }

  /**
   * Goes on with another codec from the byte behind the last frame that was read; this channel has ended then. Open it
   * with `framesMax: 1`: frames that were decoded already cannot be turned back into bytes. Behind a value `json` leaves
   * its line feed to the next codec.
   *
   * Writing has no such border: what this channel still writes has the old codec, in the order of the calls.
   *
   * @throws {SocketError} `busy` while a read waits, or frames wait to be read; `closed` when the channel has ended, or the
   * error that ended it.
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
    // This channel goes on when there will be no other.
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
   * Gives the connection back, to be read by `read` and its like again from the byte behind the last frame that was read;
   * this channel has ended then. As for {@link changeCodec}, open it with `framesMax: 1`.
   *
   * @throws {SocketError} as {@link changeCodec}; `closed` after the connection's `close()`.
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
   * Closes the connection; see {@link Connection.close}. A read that waits rejects with `closed`. After {@link changeCodec}
   * and {@link release} it does nothing: the connection is then for others to close.
   */
  async close(): Promise<void> {
    if (!this.#hasLeft) await this.connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Ends the channel between two frames; what it has not decoded is for who reads from now on. */
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

  /** What came before TLS must not be taken for what came after it. Of decoded frames there is a count, which does. */
  #unreadBytes(): number {
    const rest = this.#decoder.rest();
    // A decoder is of no use after that.
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

  /** How many more frames may wait. */
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
    // As many as were allowed: there may be more in what the decoder holds, and who takes these asks for them.
    const isFull = frames.length >= this.#room;
    this.#queue.push(frames);
    if (isFull || (this.#queue.ready.length > 0 && this.#queue.ready.bytes >= BYTES_MAX)) this.#pause();
    // The error after these frames is here already and must not wait for another chunk.
    if (!isFull) this.#decodeStored();
  }

  #decodeStored(): void {
    this.#decode(() => this.#decoder.decode(EMPTY, this.#room));
  }

  #pause(): void {
    this.#isPaused = true;
    this.connection.pause();
  }

  /** Before the next read, not after the last one: between them the codec may change. */
  #resume(): void {
    if (!this.#isPaused || this.#queue.hasEnded) return;
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

/** @throws {RangeError} when it would let no frame through. */
function framesMaxOf({ framesMax = 1_024 }: FramedOptions = {}): number {
  if (!(framesMax >= 1)) throw new RangeError(`framesMax must be 1 or more: ${framesMax}`);
  return framesMax;
}

/**
 * Sees a connection as frames of a codec.
 *
 * @throws {RangeError} when `framesMax` is not 1 or more.
 * @throws {SocketError} `busy` while a read of the connection waits, or another channel of it has not ended; `closed`
 * after `close()`.
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
