import { type BigIntStats, closeSync, openSync, readSync, statSync } from "node:fs";

/** The beginning of the index of the write-ahead log, twice: https://sqlite.org/walformat.html, section 2.1. */
const INDEX_BYTES = 48;
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;

/** Errors of a path that leads to no file any more. */
const GONE: ReadonlySet<unknown> = new Set(["ENOENT", "ENOTDIR", "ESTALE"]);

/** What has happened to a file: its name leads to none or to another one, or it has lost its end. */
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
 * Watches the files of an open database. What is written to one that was removed, replaced or moved is not found again,
 * and SQLite does not notice.
 */
export class FileWatch {
  readonly #database: Watched;
  readonly #wal: Watched;
  readonly #others: readonly Watched[];
  readonly #index: number;
  readonly #record: Buffer = Buffer.alloc(2 * INDEX_BYTES);

  /** To be made when the database is open and was written to; the lock is a file beside it. */
  constructor(database: string, lock: string) {
    const index = `${database}-shm`;
    this.#database = watched(database);
    this.#wal = watched(`${database}-wal`);
    this.#others = [watched(index), watched(lock)];
    this.#index = openSync(index, "r");
  }

  /** What has happened to the database or its write-ahead log. To be asked before and after each commit. */
  fault(): FileFault | undefined {
    return this.#faultOf(this.#database) ?? this.#faultOf(this.#wal);
  }

  /** The same for its index and the lock, too, without which others may write beside this process. */
  anyFault(): FileFault | undefined {
    let fault = this.fault();
    for (const file of this.#others) fault ??= this.#faultOf(file);
    return fault;
  }

  /** To be called after the database was closed, as closing a file drops this process's locks on it. */
  close(): void {
    closeSync(this.#index);
  }

  #faultOf(watched: Watched): FileFault | undefined {
    const { file } = watched;
    let found: BigIntStats;
    try {
      found = statSync(file, { bigint: true });
    } catch (error) {
      // A folder that cannot be looked at for a while may have it still.
      return GONE.has((error as NodeJS.ErrnoException).code) ? { file, kind: "moved" } : undefined;
    }
    if (found.ino !== watched.ino || found.dev !== watched.dev) return { file, kind: "moved" };
    // Others may write back and truncate what is in the log, and vacuum the database: the index knows how far both go.
    if (found.size < watched.bytes && found.size < this.#bytesOf(watched)) return { file, kind: "cut" };
    watched.bytes = found.size;
    return undefined;
  }

  /** How far a file goes at least, by the index. */
  #bytesOf(watched: Watched): number {
    const record = this.#record;
    const count = readSync(this.#index, record, 0, record.length, 0);
    const isWhole = count === record.length && record.compare(record, INDEX_BYTES, record.length, 0, INDEX_BYTES) === 0;
    // Somebody is writing it.
    if (!isWhole) return 0;
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

/** What happened, for people. */
export function describeFault({ file, kind }: FileFault): string {
  return `${file} was ${kind === "moved" ? "removed or replaced" : "cut short"}`;
}

function watched(file: string): Watched {
  const { dev, ino, size } = statSync(file, { bigint: true });
  return { file, dev, ino, bytes: size };
}
