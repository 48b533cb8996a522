import { randomBytes } from "node:crypto";
import { constants, copyFileSync, existsSync, linkSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { chmod, copyFile, link, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { RoomLogError } from "../../hub/mod.ts";
import { BUSY_TIMEOUT_MS, createPrivately, firstValue, toRoomLogError, transact } from "./database.ts";
import { FolderLock } from "./folder-lock.ts";
import { endRun, newEpoch } from "./incarnation.ts";
import { checkVersion, DATABASE_FILE, datedName } from "./schema.ts";

/** Copied in one go: what is committed meanwhile would make a copy in pieces begin again and again. */
const PAGES_PER_STEP = 2 ** 31 - 1;

/**
 * Writes the log of a folder into a new file, whether a server runs on it or not.
 *
 * @throws {RoomLogError} `exists`: there is such a file. `not-a-log`, `storage-full`, `read-only`, `io`.
 */
export async function writeBackup(folder: string, file: string): Promise<void> {
  const database = join(folder, DATABASE_FILE);
  if (!existsSync(database))
    throw new RoomLogError("not-a-log", `Cannot back up ${folder}: there is no ${DATABASE_FILE}`);
  await backUp(database, file);
}

/** Writes a database into a new file, which appears when it is whole and on the disk. */
export async function backUp(database: string, file: string): Promise<void> {
  const unfinished = `${file}.${randomBytes(4).toString("hex")}.unfinished`;
  try {
    if (existsSync(file)) throw new RoomLogError("exists", `Cannot back up: ${file} exists already`);
    createPrivately(unfinished);
    // Not for reading only: the last connection to a log takes the log of changes with it, and that one could not.
    const source = new DatabaseSync(database, { timeout: BUSY_TIMEOUT_MS });
    try {
      source.exec("PRAGMA query_only = ON");
      checkVersion(source, database);
      // On a thread of Node's pool.
      await backup(source, unfinished, { rate: PAGES_PER_STEP });
    } finally {
      source.close();
    }
    // One file that needs none beside it.
    const copy = new DatabaseSync(unfinished);
    copy.exec("PRAGMA journal_mode = DELETE");
    copy.close();
    await sync(unfinished);
    // A link, as a rename would replace a file that has appeared meanwhile.
    await link(unfinished, file).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") throw new RoomLogError("exists", `Cannot back up: ${file} exists already`);
      // Not every file system has links.
      await copyFile(unfinished, file, constants.COPYFILE_EXCL);
      await sync(file);
    });
    await sync(dirname(file));
  } catch (error) {
    throw toRoomLogError(error, `back up to ${file}`);
  } finally {
    for (const ending of ["", "-journal", "-wal", "-shm"]) await rm(`${unfinished}${ending}`, { force: true });
  }
}

/**
 * Puts a backup in the place of a folder's log, which is kept beside it under a dated name. The log's epoch is another
 * afterwards, as entries that clients have seen may be missing. Gives the name of what was there before.
 *
 * @throws {RoomLogError} `in-use`: a server runs on the folder. `not-a-log`, `newer-version`, `damaged`: the file cannot be
 *   used; nothing was changed. `storage-full`, `read-only`, `io`.
 */
export async function restoreBackup(file: string, folder: string): Promise<string | undefined> {
  let lock: FolderLock | undefined;
  const restored = join(folder, `${DATABASE_FILE}.unfinished`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    lock = new FolderLock(folder);
    await rm(restored, { force: true });
    await copyFile(file, restored);
    await chmod(restored, 0o600);
    makeReady(restored, file);
    await sync(restored);
    const aside = putAside(join(folder, DATABASE_FILE));
    renameSync(restored, join(folder, DATABASE_FILE));
    await sync(folder);
    return aside;
  } catch (error) {
    throw toRoomLogError(error, `restore ${file}`);
  } finally {
    await rm(restored, { force: true });
    lock?.release();
  }
}

/** Checks the copy of a backup and gives it a new epoch. */
function makeReady(restored: string, file: string): void {
  const db = new DatabaseSync(restored);
  try {
    if (checkVersion(db, file) === 0) throw new RoomLogError("not-a-log", `Cannot restore ${file}: it is empty`);
    const integrity = firstValue(db, "PRAGMA integrity_check");
    if (integrity !== "ok") throw new RoomLogError("damaged", `Cannot restore ${file}: ${integrity}`);
    db.exec("PRAGMA journal_mode = DELETE");
    transact(db, () => {
      newEpoch(db);
      endRun(db, "disk");
    });
  } finally {
    db.close();
  }
}

/** Gives the database a second name, and takes away its log of changes, which must not be applied to another. */
function putAside(database: string): string | undefined {
  if (!existsSync(database)) return undefined;
  const aside = datedName(database, new Date());
  const changes = `${database}-wal`;
  nameTwice(database, aside);
  if (existsSync(changes)) nameTwice(changes, `${aside}-wal`);
  try {
    const db = new DatabaseSync(database);
    try {
      checkVersion(db, database);
      db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    } finally {
      db.close();
    }
    rmSync(`${aside}-wal`, { force: true });
  } catch {
    // Damaged: that is what a backup is restored for. Its changes stay beside it.
  }
  rmSync(changes, { force: true });
  rmSync(`${database}-shm`, { force: true });
  return aside;
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
