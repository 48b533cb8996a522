import { type GuestStorage, type GuestTable, RoomLogError, type RoomLogErrorCode } from "../../hub/mod.ts";
import type { GuestRow, GuestWriterMethods } from "./guest-writer.ts";
import { Thread } from "./thread.ts";

/** How long changes wait to be written together, in milliseconds. */
const WRITE_MS = 200;
/** Most changes in one transaction. */
const WRITE_ROWS_MAX = 1_000;
/** Most changes that wait for the disk. Past this, further ones are not stored. */
const CHANGES_MAX = 100_000;
/** How long `close` waits for the last changes, in milliseconds. */
const CLOSE_MS = 1_000;

/** The disk's failures. The log meets them as well, and reports them. */
const DISK_FAILURES: ReadonlySet<RoomLogErrorCode> = new Set(["storage-full", "read-only", "io", "closed"]);

/**
 * The guests of a server in a file of their own. A thread writes it, because a slow disk must not stop the chat. It is
 * no part of the database: it may be lost, it needs no sync, and a backup must not bring old sessions back.
 */
export class SqliteGuests implements GuestStorage {
  readonly #thread: Thread<GuestWriterMethods>;
  readonly #report: (error: unknown) => void;
  readonly #stored = { session: new Map<string, unknown>(), read: new Map<string, unknown>() };
  /** What is not written yet, by table and key. */
  readonly #changes = new Map<string, GuestRow>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  private constructor(folder: string, report: (error: unknown) => void) {
    this.#report = report;
    this.#thread = new Thread({
      name: "guest writer",
      url: import.meta.resolve("#sqlite-guest-writer"),
      data: folder,
      callsMax: 8,
      report,
    });
  }

  /** Opens the file in a folder whose log is open. Never rejects: if that fails, nothing is restored. */
  static async open(folder: string, report: (error: unknown) => void): Promise<SqliteGuests> {
    const guests = new SqliteGuests(folder, report);
    try {
      for (const [table, key, value] of await guests.#thread.call("load")) guests.#stored[table]?.set(key, value);
    } catch (error) {
      guests.#failed(error);
    }
    return guests;
  }

  load(table: GuestTable): ReadonlyMap<string, unknown> {
    return this.#stored[table];
  }

  set(table: GuestTable, key: string, value: unknown): void {
    const name = `${table} ${key}`;
    if (this.#changes.size >= CHANGES_MAX && !this.#changes.has(name)) return;
    this.#changes.set(name, [table, key, value]);
    this.#timer ??= setTimeout(() => {
      this.#writing = this.#write();
    }, WRITE_MS).unref();
  }

  /** Writes what is left, for a second at most. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const written = (async () => {
      await this.#writing;
      await this.#write();
      await this.#thread.call("close");
    })().catch((error) => this.#failed(error));
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS);
    await Promise.race([written, promise]);
    clearTimeout(timer);
    await this.#thread.close();
  }

  async #write(): Promise<void> {
    while (this.#changes.size > 0) {
      const rows = [...this.#changes.values().take(WRITE_ROWS_MAX)];
      for (const [table, key] of rows) this.#changes.delete(`${table} ${key}`);
      // What the disk does not take is lost.
      await this.#thread.call("write", rows).catch((error) => this.#failed(error));
    }
    this.#timer = undefined;
  }

  #failed(error: unknown): void {
    if (!(error instanceof RoomLogError && DISK_FAILURES.has(error.code))) this.#report(error);
  }
}
