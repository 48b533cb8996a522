import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { RoomLogError } from "../../hub/mod.ts";
import { createInFolder } from "./folders.ts";

/**
 * Locks a folder for one owner. It uses SQLite's lock on a file of its own: the kernel releases it when the process
 * ends for any reason, and it also excludes other owners in the same process.
 */
export class FolderLock {
  readonly file: string;
  readonly #db: DatabaseSync;

  /** @throws {RoomLogError} `in-use` when another owner has the folder. */
  constructor(folder: string) {
    this.file = join(folder, "landline.lock");
    createInFolder(this.file);
    this.#db = new DatabaseSync(this.file, { timeout: 0 });
    try {
      this.#db.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    } catch (error) {
      this.#db.close();
      if (((error as { errcode?: number }).errcode ?? 0) % 256 !== 5) throw error;
      throw new RoomLogError("in-use", `Cannot open ${folder}: another server is running on it`);
    }
  }

  release(): void {
    if (this.#db.isOpen) this.#db.close();
  }
}
