const EMPTY = Buffer.alloc(0);
/** Chunks below this size are copied together. Kept apart, the overhead of each would exceed its bytes. */
const SMALL_BYTES = 512;
/** {@link ByteQueue.compact} copies a small rest out of chunks above this size. */
const LARGE_BYTES = 4_096;
const MERGED_BYTES_MIN = 1_024;
const MERGED_BYTES_MAX = 65_536;

/**
 * A queue of received bytes: a list of chunks with an offset into the first one. Nothing is concatenated until a caller
 * takes bytes of several chunks, and then only once.
 */
export class ByteQueue {
  #chunks: Buffer[] = [];
  /** Index of the first chunk in `#chunks`. The ones before it were taken. */
  #first = 0;
  /** Offset of the first byte in the first chunk. */
  #offset = 0;
  #length = 0;
  /** Memory that small chunks are copied into. The last chunk is its first `#mergedLength` bytes. */
  #merged: Buffer | undefined;
  #mergedLength = 0;

  /** Number of bytes in the queue. */
  get length(): number {
    return this.#length;
  }

  /** The chunk that holds all bytes, from {@link offset} on. `undefined` when there are several chunks or none. */
  get onlyChunk(): Buffer | undefined {
    return this.#first === this.#chunks.length - 1 ? this.#chunks[this.#first] : undefined;
  }

  /** Offset of the first byte in the first chunk. */
  get offset(): number {
    return this.#offset;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    if (this.#length > 0 && chunk.length < SMALL_BYTES) {
      this.#merge(chunk);
    } else {
      this.#merged = undefined;
      this.#chunks.push(asBuffer(chunk));
    }
    this.#length += chunk.length;
  }

  /** Puts bytes in front. */
  unshift(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    const rest = this.#chunks.slice(this.#first);
    if (rest[0] !== undefined && this.#offset > 0) {
      rest[0] = rest[0].subarray(this.#offset);
      // If this is the merge buffer, its start no longer matches the chunk.
      if (rest.length === 1) this.#merged = undefined;
    }
    this.#chunks = [asBuffer(chunk), ...rest];
    this.#first = 0;
    this.#offset = 0;
    this.#length += chunk.length;
  }

  /** Takes the rest of the first chunk, without copying. */
  takeChunk(): Uint8Array {
    const chunk = this.#chunks[this.#first];
    if (chunk === undefined) return EMPTY;
    const rest = this.#offset === 0 ? chunk : chunk.subarray(this.#offset);
    this.#dropFirst();
    this.#length -= rest.length;
    return rest;
  }

  /** Takes `length` bytes, which must exist. Shares memory with the chunk when they lie in one, else copies. */
  take(length: number): Uint8Array {
    if (length === 0) return EMPTY;
    const first = this.#chunks[this.#first] as Buffer;
    const end = this.#offset + length;
    if (end <= first.length) {
      const bytes = first.subarray(this.#offset, end);
      this.#length -= length;
      if (end === first.length) this.#dropFirst();
      else this.#offset = end;
      return bytes;
    }
    const bytes = Buffer.allocUnsafe(length);
    for (let filled = 0; filled < length; ) {
      const chunk = this.#chunks[this.#first] as Buffer;
      const part = chunk.copy(bytes, filled, this.#offset, Math.min(chunk.length, this.#offset + length - filled));
      this.drop(part);
      filled += part;
    }
    return bytes;
  }

  /** Discards `length` bytes, which must exist. */
  drop(length: number): void {
    let rest = length;
    while (rest > 0) {
      const part = Math.min(rest, this.#firstLength());
      this.#offset += part;
      this.#length -= part;
      rest -= part;
      if (this.#firstLength() === 0) this.#dropFirst();
    }
  }

  /** Returns the first `length` bytes, or fewer if there are fewer, without taking them. */
  peek(length: number): Buffer {
    const first = this.#chunks[this.#first];
    if (first === undefined) return EMPTY;
    const end = this.#offset + length;
    if (end <= first.length || this.#first === this.#chunks.length - 1) return first.subarray(this.#offset, end);
    const bytes = Buffer.allocUnsafe(Math.min(length, this.#length));
    let filled = first.copy(bytes, 0, this.#offset);
    for (let i = this.#first + 1; filled < bytes.length; i += 1)
      filled += (this.#chunks[i] as Buffer).copy(bytes, filled);
    return bytes;
  }

  /** Returns the byte at this index without taking it. */
  at(index: number): number | undefined {
    let position = this.#offset + index;
    for (let i = this.#first; i < this.#chunks.length; i += 1) {
      const chunk = this.#chunks[i] as Buffer;
      if (position < chunk.length) return chunk[position];
      position -= chunk.length;
    }
    return undefined;
  }

  /** Returns the index of `delimiter` at or after `from`, or -1. */
  indexOf(delimiter: Uint8Array, from = 0): number {
    const [head] = delimiter;
    if (head === undefined) return from;
    if (from >= this.#length) return -1;
    let [i, base] = this.#chunkAt(from);
    for (; i < this.#chunks.length; i += 1) {
      const chunk = this.#chunks[i] as Buffer;
      let at = chunk.indexOf(head, Math.max(from - base, i === this.#first ? this.#offset : 0));
      while (at !== -1) {
        if (this.#hasAt(delimiter, i, at)) return base + at;
        at = chunk.indexOf(head, at + 1);
      }
      base += chunk.length;
    }
    return -1;
  }

  /**
   * Copies a small rest out of a large chunk. The rest would otherwise keep the chunk's memory alive until more bytes
   * arrive.
   */
  compact(): void {
    const chunk = this.onlyChunk;
    if (chunk === undefined || this.#merged !== undefined) return;
    if (this.#length >= SMALL_BYTES || chunk.length <= LARGE_BYTES) return;
    const rest = chunk.subarray(this.#offset);
    this.#dropFirst();
    this.#merge(rest);
  }

  clear(): void {
    this.#merged = undefined;
    this.#chunks = [];
    this.#first = 0;
    this.#offset = 0;
    this.#length = 0;
  }

  /**
   * Appends a copy of a small chunk to the merge buffer. Slices that were taken share its memory and are not
   * overwritten.
   */
  #merge(chunk: Uint8Array): void {
    const end = this.#mergedLength + chunk.length;
    if (this.#merged !== undefined && end <= this.#merged.length) {
      this.#merged.set(chunk, this.#mergedLength);
      this.#mergedLength = end;
      this.#chunks[this.#chunks.length - 1] = this.#merged.subarray(0, end);
      return;
    }
    const bytes = this.#merged === undefined ? MERGED_BYTES_MIN : this.#merged.length * 2;
    this.#merged = Buffer.allocUnsafe(Math.min(bytes, MERGED_BYTES_MAX));
    this.#merged.set(chunk);
    this.#mergedLength = chunk.length;
    this.#chunks.push(this.#merged.subarray(0, chunk.length));
  }

  /**
   * Returns the chunk that holds the byte at this index, and the index of the chunk's first byte. Searches from the
   * nearer end: a repeated search near the end of a growing queue must not scan all chunks again.
   */
  #chunkAt(index: number): [chunkIndex: number, base: number] {
    let i = this.#first;
    let base = -this.#offset;
    if (index * 2 < this.#length) {
      for (let end = base + this.#chunkLength(i); end <= index; end += this.#chunkLength(i)) {
        base = end;
        i += 1;
      }
      return [i, base];
    }
    i = this.#chunks.length;
    base = this.#length;
    while (i > this.#first && base > index) {
      i -= 1;
      base -= this.#chunkLength(i);
    }
    return [i, base];
  }

  #chunkLength(chunkIndex: number): number {
    return (this.#chunks[chunkIndex] as Buffer).length;
  }

  #hasAt(delimiter: Uint8Array, chunkIndex: number, at: number): boolean {
    let index = chunkIndex;
    let position = at;
    for (const byte of delimiter) {
      while (position >= (this.#chunks[index]?.length ?? Number.POSITIVE_INFINITY)) {
        position -= (this.#chunks[index] as Buffer).length;
        index += 1;
      }
      if (this.#chunks[index]?.[position] !== byte) return false;
      position += 1;
    }
    return true;
  }

  #firstLength(): number {
    return (this.#chunks[this.#first]?.length ?? 0) - this.#offset;
  }

  #dropFirst(): void {
    this.#chunks[this.#first] = EMPTY;
    this.#first += 1;
    this.#offset = 0;
    if (this.#first === this.#chunks.length) {
      this.#chunks.length = 0;
      this.#first = 0;
      this.#merged = undefined;
    } else if (this.#first > 32 && this.#first * 2 > this.#chunks.length) {
      // Remove taken chunks in blocks, so that each take stays cheap.
      this.#chunks = this.#chunks.slice(this.#first);
      this.#first = 0;
    }
  }
}

/** Returns a `Buffer` view of the same bytes, whose `indexOf` is fast. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
