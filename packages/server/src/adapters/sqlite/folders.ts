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

/** Creates the folder and its missing parents, with access for this user only. */
export function makeFolder(folder: string): void {
  try {
    // Node's own `recursive` gives ENOENT on a read-only disk and loops forever in `/proc`.
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
 * Creates a file with access for this user only. An existing file must be readable and is not opened: closing it
 * would drop this process's POSIX locks.
 */
export function createPrivately(file: string): void {
  const descriptor = create(file);
  if (descriptor !== undefined) closeSync(descriptor);
}

/**
 * Like {@link createPrivately}, in a server's folder. A file created by root is given to the folder's owner, who runs
 * the server.
 */
export function createInFolder(file: string): void {
  const descriptor = create(file);
  if (descriptor !== undefined) give(descriptor, dirname(file));
}

/** Gives a file that was copied into a server's folder the mode and owner of {@link createInFolder}. */
export function adoptIntoFolder(file: string): void {
  give(openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)), dirname(file));
}

function create(file: string): number | undefined {
  try {
    return openSync(file, "wx", 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    // Check it here: SQLite's error would only be "unable to open database file".
    accessSync(file, constants.R_OK);
    return undefined;
  }
}

/** Uses the descriptor, because the folder's owner could replace the file under its name. Closes the descriptor. */
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
