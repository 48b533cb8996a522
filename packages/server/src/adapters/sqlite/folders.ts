import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  mkdirSync,
  openSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";

/** Makes the folder and those above it, for this user only. */
export function makeFolder(folder: string): void {
  try {
    // Node's own `recursive` says ENOENT on a disk that is read-only, and tries for ever in `/proc`.
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
    const above = dirname(folder);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || existsSync(above)) throw error;
    makeFolder(above);
    makeFolder(folder);
  }
}

/**
 * Creates the file for this user only. One that is there must be readable and is not touched: closing it would drop this
 * process's locks.
 */
export function createPrivately(file: string): void {
  const descriptor = create(file);
  if (descriptor !== undefined) closeSync(descriptor);
}

/** The same in a server's folder: what root makes belongs to the folder's owner, who runs the server. */
export function createInFolder(file: string): void {
  const descriptor = create(file);
  if (descriptor !== undefined) give(descriptor, dirname(file));
}

/** Makes a file that was copied into a server's folder one that {@link createInFolder} might have made. */
export function adoptIntoFolder(file: string): void {
  give(openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)), dirname(file));
}

function create(file: string): number | undefined {
  try {
    return openSync(file, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    // SQLite would only say that it is unable to open it.
    accessSync(file, constants.R_OK);
    return undefined;
  }
}

/** By the file's descriptor, as the folder's owner can put another file under its name. Closes it. */
function give(descriptor: number, folder: string): void {
  try {
    fchmodSync(descriptor, 0o600);
    if (process.getuid?.() !== 0) return;
    const { uid, gid } = statSync(folder);
    fchownSync(descriptor, uid, gid);
  } finally {
    closeSync(descriptor);
  }
}
