import { rmSync } from "node:fs";
import { join } from "node:path";

/** The guests' file of a folder. It is not part of a backup. */
export function guestsFile(folder: string): string {
  return join(folder, "landline.guests");
}

/** Removes the guests' file and SQLite's side files. */
export function removeGuests(folder: string): void {
  for (const ending of ["", "-wal", "-shm"]) rmSync(`${guestsFile(folder)}${ending}`, { force: true });
}
