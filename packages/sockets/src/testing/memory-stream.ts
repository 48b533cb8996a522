import { Duplex } from "node:stream";
import { ByteQueue } from "../byte-queue.ts";
import { nextTurn } from "./turns.ts";

type Done = (error?: Error | null) => void;

/** The size that Node reads from a socket at once. */
const PIECE_BYTES_MAX = 65_536;

/**
 * One end of a connection in memory. It behaves like a TCP socket:
 *
 * - Written bytes are copied and arrive in a later turn of the event loop, split and joined arbitrarily.
 * - Each end has a receive buffer of limited size. Writing waits while the peer's buffer is full.
 * - Each side finishes separately.
 * - A reset, or closing with unread bytes, breaks the peer.
 */
export class MemoryStream extends Duplex {
  bytesRead = 0;
  bytesWritten = 0;
  readonly #bufferBytes: number;
  /** The receive buffer: bytes from the peer that are not read yet. */
  readonly #inbox = new ByteQueue();
  /** The peer. Set by {@link pair}. */
  #peer: MemoryStream = this;
  /** The current write: the bytes that do not fit into the peer's receive buffer yet. */
  #unsent: { bytes: Buffer; readonly done: Done } | undefined;
  #isWanted = false;
  #isScheduled = false;
  #hasPeerFinished = false;
  #isReset = false;
  #isBroken = false;

  private constructor(bufferBytes: number) {
    super({ allowHalfOpen: true, highWaterMark: PIECE_BYTES_MAX });
    this.#bufferBytes = bufferBytes;
  }

  /** Creates two ends, each with a receive buffer of `bufferBytes`. */
  static pair(bufferBytes: number): readonly [MemoryStream, MemoryStream] {
    const [one, other] = [new MemoryStream(bufferBytes), new MemoryStream(bufferBytes)];
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  /** Breaks the connection: the peer gets `ECONNRESET`, and bytes in flight are lost. */
  resetAndDestroy(): this {
    this.#isReset = true;
    return this.destroy();
  }

  override _read(): void {
    this.#isWanted = true;
    this.#schedule();
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this.#unsent = { bytes: chunk, done };
    this.#sendOn();
  }

  override _writev(chunks: { chunk: Buffer }[], done: Done): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), "", done);
  }

  override _final(done: Done): void {
    this.#peer.#peerFinished();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    const unsent = this.#unsent;
    this.#unsent = undefined;
    unsent?.done(error ?? nodeError("ECANCELED", "write"));
    if (this.#isReset || this.#inbox.length > 0) this.#peer.#break();
    else this.#peer.#peerFinished();
    this.#inbox.clear();
    done(error);
  }

  /** Moves bytes of the current write into the peer's receive buffer, as far as they fit. */
  #sendOn(): void {
    const unsent = this.#unsent;
    const peer = this.#peer;
    if (unsent === undefined) return;
    if (peer.destroyed) {
      this.#unsent = undefined;
      unsent.done(nodeError("EPIPE", "write"));
      return;
    }
    const part = unsent.bytes.subarray(0, peer.#bufferBytes - peer.#inbox.length);
    // Copy, as a kernel does: both sides may change their bytes.
    peer.#inbox.push(Buffer.from(part));
    this.bytesWritten += part.length;
    peer.#schedule();
    unsent.bytes = unsent.bytes.subarray(part.length);
    if (unsent.bytes.length > 0) return;
    this.#unsent = undefined;
    unsent.done();
  }

  #peerFinished(): void {
    this.#hasPeerFinished = true;
    this.#schedule();
  }

  #break(): void {
    this.#isBroken = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.destroyed) return;
    this.#isScheduled = true;
    nextTurn(() => {
      this.#isScheduled = false;
      if (!this.destroyed) this.#deliver();
    });
  }

  #deliver(): void {
    if (this.#isBroken) {
      this.destroy(nodeError("ECONNRESET", "read"));
    } else if (this.#isWanted && this.#inbox.length > 0) {
      this.#isWanted = false;
      const piece = this.#inbox.take(Math.min(this.#inbox.length, PIECE_BYTES_MAX));
      this.bytesRead += piece.length;
      this.push(piece);
      this.#peer.#sendOn();
    } else if (this.#isWanted && this.#hasPeerFinished) {
      this.#isWanted = false;
      this.push(null);
    }
  }
}

/** An error with the fields of Node's socket errors. */
function nodeError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
}
