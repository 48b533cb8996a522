import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { RoomLogError, type RoomLogErrorCode } from "../../hub/mod.ts";
import { createInFolder } from "./folders.ts";

/** What a committed entry survives: `disk` a power cut, `process` the end of the process. */
export type Durability = "disk" | "process";

/** How long a statement waits for another process that reads or backs up, in milliseconds. */
export const BUSY_TIMEOUT_MS = 5_000;
/** Checkpoint at this many pages of 4,096 bytes. The write-ahead log is then truncated to `WAL_BYTES_MAX`. */
const CHECKPOINT_PAGES = 1_000;
const WAL_BYTES_MAX = 67_108_864;

const SYNCHRONOUS = { disk: 2, process: 1 } as const;

/**
 * Opens the database for writing, with durability `disk` until {@link setDurability} changes it. Changes nothing
 * before `check` passes.
 */
export function openForWriting(file: string, check: (db: DatabaseSync) => void): DatabaseSync {
  createInFolder(file);
  const db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
  try {
    check(db);
    const mode = firstValue(db, "PRAGMA journal_mode = WAL");
    if (mode !== "wal") throw new RoomLogError("io", `Cannot open ${file}: its journal mode is ${mode}, not wal`);
    setDurability(db, "disk");
    db.exec(`PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -16000; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
      PRAGMA journal_size_limit = ${WAL_BYTES_MAX}`);
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

export function openForReading(file: string): DatabaseSync {
  return new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
}

/**
 * Opens the database for reading without side files, for a full disk. The index of the write-ahead log is in this
 * process's memory, and other processes are locked out. All connections of the process must be opened this way, or
 * none. Not available on Windows.
 */
export function openAlone(file: string): DatabaseSync {
  const url = pathToFileURL(file);
  // Not `mode=ro`: a read-only connection does not lock out other processes.
  url.search = "vfs=unix-excl&mode=rw";
  const db = new DatabaseSync(url, { timeout: BUSY_TIMEOUT_MS });
  db.exec("PRAGMA query_only = ON");
  return db;
}

/** Sets and verifies when a commit reaches the disk. The default differs between builds of SQLite. */
export function setDurability(db: DatabaseSync, durability: Durability): void {
  const level = SYNCHRONOUS[durability];
  db.exec(`PRAGMA synchronous = ${level}`);
  const actual = firstValue(db, "PRAGMA synchronous");
  if (actual !== level) throw new RoomLogError("io", `Cannot set durability ${durability}: synchronous is ${actual}`);
}

/** Returns the first column of the first row. */
export function firstValue(db: DatabaseSync, sql: string): unknown {
  const row = db.prepare(sql).get();
  return row === undefined ? undefined : Object.values(row)[0];
}

/** Databases whose durability is lowered at the moment. */
const lowered = new WeakSet<DatabaseSync>();

/** Runs a transaction with the given durability. */
export function transactDurably<T>(db: DatabaseSync, durability: Durability, work: () => T): T {
  if (lowered.has(db)) restoreDurability(db, durability);
  return transact(db, work);
}

/** Runs `work` in one transaction, which is rolled back when it throws. */
export function transact<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    // Some errors end the transaction themselves.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/**
 * Runs a transaction without waiting for the disk. A power cut may undo it, so the work must be repeatable. It cannot
 * outlive a later durable commit: the write-ahead log keeps the order.
 */
export function transactLazily<T>(db: DatabaseSync, durability: Durability, work: () => T): T {
  if (durability === "process") return transact(db, work);
  lowered.add(db);
  setDurability(db, "process");
  try {
    return transact(db, work);
  } finally {
    restoreDurability(db, durability);
  }
}

function restoreDurability(db: DatabaseSync, durability: Durability): void {
  // The pragma has no effect inside an open transaction.
  if (db.isTransaction) db.exec("ROLLBACK");
  setDurability(db, durability);
  lowered.delete(db);
}

/** Converts any error to a {@link RoomLogError}. */
export function toRoomLogError(error: unknown, action: string): RoomLogError {
  if (error instanceof RoomLogError) return error;
  const { errcode, message } = error as { errcode?: number; message?: string };
  const text = (reason: string) => `Cannot ${action}: ${reason}`;
  if (errcode === IOERR_SHMSIZE) return new RoomLogError("storage-full", text(NO_ROOM), { cause: error });
  // The low byte of an extended result code is the primary code.
  switch ((errcode ?? 0) & 0xff) {
    case 8: // SQLITE_READONLY
    case 3: // SQLITE_PERM
      return new RoomLogError("read-only", text("the database cannot be written to"), { cause: error });
    case 13: // SQLITE_FULL
      return new RoomLogError("storage-full", text(NO_ROOM), { cause: error });
    case 11: // SQLITE_CORRUPT
      return new RoomLogError("damaged", text("the database is damaged; restore a backup"), { cause: error });
    case 26: // SQLITE_NOTADB
      return new RoomLogError("not-a-log", text("the file is not a database"), { cause: error });
  }
  const [code, reason] = systemReason(error as NodeJS.ErrnoException, action) ?? ["io", message ?? String(error)];
  return new RoomLogError(code, text(reason), { cause: error });
}

export const NO_ROOM = "there is no room left on the disk";

/** SQLITE_IOERR_SHMSIZE: no room for the index of the write-ahead log. SQLite's text is only `disk I/O error`. */
const IOERR_SHMSIZE = 4_874;

/** Maps a system error to a code and a text. */
function systemReason(
  { code, syscall, path = "" }: NodeJS.ErrnoException,
  action: string,
): readonly [RoomLogErrorCode, string] | undefined {
  const name = (each: string) => (each === "" || action.endsWith(` ${each}`) ? "it" : each);
  const it = name(path);
  const isRead = syscall === "access";
  const isMake = syscall === "mkdir";
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return ["storage-full", NO_ROOM];
    case "EROFS":
      return ["read-only", "the disk is read-only"];
    case "EACCES":
    case "EPERM":
      if (isRead) return ["read-only", `${it} may not be read by this user`];
      // Files are opened only to be created, so the folder denies it.
      return ["read-only", `${name(path && dirname(path))} may not be written to by this user`];
    case "ENOENT":
      if (isMake) return ["io", `${it} cannot be created`];
      return ["io", isRead ? `there is no file ${path}` : `there is no folder ${dirname(path)}`];
    case "ENOTDIR":
      return ["io", `${dirname(path)} is not a folder`];
    case "EEXIST":
      return ["io", `${it} is a file, not a folder`];
    case "EISDIR":
      return ["io", `${it} is a folder, not a file`];
  }
  return undefined;
}
