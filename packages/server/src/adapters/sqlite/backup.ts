import { randomBytes } from "node:crypto";
import { accessSync, constants, copyFileSync, existsSync, linkSync, renameSync, rmSync, statSync } from "node:fs";
import { copyFile, link, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { RoomLogError } from "../../hub/mod.ts";
import { BUSY_TIMEOUT_MS, firstValue, openAlone, toRoomLogError, transact } from "./database.ts";
import { FolderLock } from "./folder-lock.ts";
import { adoptIntoFolder, createPrivately, makeFolder } from "./folders.ts";
import { endRun, newEpoch } from "./incarnation.ts";
import { refuseEmptied } from "./loss.ts";
import { checkVersion, DATABASE_FILE, datedName } from "./schema.ts";
import { readWalFile } from "./wal.ts";

/** Copied in one go: what is committed meanwhile would make a copy in pieces begin again and again. */
const PAGES_PER_STEP = 2 ** 31 - 1;

/**
 * Writes the log of a folder into a new file, whether a server runs on it or not.
 *
 * @throws {RoomLogError} `exists`: there is such a file. `not-a-log`, `storage-full`, `read-only`, `io`.
 */
export async function writeBackup(folder: string, file: string): Promise<void> {
  const database = join(folder, DATABASE_FILE);
  try {
    accessSync(database, constants.R_OK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw toRoomLogError(error, `back up ${folder}`);
    throw new RoomLogError("not-a-log", `Cannot back up ${folder}: there is no ${DATABASE_FILE}`);
  }
  refuseEmptied(database);
  // Closing the database would take the log of changes with it. A server that writes to it meanwhile may make it look so.
  if (readWalFile(`${database}-wal`).lostCommits > 0 && !isInUse(folder)) {
    const text = `${DATABASE_FILE}-wal is damaged; start the server once, which keeps a copy of it`;
    throw new RoomLogError("damaged", `Cannot back up ${folder}: ${text}`);
  }
  await backUp(database, file);
}

/** Whether a server runs on the folder. */
function isInUse(folder: string): boolean {
  try {
    new FolderLock(folder).release();
    return false;
  } catch {
    return true;
  }
}

/** Writes a database into a new file, which appears when it is whole and on the disk. */
export async function backUp(database: string, file: string): Promise<void> {
  const unfinished = `${file}.${randomBytes(4).toString("hex")}.unfinished`;
  try {
    if (existsSync(file)) throw new RoomLogError("exists", `Cannot back up: ${file} exists already`);
    createPrivately(unfinished);
    const source = openSource(database);
    try {
      // On a thread of Node's pool.
      await backup(source, unfinished, { rate: PAGES_PER_STEP });
    } finally {
      source.close();
    }
    finish(unfinished);
    await sync(unfinished);
    // A link, as a rename would replace a file that has appeared meanwhile.
    await link(unfinished, file).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") throw new RoomLogError("exists", `Cannot back up: ${file} exists already`);
      if (error.code === "ENOENT") throw removed(unfinished);
      // Not every file system has links.
      await copyFile(unfinished, file, constants.COPYFILE_EXCL);
      await sync(file);
    });
    await sync(dirname(file));
  } catch (error) {
    // SQLite says `disk I/O error`.
    if ((error as { errcode?: number }).errcode !== undefined && !existsSync(unfinished)) throw removed(unfinished);
    throw toRoomLogError(error, `back up to ${file}`);
  } finally {
    await removeAll(unfinished);
  }
}

/** Where no server runs, the disk may be too full for the files that SQLite puts beside a database. */
function openSource(database: string): DatabaseSync {
  // Not for reading only: the last connection to a log takes the log of changes with it, and that one could not.
  const db = new DatabaseSync(database, { timeout: BUSY_TIMEOUT_MS });
  try {
    db.exec("PRAGMA query_only = ON");
    if (checkVersion(db, database) > 0) return db;
    throw new RoomLogError("not-a-log", `Cannot back up ${database}: it is empty`);
  } catch (error) {
    db.close();
    if (toRoomLogError(error, "read").code !== "storage-full" || process.platform === "win32") throw error;
    return openAlone(database);
  }
}

/** Makes it one file that needs none beside it. */
function finish(unfinished: string): void {
  const copy = new DatabaseSync(unfinished);
  try {
    // To SQLite a file that is gone is an empty database.
    if (checkVersion(copy, unfinished) === 0) throw removed(unfinished);
    copy.exec("PRAGMA journal_mode = DELETE");
  } finally {
    copy.close();
  }
}

function removed(unfinished: string): RoomLogError {
  return new RoomLogError("io", `Cannot back up: ${unfinished} was removed while it was written`);
}

/**
 * Puts a backup in the place of a folder's log, which is kept beside it under a dated name, with its `-wal` file where
 * somebody was reading it. The log's epoch is another afterwards, as entries that clients have seen may be missing.
 * Gives the name of what was there before.
 *
 * @throws {RoomLogError} `in-use`: a server runs on the folder. `not-a-log`, `newer-version`, `damaged`: the file cannot be
 *   used; nothing was changed. `storage-full`, `read-only`, `io`.
 */
export async function restoreBackup(file: string, folder: string): Promise<string | undefined> {
  let lock: FolderLock | undefined;
  const restored = join(folder, `${DATABASE_FILE}.unfinished`);
  try {
    accessSync(file, constants.R_OK);
    makeFolder(folder);
    lock = new FolderLock(folder);
    await removeAll(restored);
    await copyFile(file, restored, constants.COPYFILE_EXCL);
    adoptIntoFolder(restored);
    // A database that was not closed, as in a copy of a server's folder, has its newest changes in a file of its own.
    if (existsSync(`${file}-wal`)) await copyFile(`${file}-wal`, `${restored}-wal`);
    makeReady(restored, file);
    await sync(restored);
    const aside = putAside(join(folder, DATABASE_FILE));
    renameSync(restored, join(folder, DATABASE_FILE));
    await sync(folder);
    return aside;
  } catch (error) {
    throw toRoomLogError(error, `restore ${file}`);
  } finally {
    if (lock !== undefined) await removeAll(restored);
    lock?.release();
  }
}

/** Checks the copy of a backup and gives it a new epoch. */
function makeReady(restored: string, file: string): void {
  const db = new DatabaseSync(restored);
  try {
    if (checkVersion(db, file) === 0) throw new RoomLogError("not-a-log", `Cannot restore ${file}: it is empty`);
    const integrity = firstValue(db, "PRAGMA integrity_check");
    if (integrity !== "ok") throw new RoomLogError("damaged", String(integrity));
    db.exec("PRAGMA journal_mode = DELETE");
    transact(db, () => {
      newEpoch(db);
      endRun(db, "disk");
    });
  } catch (error) {
    const { code } = toRoomLogError(error, "restore");
    if (code !== "damaged") throw error;
    throw new RoomLogError(code, `Cannot restore ${file}: the backup is damaged; take another`, { cause: error });
  } finally {
    db.close();
  }
}

/**
 * Gives the database a second name, and takes away its log of changes, which must not be applied to another. Returns the
 * name of what there was: of the log of changes where there was nothing else.
 */
function putAside(database: string): string | undefined {
  const aside = datedName(database, new Date());
  const changes = `${database}-wal`;
  const hasChanges = existsSync(changes);
  if (hasChanges) nameTwice(changes, `${aside}-wal`);
  const hasDatabase = existsSync(database);
  if (hasDatabase) {
    const isWrittenBack = writeBack(database);
    nameTwice(database, aside);
    if (isWrittenBack) rmSync(`${aside}-wal`, { force: true });
  }
  rmSync(changes, { force: true });
  rmSync(`${database}-shm`, { force: true });
  if (hasDatabase) return aside;
  return hasChanges ? `${aside}-wal` : undefined;
}

/** Writes all changes into the database itself; false if that cannot be: then they are still in their file. */
function writeBack(database: string): boolean {
  try {
    // SQLite would leave out what follows the damage, and take an empty database for a new one.
    if (readWalFile(`${database}-wal`).lostCommits > 0 || statSync(database).size === 0) return false;
    const db = new DatabaseSync(database);
    try {
      checkVersion(db, database);
      // A row, not an error, says that somebody who reads holds changes back.
      return firstValue(db, "PRAGMA wal_checkpoint(TRUNCATE)") === 0;
    } finally {
      db.close();
    }
  } catch {
    // Damaged: that is what a backup is restored for.
    return false;
  }
}

/** A database and all that SQLite puts beside it. */
async function removeAll(database: string): Promise<void> {
  for (const ending of ["", "-journal", "-wal", "-shm"]) await rm(`${database}${ending}`, { force: true });
}

function nameTwice(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    // Not every file system has links.
    copyFileSync(from, to, constants.COPYFILE_EXCL);
  }
}

async function sync(path: string): Promise<void> {
  // Windows knows no folders to be forced to the disk.
  const handle = await open(path, process.platform === "win32" ? "r+" : "r").catch(() => undefined);
  if (handle === undefined) return;
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
