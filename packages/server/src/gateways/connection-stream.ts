import { Duplex } from "node:stream";
import type { Connection, ConnectionHandlers } from "@landline/sockets";

/**
 * Longest piece passed to the stream's reader, in bytes. Longer chunks are split into copies of this length, so a
 * reader that keeps a slice of one keeps no more memory than this. Without the copies, `ws` kept 64 KiB for the first
 * 20 bytes of a frame; with them, 2.7 KiB.
 */
export const PIECE_BYTES_MAX = 4_096;

/**
 * A connection as a Node stream, for `node:http` and `ws`. Ending or destroying the stream closes the connection.
 * That sends what is buffered and takes a bounded time.
 */
export class ConnectionStream extends Duplex {
  readonly connection: Connection;
  /** Called when the connection has room again, for code that writes to it directly. */
  onDrain: (() => void) | undefined;
  /** Completes the pending write when the connection has room. */
  #goOn: (() => void) | undefined;
  /** Rejects with what a handler of the stream threw. */
  readonly #failure = Promise.withResolvers<never>();

  constructor(connection: Connection) {
    super();
    this.connection = connection;
    // The stream's reader listens for errors only while it uses the stream; without a listener, `error` throws.
    this.on("error", () => undefined);
    // The connection reports the failure when it has closed.
    this.#failure.promise.catch(() => undefined);
  }

  /** The peer's address, under `node:http`'s name. Empty if it has none. */
  get remoteAddress(): string {
    return this.connection.remote?.host ?? "";
  }

  /** Starts to read the connection, after these bytes. */
  attach(firstBytes: Uint8Array): void {
    this.connection.handle(this.#handlers);
    if (firstBytes.length > 0) this.received(firstBytes);
  }

  /** Closes the connection because a handler threw this. The connection reports it, as if its own handler had thrown. */
  failed(cause: unknown): void {
    this.destroy();
    this.#failure.reject(cause);
  }

  /** Wraps a handler: what it throws ends only this connection. */
  guarded<A, B>(handler: (a: A, b: B) => void): (a: A, b: B) => void {
    return (a, b) => {
      try {
        handler(a, b);
      } catch (error) {
        this.failed(error);
      }
    };
  }

  override _read(): void {
    this.connection.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (this.connection.send(chunk) || this.connection.state === "closed") done();
    else this.#goOn = done;
  }

  override _final(done: () => void): void {
    void this.connection.close();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    void this.connection.close();
    done(error);
  }

  /** Called for each chunk from the connection. */
  protected received(chunk: Uint8Array): void {
    this.handOn(chunk);
  }

  /** Called when the peer has finished its side. */
  protected finished(): void {
    this.push(null);
  }

  /** Passes bytes to the stream's reader. */
  protected handOn(chunk: Uint8Array): void {
    let hasRoom = true;
    if (chunk.length <= PIECE_BYTES_MAX) hasRoom = this.push(chunk);
    else for (let at = 0; at < chunk.length; at += PIECE_BYTES_MAX) hasRoom = this.push(copyOf(chunk, at));
    if (!hasRoom) this.connection.pause();
  }

  get #handlers(): ConnectionHandlers {
    return {
      data: (_, chunk) => this.received(chunk),
      drain: () => {
        const goOn = this.#goOn;
        this.#goOn = undefined;
        goOn?.();
        this.onDrain?.();
      },
      end: () => this.finished(),
      close: () => {
        this.destroy();
        return this.#failure.promise;
      },
    };
  }
}

/** Copies a piece into its own memory, outside Node's shared pool. */
function copyOf(chunk: Uint8Array, at: number): Buffer {
  const piece = chunk.subarray(at, at + PIECE_BYTES_MAX);
  const copy = Buffer.allocUnsafeSlow(piece.length);
  copy.set(piece);
  return copy;
}
