import { closeSync, fdatasync, openSync, readFileSync, writeSync } from "node:fs";
import { createInFolder } from "./folders.ts";

/** The file's name, in the database's folder. */
export const LAST_COMMIT_FILE = "landline.last";

/** The length of the record. It is overwritten in place, which needs no space on a full disk. */
const RECORD_BYTES = 64;
const PATTERN = /^([0-9a-f]+) (\d+) (\d+) *\n$/;

/** The newest entry of the last acknowledged commit. If the log has it, it has all earlier entries. */
export interface LastCommit {
  readonly epoch: string;
  /** The room's number, or 0 if nothing was committed yet. */
  readonly room: number;
  readonly seq: number;
}

/** Reads the record. Returns `undefined` if the file is missing or the record is incomplete. */
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
 * Stores the newest commit in a file apart from the database, so that the next start can detect that the database
 * lost it. Write it after the commit is durable and before it is acknowledged. Then it is exact after the end of the
 * process. After a power cut it can be behind the database, but never ahead.
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
      // The commit itself is stored. An outdated record can miss a loss, but never reports a false one.
    }
  }

  /** Syncs the record to the disk, some time after the commits. */
  sync(): void {
    if (this.#isSynced) return;
    this.#isSynced = true;
    fdatasync(this.#descriptor, () => undefined);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
