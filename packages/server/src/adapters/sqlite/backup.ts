import { randomBytes } from "node:crypto";
import { accessSync, constants, copyFileSync, existsSync, linkSync, renameSync, rmSync, statSync } from "node:fs";
import { copyFile, link, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { RoomLogError } from "../../hub/mod.ts";
import { BUSY_TIMEOUT_MS, firstValue, openAlone, toRoomLogError, transact } from "./database.ts";
import { FolderLock } from "./folder-lock.ts";
import { adoptIntoFolder, createPrivately, makeFolder } from "./folders.ts";
import { removeGuests } from "./guests-file.ts";
import { endRun, newEpoch } from "./incarnation.ts";
import { refuseEmptied } from "./loss.ts";
import { checkVersion, DATABASE_FILE, datedName } from "./schema.ts";
import { readWalFile } from "./wal.ts";

/** Copy all pages in one step: a copy in several steps starts again at each commit. */
const PAGES_PER_STEP = 2 ** 31 - 1;

/**
 * Writes the log of a folder into a new file. A server may run on the folder.
 *
 * @throws {RoomLogError} `exists` when the file exists.
 * @throws {RoomLogError} `not-a-log` when the folder has no log.
 * @throws {RoomLogError} `damaged` when the log is damaged.
 * @throws {RoomLogError} `storage-full`, `read-only`, `io` when the disk fails.
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
  // Closing the database would delete its write-ahead log. A server that writes meanwhile can make an intact one look
  // damaged.
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

/** Writes a database into a new file. The file appears only when it is complete and synced. */
export async function backUp(database: string, file: string): Promise<void> {
  const unfinished = `${file}.${randomBytes(4).toString("hex")}.unfinished`;
  try {
    if (existsSync(file)) throw new RoomLogError("exists", `Cannot back up: ${file} exists already`);
    createPrivately(unfinished);
    const source = openSource(database);
    try {
      // Node runs this on its thread pool.
      await backup(source, unfinished, { rate: PAGES_PER_STEP });
    } finally {
      source.close();
    }
    finish(unfinished);
    await sync(unfinished);
    // Link instead of rename: a rename would replace a file that was created meanwhile.
    await link(unfinished, file).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") throw new RoomLogError("exists", `Cannot back up: ${file} exists already`);
      if (error.code === "ENOENT") throw removed(unfinished);
      // Not every file system has hard links.
      await copyFile(unfinished, file, constants.COPYFILE_EXCL);
      await sync(file);
    });
    await sync(dirname(file));
  } catch (error) {
    // A removed file gives an unspecific `disk I/O error`; report what happened.
    if ((error as { errcode?: number }).errcode !== undefined && !existsSync(unfinished)) throw removed(unfinished);
    throw toRoomLogError(error, `back up to ${file}`);
  } finally {
    await removeAll(unfinished);
  }
}

/** Opens the database. Without a running server, the disk may be too full for SQLite's side files. */
function openSource(database: string): DatabaseSync {
  // Not read-only: the last connection to close deletes the write-ahead log, which a read-only one cannot do.
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

/** Turns the copy into a single file without side files. */
function finish(unfinished: string): void {
  const copy = new DatabaseSync(unfinished);
  try {
    // SQLite treats a missing file as an empty database.
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
 * Replaces a folder's log with a backup. The old log is kept beside it under a dated name, with its `-wal` file if
 * another process was reading it. Waiting sessions are dropped. The new log gets a new epoch, because entries that clients have seen may be
 * missing. Returns the name of the old log.
 *
 * @throws {RoomLogError} `in-use` when a server runs on the folder.
 * @throws {RoomLogError} `not-a-log`, `newer-version`, `damaged` when the backup cannot be used; nothing was changed.
 * @throws {RoomLogError} `storage-full`, `read-only`, `io` when the disk fails.
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
    // A database that was not closed, as in a copy of a running server's folder, has its newest changes in its `-wal`
    // file.
    if (existsSync(`${file}-wal`)) await copyFile(`${file}-wal`, `${restored}-wal`);
    makeReady(restored, file);
    await sync(restored);
    const aside = putAside(join(folder, DATABASE_FILE));
    renameSync(restored, join(folder, DATABASE_FILE));
    // Sessions of another time must not come back.
    removeGuests(folder);
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
 * Gives the old database a second name, and removes its write-ahead log, which must not be applied to the backup.
 * Returns the new name of the old database, or of its write-ahead log if there was no database.
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

/**
 * Checkpoints the old database. Returns false if that fails or is incomplete; then the changes stay in the `-wal`
 * file.
 */
function writeBack(database: string): boolean {
  try {
    // SQLite would drop the commits after the damage, and would treat an empty file as a new database.
    if (readWalFile(`${database}-wal`).lostCommits > 0 || statSync(database).size === 0) return false;
    const db = new DatabaseSync(database);
    try {
      checkVersion(db, database);
      // If another process is reading, the pragma returns a row with 1 instead of an error.
      return firstValue(db, "PRAGMA wal_checkpoint(TRUNCATE)") === 0;
    } finally {
      db.close();
    }
  } catch {
    // The database is damaged, which is a reason to restore a backup.
    return false;
  }
}

/** Removes a database and SQLite's side files. */
async function removeAll(database: string): Promise<void> {
  for (const ending of ["", "-journal", "-wal", "-shm"]) await rm(`${database}${ending}`, { force: true });
}

function nameTwice(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    // Not every file system has hard links.
    copyFileSync(from, to, constants.COPYFILE_EXCL);
  }
}

async function sync(path: string): Promise<void> {
  // Windows cannot open folders for a sync.
  const handle = await open(path, process.platform === "win32" ? "r+" : "r").catch(() => undefined);
  if (handle === undefined) return;
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
