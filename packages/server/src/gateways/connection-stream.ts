import { Duplex } from "node:stream";
import type { Connection, ConnectionHandlers } from "@landline/sockets";

/** Longer chunks are handed on as copies of this length: who keeps a part of one keeps no more memory than this. */
export const PIECE_BYTES_MAX = 4_096;

/**
 * A connection as the Node stream that `node:http` and `ws` want. Ending or destroying it closes the connection, which
 * sends what is left, and is gone in a bounded time.
 */
export class ConnectionStream extends Duplex {
  readonly connection: Connection;
  /** Told when the connection has room again, for who writes to it directly. */
  onDrain: (() => void) | undefined;
  /** Goes on with writing when the connection has room. */
  #goOn: (() => void) | undefined;

  constructor(connection: Connection) {
    super();
    this.connection = connection;
    // Who reads the stream listens for errors only while it has it.
    this.on("error", () => undefined);
  }

  /** The peer's address, as `node:http` names it; empty where it has none. */
  get remoteAddress(): string {
    return this.connection.remote?.host ?? "";
  }

  /** Reads the connection from now on, after these bytes. */
  attach(firstBytes: Uint8Array): void {
    this.connection.handle(this.#handlers);
    if (firstBytes.length > 0) this.received(firstBytes);
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

  /** Bytes arrived. */
  protected received(chunk: Uint8Array): void {
    this.handOn(chunk);
  }

  /** The peer finished. */
  protected finished(): void {
    this.push(null);
  }

  /** Gives bytes to who reads the stream. */
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
      close: () => void this.destroy(),
    };
  }
}

/** A piece in memory of its own, not in Node's shared pool. */
function copyOf(chunk: Uint8Array, at: number): Buffer {
  const piece = chunk.subarray(at, at + PIECE_BYTES_MAX);
  const copy = Buffer.allocUnsafeSlow(piece.length);
  copy.set(piece);
  return copy;
}
