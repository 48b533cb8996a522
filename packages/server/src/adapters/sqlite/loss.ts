import { constants, copyFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { RoomLogError } from "../../hub/mod.ts";
import { firstValue } from "./database.ts";
import { adoptIntoFolder } from "./folders.ts";
import { epochOf, isSameBootAsLastRun } from "./incarnation.ts";
import { LAST_COMMIT_FILE, type LastCommit, readLastCommit } from "./last-commit.ts";
import { datedName } from "./schema.ts";
import { StoredRooms } from "./stored-rooms.ts";
import { readWalFile, type Wal } from "./wal.ts";

/** Up to this size a database is read through at each start; a larger one only where something else is wrong with it. */
const CHECKED_BYTES_MAX = 67_108_864;

/** What is shorter is an empty database to SQLite, which writes over it. */
const DATABASE_BYTES_MIN = 512;

/**
 * Looks at a database that is not open yet.
 *
 * @throws {RoomLogError} `damaged`: it is gone or empty, and what lies beside it says that it held messages. To SQLite that
 *   is a new database.
 */
export function refuseEmptied(file: string): void {
  const bytes = sizeOf(file);
  if (bytes >= DATABASE_BYTES_MIN) return;
  if (bytes > 0) {
    throw new RoomLogError("damaged", `Cannot open ${file}: it has only ${bytes} bytes; restore a backup`);
  }
  const folder = dirname(file);
  const lastCommit = readLastCommit(join(folder, LAST_COMMIT_FILE));
  const trace = sizeOf(`${file}-wal`) > 0 ? `${basename(file)}-wal` : lastCommit?.room ? LAST_COMMIT_FILE : undefined;
  if (trace === undefined) return;
  const what = bytes === 0 ? "empty" : "gone";
  const text = `Cannot open ${file}: it is ${what}, but ${trace} beside it shows that it held messages`;
  throw new RoomLogError("damaged", `${text}; restore a backup, or remove ${trace} to begin anew`);
}

/**
 * Looks at a database that SQLite has just opened and recovered, before anything is written: then the write-ahead log still
 * has what SQLite leaves out. Returns what was lost, for the operator, or undefined; a log that cannot be read is copied.
 *
 * @throws {RoomLogError} `damaged`: what is left does not hold together.
 */
export function findLoss(db: DatabaseSync, file: string, boot: string): string | undefined {
  const wal = readWalFile(`${file}-wal`);
  refuseCut(db, file, wal);
  const isAhead = isMissing(db, readLastCommit(join(dirname(file), LAST_COMMIT_FILE)));
  const isWalBroken = wal.lostCommits > 0 && isSameBootAsLastRun(db, boot);
  const isLossy = isAhead || isWalBroken;
  if (isLossy || sizeOf(file) <= CHECKED_BYTES_MAX) refuseInconsistent(db, file);
  if (!isLossy) return undefined;
  const aside = sizeOf(`${file}-wal`) > 0 ? copyAside(file) : undefined;
  const what = isAhead ? "the newest acknowledged messages are" : "changes that were committed may be";
  const kept = aside === undefined ? "there is no write-ahead log" : `its write-ahead log is kept as ${aside}`;
  return `${file} has lost data: ${what} missing; ${kept}. Clients are told that the rooms are other ones`;
}

/** Whether the database lacks an entry that it had. One of another epoch was in another log. */
function isMissing(db: DatabaseSync, last: LastCommit | undefined): boolean {
  if (last === undefined || last.room === 0 || last.epoch !== epochOf(db)) return false;
  const name = db.prepare("SELECT name FROM rooms WHERE no = ?").get(last.room)?.name as string | undefined;
  return name === undefined || (new StoredRooms(db).get(name)?.lastSeq ?? 0) < last.seq;
}

/** A file that ends before the database does, whose missing pages are not in the write-ahead log. */
function refuseCut(db: DatabaseSync, file: string, wal: Wal): void {
  const pages = firstValue(db, "PRAGMA page_count") as number;
  const stored = Math.floor(sizeOf(file) / (firstValue(db, "PRAGMA page_size") as number));
  for (let page = stored + 1; page <= pages; page += 1) {
    if (wal.pages.has(page)) continue;
    const text = `Cannot open ${file}: it has ${stored} of its ${pages} pages`;
    throw new RoomLogError("damaged", `${text}; restore a backup`);
  }
}

function refuseInconsistent(db: DatabaseSync, file: string): void {
  const fault = firstValue(db, "PRAGMA quick_check(1)");
  if (fault === "ok") return;
  const cause = new Error(String(fault));
  throw new RoomLogError("damaged", `Cannot open ${file}: the database is damaged; restore a backup`, { cause });
}

function copyAside(file: string): string {
  const aside = `${datedName(file, new Date(), "damaged-")}-wal`;
  copyFileSync(`${file}-wal`, aside, constants.COPYFILE_EXCL);
  adoptIntoFolder(aside);
  return aside;
}

/** -1 where there is no file. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? -1;
}
