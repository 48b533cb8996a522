import { closeSync, openSync, readSync } from "node:fs";

/** Where SQLite's write-ahead log keeps what: https://sqlite.org/fileformat2.html, section 4. */
const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The lowest bit of the magic number says that checksums are of big-endian words. */
const MAGIC = 0x377f0682;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65_536;
/** The size of the pages of Landline's databases, for a log whose header does not tell. */
const PAGE_BYTES = 4_096;

/** Fills the buffer from a position; returns the number of bytes that there were. */
export type ReadAt = (buffer: Buffer, position: number) => number;

/** What a write-ahead log holds. */
export interface Wal {
  /** Pages in the transactions that SQLite takes when it recovers the database. */
  readonly pages: ReadonlySet<number>;
  /** Transactions that end after a frame that cannot be read. SQLite leaves them out. */
  readonly lostCommits: number;
}

/**
 * Reads a write-ahead log as SQLite does when it recovers: up to the first frame that does not continue the checksums. Then
 * it looks for commits of the same salts behind that frame. Writes reach the log in order, so a killed process leaves none;
 * a power cut can, in what was not yet forced to the disk.
 */
export function readWal(read: ReadAt): Wal {
  const pages = new Set<number>();
  const header = Buffer.alloc(HEADER_BYTES);
  if (read(header, 0) < HEADER_BYTES) return { pages, lostCommits: 0 };
  const magic = header.readUInt32BE(0);
  const pageBytes = header.readUInt32BE(8);
  const isBigEndian = (magic & 1) === 1;
  const sum: Checksum = [0, 0];
  addTo(sum, header.subarray(0, 24), isBigEndian);
  const isValid = (magic | 1) === (MAGIC | 1) && isPageSize(pageBytes) && isSum(sum, header, 24);
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + (isValid ? pageBytes : PAGE_BYTES));
  let salts = isValid ? header.subarray(16, 24) : undefined;
  let isBroken = !isValid;
  let lostCommits = 0;
  const uncommitted: number[] = [];
  for (let at = HEADER_BYTES; read(frame, at) === frame.length; at += frame.length) {
    const frameSalts = frame.subarray(8, 16);
    const page = frame.readUInt32BE(0);
    const isCommit = frame.readUInt32BE(4) !== 0;
    if (!isBroken) {
      addTo(sum, frame.subarray(0, 8), isBigEndian);
      addTo(sum, frame.subarray(FRAME_HEADER_BYTES), isBigEndian);
      isBroken = page === 0 || salts?.equals(frameSalts) !== true || !isSum(sum, frame, 16);
      if (isBroken) continue;
      uncommitted.push(page);
      if (!isCommit) continue;
      for (const each of uncommitted.splice(0)) pages.add(each);
      continue;
    }
    if (page === 0) continue;
    // Without a header the first frame tells the salts.
    salts ??= Buffer.from(frameSalts);
    if (isCommit && salts.equals(frameSalts)) lostCommits += 1;
  }
  return { pages, lostCommits };
}

/** The same for a file; one that is not there holds nothing. SQLite has no locks on it that closing it would drop. */
export function readWalFile(file: string): Wal {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return readWal(() => 0);
  }
  try {
    return readWal((buffer, position) => readSync(descriptor, buffer, 0, buffer.length, position));
  } finally {
    closeSync(descriptor);
  }
}

type Checksum = [number, number];

/** Continues a checksum with bytes, eight at a time. */
function addTo(sum: Checksum, bytes: Buffer, isBigEndian: boolean): void {
  let [a, b] = sum;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < bytes.length; i += 8) {
    a = (a + view.getUint32(i, !isBigEndian) + b) | 0;
    b = (b + view.getUint32(i + 4, !isBigEndian) + a) | 0;
  }
  sum[0] = a;
  sum[1] = b;
}

/** Whether the two words at a place, which are big-endian in any log, are this checksum. */
function isSum([a, b]: Checksum, bytes: Buffer, at: number): boolean {
  return bytes.readInt32BE(at) === a && bytes.readInt32BE(at + 4) === b;
}

function isPageSize(bytes: number): boolean {
  return bytes >= PAGE_BYTES_MIN && bytes <= PAGE_BYTES_MAX && (bytes & (bytes - 1)) === 0;
}
