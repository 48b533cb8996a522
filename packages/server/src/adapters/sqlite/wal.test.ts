import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { firstValue } from "./database.ts";
import { readWal } from "./wal.ts";

const COMMITS = 5;
const HEADER_BYTES = 32;
const FRAME_BYTES = 24 + 4_096;

/** Whether a byte is in the header of the log or of a frame. */
function isInHeader(at: number): boolean {
  return at < HEADER_BYTES || (at - HEADER_BYTES) % FRAME_BYTES < 24;
}

describe("readWal()", () => {
  let folder: string;
  let database: Buffer;
  let wal: Buffer;
  /** Where each transaction ends. */
  const ends: number[] = [HEADER_BYTES];
  /** The pages of the transactions up to each end. */
  const pages: ReadonlySet<number>[] = [new Set()];

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "landline-wal-"));
    const file = join(folder, "made.db");
    const db = new DatabaseSync(file);
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE numbers (number INTEGER, text TEXT)");
    firstValue(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    database = readFileSync(file);
    for (let number = 1; number <= COMMITS; number += 1) {
      db.exec(`INSERT INTO numbers VALUES (${number}, '${"x".repeat(3_000)}')`);
      wal = readFileSync(`${file}-wal`);
      ends.push(wal.length);
      pages.push(read(wal).pages);
    }
    db.close();
  });
  after(() => rmSync(folder, { recursive: true }));

  const read = (bytes: Buffer) => readWal((buffer, position) => bytes.copy(buffer, 0, position));
  const flipped = (at: number) => {
    const bytes = Buffer.from(wal);
    bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
    return bytes;
  };
  /** The number of transactions that SQLite recovers. */
  const recovered = (bytes: Buffer): number => {
    const file = join(folder, "recovered.db");
    writeFileSync(file, database);
    writeFileSync(`${file}-wal`, bytes);
    const db = new DatabaseSync(file);
    try {
      return firstValue(db, "SELECT count(*) FROM numbers") as number;
    } finally {
      db.close();
    }
  };
  const commitsBefore = (at: number) => ends.filter((end) => end > HEADER_BYTES && end <= at).length;

  test("reads whole transactions, as SQLite does, at every truncation", () => {
    assert.equal(pages.at(-1)?.size !== pages[1]?.size, true, "the transactions have pages of their own");
    const edges = ends.flatMap((end) => [end - 1, end, end + 1, end + 24, end + FRAME_BYTES]);
    for (const length of [0, 1, ...edges].filter((each) => each <= wal.length)) {
      const cut = wal.subarray(0, length);
      const commits = commitsBefore(length);
      assert.deepEqual(read(cut), { pages: pages[commits], lostCommits: 0 }, `${length} bytes`);
      assert.equal(recovered(cut), commits, `${length} bytes`);
    }
  });

  test("finds the commits after a flipped byte, unless it is in the last transaction", () => {
    for (let at = 0; at < wal.length; at += isInHeader(at) ? 1 : 7) {
      const { pages: taken, lostCommits } = read(flipped(at));
      // All transactions need a valid header.
      const commits = at < HEADER_BYTES ? 0 : commitsBefore(at);
      assert.deepEqual(taken, pages[commits], `byte ${at}`);
      if (at >= (ends.at(-2) as number)) continue;
      assert.ok(lostCommits > 0, `byte ${at}`);
      assert.ok(lostCommits >= COMMITS - commits - 1, `byte ${at}: ${lostCommits}`);
    }
  });

  test("reads what SQLite reads when a byte was flipped", () => {
    for (let at = 0; at < wal.length; at += isInHeader(at) ? 1 : 409) {
      assert.equal(recovered(flipped(at)), at < HEADER_BYTES ? 0 : commitsBefore(at), `byte ${at}`);
    }
  });

  test("finds no loss in a log restarted over an older one, or with a torn last transaction", () => {
    const file = join(folder, "again.db");
    const db = new DatabaseSync(file);
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE numbers (number INTEGER, text TEXT)");
    for (let number = 1; number <= COMMITS; number += 1) {
      db.exec(`INSERT INTO numbers VALUES (${number}, '${"x".repeat(9_000)}')`);
    }
    firstValue(db, "PRAGMA wal_checkpoint(RESTART)");
    db.exec("INSERT INTO numbers VALUES (0, 'one page')");
    const begunAgain = readFileSync(`${file}-wal`);
    db.close();
    assert.ok(begunAgain.length > HEADER_BYTES + 2 * FRAME_BYTES);
    assert.equal(read(begunAgain).lostCommits, 0);
    assert.ok(read(begunAgain).pages.size > 0);
    // A power cut can leave the file with its full length but without its last pages.
    const torn = Buffer.from(wal).fill(0, (ends.at(-2) as number) + 100);
    assert.deepEqual(read(torn), { pages: pages.at(-2), lostCommits: 0 });
  });

  test("finds nothing in random bytes", () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.alloc(HEADER_BYTES + 3 * FRAME_BYTES),
      Buffer.from("no log".repeat(3_000)),
    ]) {
      assert.equal(read(bytes).pages.size, 0);
    }
  });
});
