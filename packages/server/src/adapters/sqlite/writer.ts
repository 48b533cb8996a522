/** The entry point of the writer thread, which has the only connection for writing. */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import { RoomLogError } from "../../hub/mod.ts";
import { Appender, type Growth } from "./appender.ts";
import type { Batch, Committed } from "./batch.ts";
import { type Durability, firstValue, openForWriting, setDurability, toRoomLogError, transact } from "./database.ts";
import { describeFault, type FileFault, FileWatch } from "./file-watch.ts";
import { FolderLock } from "./folder-lock.ts";
import { createInFolder, makeFolder } from "./folders.ts";
import { Housekeeping } from "./housekeeping.ts";
import { beginRun, currentBoot, endRun } from "./incarnation.ts";
import { KnownIds } from "./known-ids.ts";
import { LAST_COMMIT_FILE, LastCommitFile } from "./last-commit.ts";
import { findLoss, refuseEmptied } from "./loss.ts";
import { type Keep, Retention } from "./retention.ts";
import { checkVersion, DATABASE_FILE, datedName, migrate, newestPlace } from "./schema.ts";
import { StoredRooms, type StoredState } from "./stored-rooms.ts";
import { GROWTH, Sweep } from "./sweep.ts";
import { WordIndex } from "./word-index.ts";
import { answerCalls } from "./worker-calls.ts";

/** How long a commit waits for another process that writes, in milliseconds. The thread cannot be ended meanwhile. */
const WRITE_TIMEOUT_MS = 1_000;
/** Interval of the sweep over all rooms, in milliseconds. */
const SWEEP_MS = 60_000;
/** Interval of the file checks without commits, in milliseconds. */
const WATCH_MS = 1_000;

export interface WriterData {
  readonly folder: string;
  readonly durability: Durability;
  readonly keep: Keep;
  /** For tests: the boot's id and the largest size of the database. */
  readonly boot?: string | undefined;
  readonly pagesMax?: number | undefined;
}

class Writer {
  readonly #db: DatabaseSync;
  readonly #lock: FolderLock;
  readonly #durability: Durability;
  readonly #rooms: StoredRooms;
  readonly #ids: KnownIds;
  readonly #appender: Appender;
  readonly #words: WordIndex;
  readonly #retention: Retention;
  readonly #housekeeping: Housekeeping;
  readonly #file: string;
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #files: FileWatch;
  readonly #lastCommit: LastCommitFile;
  readonly #epoch: string;

  constructor(data: WriterData, lock: FolderLock, report: (error: unknown) => void) {
    const { folder, durability, keep, boot = currentBoot(), pagesMax } = data;
    this.#lock = lock;
    this.#durability = durability;
    const file = join(folder, DATABASE_FILE);
    this.#file = file;
    let db: DatabaseSync | undefined;
    let loss: string | undefined;
    let renamed: readonly string[];
    try {
      refuseEmptied(file);
      db = openForWriting(file, (opened) => {
        if (checkVersion(opened, file) > 0) loss = findLoss(opened, file, boot);
      });
      this.#db = db;
      renamed = migrate(db, file, new Date());
      this.#epoch = beginRun(db, { durability, boot, isLossy: loss !== undefined });
      // Reset the write-ahead log, so that a later check finds only commits of this run in it.
      db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      this.#lastCommit = new LastCommitFile(join(folder, LAST_COMMIT_FILE), {
        epoch: this.#epoch,
        ...newestPlace(db),
      });
      this.#files = new FileWatch(file, this.#lock.file);
      setDurability(db, durability);
      db.exec(`PRAGMA busy_timeout = ${WRITE_TIMEOUT_MS}`);
      if (pagesMax !== undefined) db.exec(`PRAGMA max_page_count = ${Math.trunc(pagesMax)}`);
      this.#rooms = new StoredRooms(db);
      this.#ids = new KnownIds(db, durability);
      this.#appender = new Appender(db, durability, this.#rooms, this.#ids);
      this.#words = new WordIndex(db, durability);
      this.#retention = new Retention(db, durability, keep, this.#ids);
    } catch (error) {
      db?.close();
      throw error;
    }
    const sweep = new Sweep(this.#db, this.#words, this.#retention);
    this.#housekeeping = new Housekeeping(
      [this.#words, this.#ids, this.#retention, sweep],
      () => this.#end(this.#files.fault()),
      (error) => report(toRoomLogError(error, "clean up the rooms")),
    );
    this.#timers = [
      setInterval(() => {
        sweep.begin();
        this.#housekeeping.wake();
      }, SWEEP_MS),
      setInterval(() => {
        this.#end(this.#files.anyFault());
        if (durability === "disk") this.#lastCommit.sync();
      }, WATCH_MS),
    ];
    this.#housekeeping.wake();
    for (const line of renamed) report(new RoomLogError("renamed", line));
    if (loss !== undefined) report(new RoomLogError("damaged", loss));
  }

  /** Returns the log's epoch. */
  start(): string {
    return this.#epoch;
  }

  commit(batch: Batch): Committed {
    // Check before, because a commit would extend a truncated file. Check after, because lost entries must not be
    // acknowledged.
    this.#end(this.#files.fault());
    const grown = new Map<number, Growth>();
    const committed = this.#appender.commit(batch, grown);
    this.#end(this.#files.fault());
    let newest: readonly [no: number, seq: number] | undefined;
    for (const [no, { fromSeq, toSeq }] of grown) {
      if (Math.floor((fromSeq - 1) / GROWTH) !== Math.floor(toSeq / GROWTH)) {
        this.#words.add(no);
        this.#retention.add(no);
      }
      newest = [no, toSeq];
    }
    if (newest !== undefined) this.#lastCommit.write(...newest);
    if (grown.size > 0) this.#housekeeping.wake();
    if (this.#ids.isUrgent) this.#housekeeping.hurry(this.#ids);
    return committed;
  }

  state(room: string): StoredState {
    return this.#rooms.state(room);
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#housekeeping.stop();
    try {
      // Sync with any durability setting: the run must not be recorded as clean before its entries are on the disk.
      setDurability(this.#db, "disk");
      transact(this.#db, () => endRun(this.#db, this.#durability));
    } catch (error) {
      throw toRoomLogError(error, "close the rooms");
    } finally {
      this.#db.close();
      this.#files.close();
      this.#lastCommit.close();
      this.#lock.release();
    }
  }

  /** Throws if there is a fault, which ends the thread and the log. First rescues the acknowledged entries. */
  #end(fault: FileFault | undefined): void {
    if (fault === undefined) return;
    throw new RoomLogError("failed", `${describeFault(fault)}; ${this.#rescue(fault)}`);
  }

  /** Saves what it can and returns a text about it. The open files are still accessible, wherever their names lead. */
  #rescue({ file, kind }: FileFault): string {
    if (kind === "cut") return "its content is lost";
    try {
      if (file !== this.#file) {
        const isWhole = firstValue(this.#db, "PRAGMA wal_checkpoint(FULL)") === 0;
        return isWhole ? `all messages are in ${this.#file}` : "its newest messages may be lost";
      }
      const copy = datedName(file, new Date(), "rescued-");
      createInFolder(copy);
      this.#db.prepare("VACUUM INTO ?").run(copy);
      return `all messages were written to ${copy}`;
    } catch (error) {
      return `its messages could not be copied: ${toRoomLogError(error, "rescue the rooms").message}`;
    }
  }
}

export type WriterMethods = Pick<Writer, "start" | "commit" | "state" | "close">;

const data = workerData as WriterData;
/** Held until the log is closed or this thread ends, even while the disk is too full to open the database. */
let lock: FolderLock | undefined;
answerCalls<WriterMethods>(`open ${data.folder}`, (report) => {
  makeFolder(data.folder);
  lock ??= new FolderLock(data.folder);
  return new Writer(data, lock, report);
});
