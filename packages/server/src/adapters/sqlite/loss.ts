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

/**
 * A database up to this size is checked completely at each start. A larger one only if there is another sign of
 * damage.
 */
const CHECKED_BYTES_MAX = 67_108_864;

/** SQLite treats a shorter file as an empty database and overwrites it. */
const DATABASE_BYTES_MIN = 512;

/**
 * Checks a database before it is opened. SQLite would treat a missing or empty file as a new database.
 *
 * @throws {RoomLogError} `damaged` when the file is missing or empty although other files show that it held messages.
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
  const what = bytes === 0 ? "empty" : "missing";
  const text = `Cannot open ${file}: it is ${what}, but ${trace} beside it shows that it held messages`;
  throw new RoomLogError("damaged", `${text}; restore a backup, or remove ${trace} to start with an empty log`);
}

/**
 * Checks a database that SQLite has just opened and recovered. Call it before the first write: until then the
 * write-ahead log still has the commits that SQLite skipped. Returns a text for the operator if data was lost, after
 * copying a damaged write-ahead log.
 *
 * @throws {RoomLogError} `damaged` when the database is inconsistent.
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
  return `${file} has lost data: ${what} missing; ${kept}. The rooms get a new epoch, so clients load them again`;
}

/** Whether the database lacks the last acknowledged entry. A record with another epoch belongs to another log. */
function isMissing(db: DatabaseSync, last: LastCommit | undefined): boolean {
  if (last === undefined || last.room === 0 || last.epoch !== epochOf(db)) return false;
  const name = db.prepare("SELECT name FROM rooms WHERE no = ?").get(last.room)?.name as string | undefined;
  return name === undefined || (new StoredRooms(db).get(name)?.lastSeq ?? 0) < last.seq;
}

/** Throws if the file is shorter than the database and the missing pages are not in the write-ahead log. */
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

/** Returns -1 for a missing file. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? -1;
}
