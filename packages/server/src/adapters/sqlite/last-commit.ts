import { closeSync, fdatasync, openSync, readFileSync, writeSync } from "node:fs";
import { createInFolder } from "./folders.ts";

/** The file's name, in the database's folder. */
export const LAST_COMMIT_FILE = "landline.last";

/** The record's length; it is overwritten in place, which needs no room on a disk that is full. */
const RECORD_BYTES = 64;
const PATTERN = /^([0-9a-f]+) (\d+) (\d+) *\n$/;

/** An entry of the newest commit that was acknowledged: what comes before it in the log is there if it is. */
export interface LastCommit {
  readonly epoch: string;
  /** The room's number; 0 where nothing was committed yet. */
  readonly room: number;
  readonly seq: number;
}

/** The record in a file; none if there is no file, or not a whole record. */
export function readLastCommit(file: string): LastCommit | undefined {
  try {
    const [, epoch = "", room, seq] = PATTERN.exec(readFileSync(file, "latin1")) ?? [];
    return epoch === "" ? undefined : { epoch, room: Number(room), seq: Number(seq) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Notes the newest commit in a file of its own, apart from the database, so that the next start can tell that the database
 * has lost it. To be written after the commit is durable and before it is acknowledged: then the end of the process leaves
 * it exact, and a power cut leaves it behind the database, never ahead.
 */
export class LastCommitFile {
  readonly #descriptor: number;
  readonly #epoch: string;
  readonly #record: Buffer = Buffer.alloc(RECORD_BYTES, " ");
  #isSynced = false;

  constructor(file: string, first: LastCommit) {
    createInFolder(file);
    this.#descriptor = openSync(file, "r+");
    this.#epoch = first.epoch;
    this.#record.write("\n", RECORD_BYTES - 1);
    this.write(first.room, first.seq);
  }

  write(room: number, seq: number): void {
    const length = this.#record.write(`${this.#epoch} ${room} ${seq}`, "latin1");
    this.#record.fill(" ", length, RECORD_BYTES - 1);
    try {
      writeSync(this.#descriptor, this.#record, 0, RECORD_BYTES, 0);
      this.#isSynced = false;
    } catch {
      // The commit is stored all the same. A record that is behind misses damage, but never reports any that is none.
    }
  }

  /** Forces it to the disk, behind the commits. */
  sync(): void {
    if (this.#isSynced) return;
    this.#isSynced = true;
    fdatasync(this.#descriptor, () => undefined);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
