/** The entry point of the thread that writes the guests' file. */
import { DatabaseSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import { type GuestTable, RoomLogError } from "../../hub/mod.ts";
import { firstValue, toRoomLogError, transact } from "./database.ts";
import { createInFolder } from "./folders.ts";
import { guestsFile, removeGuests } from "./guests-file.ts";
import { answerCalls } from "./worker-calls.ts";

/** The version of the file. A file of another version is replaced. */
const VERSION = 1;

/** A row: plain data, or `undefined` to remove the key. */
export type GuestRow = readonly [table: GuestTable, key: string, value: unknown];

class GuestWriter {
  readonly #db: DatabaseSync;

  constructor(folder: string) {
    const file = guestsFile(folder);
    try {
      this.#db = open(file);
    } catch (error) {
      const { code } = toRoomLogError(error, "open the guests");
      if (code !== "damaged" && code !== "not-a-log") throw error;
      // Nothing in it is worth a failed start.
      removeGuests(folder);
      this.#db = open(file);
    }
  }

  /** Returns all rows. The value of a damaged one is `undefined`. */
  load(): readonly GuestRow[] {
    const rows = this.#db.prepare("SELECT kind, key, value FROM guest").all();
    return rows.map(({ kind, key, value }) => [kind as GuestTable, String(key), parsed(String(value))]);
  }

  write(rows: readonly GuestRow[]): void {
    const set = this.#db.prepare("INSERT OR REPLACE INTO guest (kind, key, value) VALUES (?, ?, ?)");
    const remove = this.#db.prepare("DELETE FROM guest WHERE kind = ? AND key = ?");
    transact(this.#db, () => {
      for (const [table, key, value] of rows) {
        if (value === undefined) remove.run(table, key);
        else set.run(table, key, JSON.stringify(value));
      }
    });
  }

  close(): void {
    this.#db.close();
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function open(file: string): DatabaseSync {
  createInFolder(file);
  const db = new DatabaseSync(file);
  try {
    // Without a sync: it survives a crash of the process, and a power cut may damage it.
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
    const version = firstValue(db, "PRAGMA user_version");
    if (version === 0) {
      db.exec(`CREATE TABLE guest (kind TEXT, key TEXT, value TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID;
        PRAGMA user_version = ${VERSION}`);
    } else if (version !== VERSION || firstValue(db, "PRAGMA quick_check") !== "ok") {
      throw new RoomLogError("damaged", `Cannot open ${file}: it is damaged, or of another version`);
    }
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

export type GuestWriterMethods = Pick<GuestWriter, "load" | "write" | "close">;

answerCalls<GuestWriterMethods>("store the guests", () => new GuestWriter(workerData as string));
