/** The thread that writes: it alone has a connection for writing. */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import { RoomLogError } from "../../hub/mod.ts";
import { Appender, type Growth } from "./appender.ts";
import type { Batch, Committed } from "./batch.ts";
import { type Durability, openForWriting, setDurability, toRoomLogError, transact } from "./database.ts";
import { FileWatch } from "./file-watch.ts";
import { FolderLock } from "./folder-lock.ts";
import { makeFolder } from "./folders.ts";
import { Housekeeping } from "./housekeeping.ts";
import { beginRun, endRun } from "./incarnation.ts";
import { KnownIds } from "./known-ids.ts";
import { type Keep, Retention } from "./retention.ts";
import { checkVersion, DATABASE_FILE, migrate } from "./schema.ts";
import { StoredRooms } from "./stored-rooms.ts";
import { Sweep } from "./sweep.ts";
import { WordIndex } from "./word-index.ts";
import { answerCalls } from "./worker-calls.ts";

/** How long a commit waits for another process that writes, in milliseconds: the thread cannot be ended meanwhile. */
const WRITE_TIMEOUT_MS = 1_000;
/** How often all rooms are looked at, in milliseconds. */
const SWEEP_MS = 60_000;

export interface WriterData {
  readonly folder: string;
  readonly durability: Durability;
  readonly keep: Keep;
  /** For tests: what the machine's start is called, and how large the database may be. */
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
  readonly #sweeper: NodeJS.Timeout;
  readonly #watch: FileWatch;
  readonly #epoch: string;

  constructor({ folder, durability, keep, boot, pagesMax }: WriterData, report: (error: unknown) => void) {
    makeFolder(folder);
    this.#lock = new FolderLock(folder);
    this.#durability = durability;
    const file = join(folder, DATABASE_FILE);
    let db: DatabaseSync | undefined;
    let renamed: readonly string[];
    try {
      db = openForWriting(file, (opened) => checkVersion(opened, file));
      this.#db = db;
      renamed = migrate(db, file, new Date());
      this.#epoch = beginRun(db, durability, boot);
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
      this.#lock.release();
      throw error;
    }
    const sweep = new Sweep(this.#db, this.#words, this.#retention);
    this.#housekeeping = new Housekeeping([this.#words, this.#ids, this.#retention, sweep], (error) =>
      report(toRoomLogError(error, "tidy the rooms up")),
    );
    this.#sweeper = setInterval(() => {
      sweep.begin();
      this.#housekeeping.wake();
    }, SWEEP_MS);
    this.#watch = new FileWatch(file, () => {
      // Nothing catches it: this thread ends, and with it the log.
      throw new RoomLogError("failed", `${file} was removed or replaced`);
    });
    for (const line of renamed) report(new RoomLogError("renamed", line));
    this.#housekeeping.wake();
  }

  /** The log's epoch. */
  start(): string {
    return this.#epoch;
  }

  commit(batch: Batch): Committed {
    const grown = new Map<number, Growth>();
    const committed = this.#appender.commit(batch, grown);
    for (const [no, { fromSeq, toSeq }] of grown) {
      this.#words.add(no);
      this.#retention.grown(no, fromSeq, toSeq);
    }
    if (grown.size > 0) this.#housekeeping.wake();
    if (this.#ids.isUrgent) this.#housekeeping.hurry(this.#ids);
    return committed;
  }

  lastSeq(room: string): number {
    return this.#rooms.get(room)?.lastSeq ?? 0;
  }

  /** Resolves when a search finds what is in the room now, or after a while. */
  async indexed(name: string): Promise<void> {
    const room = this.#rooms.get(name);
    if (room === undefined) return;
    const indexed = this.#words.wait(room.no, room.lastSeq);
    this.#housekeeping.hurry(this.#words);
    await indexed;
  }

  close(): void {
    clearInterval(this.#sweeper);
    this.#watch.stop();
    this.#housekeeping.stop();
    try {
      // Whatever the setting: nothing is noted as being on the disk that is not.
      setDurability(this.#db, "disk");
      transact(this.#db, () => endRun(this.#db, this.#durability));
    } catch (error) {
      throw toRoomLogError(error, "close the rooms");
    } finally {
      this.#db.close();
      this.#lock.release();
    }
  }
}

export type WriterMethods = Pick<Writer, "start" | "commit" | "lastSeq" | "indexed" | "close">;

const data = workerData as WriterData;
answerCalls<WriterMethods>(`open ${data.folder}`, (report) => new Writer(data, report));
