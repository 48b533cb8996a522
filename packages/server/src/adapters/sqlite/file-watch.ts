import { type BigIntStats, closeSync, openSync, readSync, statSync } from "node:fs";

/**
 * The index of the write-ahead log starts with two copies of its header: https://sqlite.org/walformat.html, section
 * 2.1.
 */
const INDEX_BYTES = 48;
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/** Errors of a path that no longer leads to a file. */
const GONE: ReadonlySet<unknown> = new Set(["ENOENT", "ENOTDIR", "ESTALE"]);

/** A fault of an open file. `moved`: its name leads to no file or to another one. `cut`: it was truncated. */
export interface FileFault {
  readonly file: string;
  readonly kind: "moved" | "cut";
}

interface Watched {
  readonly file: string;
  readonly dev: bigint;
  readonly ino: bigint;
  bytes: bigint;
}

/**
 * Detects when files of the open database are removed, replaced, moved or truncated. SQLite does not notice it, and
 * what it then writes is lost.
 */
export class FileWatch {
  readonly #database: Watched;
  readonly #wal: Watched;
  readonly #others: readonly Watched[];
  readonly #index: number;
  readonly #record: Buffer = Buffer.alloc(2 * INDEX_BYTES);

  /** Create it after the first write to the open database. `lock` is the lock file's path. */
  constructor(database: string, lock: string) {
    const index = `${database}-shm`;
    this.#database = watched(database);
    this.#wal = watched(`${database}-wal`);
    this.#others = [watched(index), watched(lock)];
    this.#index = openSync(index, "r");
  }

  /** Returns the fault of the database or its write-ahead log, if any. Call it before and after each commit. */
  fault(): FileFault | undefined {
    return this.#faultOf(this.#database) ?? this.#faultOf(this.#wal);
  }

  /** Also checks the index and the lock file, which keep other processes from writing. */
  anyFault(): FileFault | undefined {
    let fault = this.fault();
    for (const file of this.#others) fault ??= this.#faultOf(file);
    return fault;
  }

  /** Call it after the database is closed: closing a file drops this process's POSIX locks on it. */
  close(): void {
    closeSync(this.#index);
  }

  #faultOf(watched: Watched): FileFault | undefined {
    const { file } = watched;
    let found: BigIntStats;
    try {
      found = statSync(file, { bigint: true });
    } catch (error) {
      // The folder may be unreachable only for a while.
      return GONE.has((error as NodeJS.ErrnoException).code) ? { file, kind: "moved" } : undefined;
    }
    if (found.ino !== watched.ino || found.dev !== watched.dev) return { file, kind: "moved" };
    // Other processes may checkpoint, truncate and vacuum. The index tells the expected lengths.
    if (found.size < watched.bytes) {
      const least = this.#bytesOf(watched);
      // Unknown: the next check decides.
      if (least === undefined) return undefined;
      if (found.size < least) return { file, kind: "cut" };
    }
    watched.bytes = found.size;
    return undefined;
  }

  /** Returns the least length of a file according to the index; undefined while another process writes the index. */
  #bytesOf(watched: Watched): number | undefined {
    const record = this.#record;
    const count = readSync(this.#index, record, 0, record.length, 0);
    const isWhole = count === record.length && record.compare(record, INDEX_BYTES, record.length, 0, INDEX_BYTES) === 0;
    if (!isWhole) return undefined;
    const at = new DataView(record.buffer, record.byteOffset);
    const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
    const number = (offset: number) => at.getUint32(offset, isLittleEndian);
    const pageBytes = at.getUint16(14, isLittleEndian);
    const frames = number(16);
    if (watched === this.#database) return number(20) * pageBytes;
    if (watched !== this.#wal || frames === 0) return 0;
    return WAL_HEADER_BYTES + frames * (FRAME_HEADER_BYTES + pageBytes);
  }
}

/** Describes a fault for people. */
export function describeFault({ file, kind }: FileFault): string {
  return `${file} was ${kind === "moved" ? "removed or replaced" : "cut short"}`;
}

function watched(file: string): Watched {
  const { dev, ino, size } = statSync(file, { bigint: true });
  return { file, dev, ino, bytes: size };
}
