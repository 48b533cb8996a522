import { Duplex } from "node:stream";
import { ByteQueue } from "../byte-queue.ts";
import { nextTurn } from "./turns.ts";

type Done = (error?: Error | null) => void;

/** As much as Node reads from a socket at once. */
const PIECE_BYTES_MAX = 65_536;

/**
 * One end of a connection in memory, which behaves as a TCP socket does: what is written is copied and arrives in a later
 * turn of the event loop, cut and joined as it happens to lie there; each end has a receive buffer with a bound, and who
 * writes into a full one waits; each side finishes by itself; a reset, or closing with bytes unread, breaks the peer.
 */
export class MemoryStream extends Duplex {
  bytesRead = 0;
  bytesWritten = 0;
  readonly #bufferBytes: number;
  /** The receive buffer: what the peer wrote and nobody has read. */
  readonly #inbox = new ByteQueue();
  /** Itself until {@link pair} knows the other one. */
  #peer: MemoryStream = this;
  /** The write in work: what of it did not fit into the peer's receive buffer yet. */
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

  /** Two ends, each with a receive buffer of `bufferBytes`. */
  static pair(bufferBytes: number): readonly [MemoryStream, MemoryStream] {
    const [one, other] = [new MemoryStream(bufferBytes), new MemoryStream(bufferBytes)];
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  /** Breaks the connection: the peer sees `ECONNRESET`, and what is on its way is lost. */
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

  /** Moves as much of the write in work into the peer's receive buffer as there is room for. */
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
    // Copied, as a kernel does: both sides may do with their bytes what they like.
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

/** An error with the fields that those of Node's sockets have. */
function nodeError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
}
