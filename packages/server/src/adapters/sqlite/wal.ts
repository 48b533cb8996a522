import { closeSync, openSync, readSync } from "node:fs";

/** The layout of SQLite's write-ahead log: https://sqlite.org/fileformat2.html, section 4. */
const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The lowest bit of the magic number means that the checksums use big-endian words. */
const MAGIC = 0x377f0682;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65_536;
/** The page size of Landline's databases. Used if the header is damaged. */
const PAGE_BYTES = 4_096;

/** Fills the buffer from a position. Returns the number of bytes read. */
export type ReadAt = (buffer: Buffer, position: number) => number;

/** The content of a write-ahead log. */
export interface Wal {
  /** Pages of the transactions that SQLite recovers. */
  readonly pages: ReadonlySet<number>;
  /** Transactions that end after a damaged frame. SQLite skips them. */
  readonly lostCommits: number;
}

/**
 * Reads a write-ahead log as SQLite does in recovery: up to the first frame that breaks the checksum chain. Then it
 * looks for commits with the same salts after that frame. A killed process leaves none, because writes reach the log
 * in order. A power cut can, in the part that was not synced.
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
    // Without a header, use the salts of the first frame.
    salts ??= Buffer.from(frameSalts);
    if (isCommit && salts.equals(frameSalts)) lostCommits += 1;
  }
  return { pages, lostCommits };
}

/**
 * Reads a write-ahead log file; a missing one is empty. Closing it is safe, because SQLite holds no POSIX locks on
 * this file.
 */
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

/** Updates a checksum with bytes, eight at a time. */
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

/** Whether two words equal the checksum. They are big-endian in every log. */
function isSum([a, b]: Checksum, bytes: Buffer, at: number): boolean {
  return bytes.readInt32BE(at) === a && bytes.readInt32BE(at + 4) === b;
}

function isPageSize(bytes: number): boolean {
  return bytes >= PAGE_BYTES_MIN && bytes <= PAGE_BYTES_MAX && (bytes & (bytes - 1)) === 0;
}
