import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import {
  type AppendResult,
  type Entry,
  type Follower,
  type Found,
  type NewEntry,
  type OpenedRoom,
  type Page,
  type ReadOptions,
  type RoomLog,
  RoomLogError,
  type RoomSearch,
  type SearchOptions,
} from "../../hub/mod.ts";
import { type Append, AppendQueue, allFailed } from "./append-queue.ts";
import { backUp } from "./backup.ts";
import { type Committed, resultAt, toBatch } from "./batch.ts";
import { type Durability, NO_ROOM } from "./database.ts";
import type { ReaderData, ReaderMethods, Rows } from "./reader.ts";
import type { Keep } from "./retention.ts";
import { DATABASE_FILE } from "./schema.ts";
import { toEntry, toStorable } from "./stored-entry.ts";
import { Thread } from "./thread.ts";
import type { WriterData, WriterMethods } from "./writer.ts";

/** Most calls of a thread that wait for an answer. Past this, calls are refused with `busy`. */
const CALLS_MAX = 65_536;

export interface SqliteRoomLogOptions {
  /** The database's folder. Created if it is missing, with access for this user only. */
  readonly folder: string;
  /**
   * `disk`: acknowledged entries survive a power cut. `process`: they survive the end of the process; after a power
   * cut the newest may be lost, and the epoch is new. @default "disk"
   */
  readonly durability?: Durability | undefined;
  /** What is kept of each room. @default everything */
  readonly keep?: Keep | undefined;
  /** Receives failures that belong to no call. After one with code `failed` the log accepts no calls. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Called when messages are stored again after a failure. */
  readonly onRecovered?: (() => void) | undefined;
  /** Returns the time in milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
  /** Most uncommitted entries. Past this, entries fail with `busy`. @default 262144 */
  readonly waitingEntriesMax?: number | undefined;
  /** Most UTF-16 units of their texts, plus 256 for each entry. @default 134217728 */
  readonly waitingCharactersMax?: number | undefined;
}

/** When the disk was full at the start: how often to check it, in milliseconds, and the free bytes required. */
const ROOM_LOOK_MS = 1_000;
const ROOM_BYTES_MIN = 1_048_576;

/** Hooks for tests. */
export interface Internals extends Pick<WriterData, "boot" | "pagesMax"> {
  readonly onThread?: (name: "writer" | "reader" | "searcher", worker: Worker) => void;
}

/**
 * The rooms' logs in an SQLite database. One thread writes: what arrives during a commit forms the next commit. Two
 * more threads read, one for history and one for searches, so that neither delays the other or a commit.
 */
export class SqliteRoomLog implements RoomLog, RoomSearch {
  readonly #options: SqliteRoomLogOptions;
  readonly #internals: Internals;
  readonly #now: () => number;
  readonly #writer: Thread<WriterMethods>;
  #reader: Thread<ReaderMethods> | undefined;
  #searcher: Thread<ReaderMethods> | undefined;
  readonly #queue: AppendQueue;
  readonly #open = new Set<string>();
  #epoch = "";
  /** Checks for space on the disk. Set while the disk has been full since the start; the log is then read-only. */
  #roomLooker: NodeJS.Timeout | undefined;
  /** Set while the database is reopened for writing. */
  #reopening: Promise<void> | undefined;
  #follower: Follower | undefined;
  /** Set while the commit loop runs. */
  #committing: Promise<void> | undefined;
  /** Whether the last commit failed. */
  #isFailing = false;
  #failure: RoomLogError | undefined;
  #closed: Promise<void> | undefined;

  /**
   * Opens the log or creates one. If the disk is full, an existing log is opened read-only and `onError` is told.
   * Entries then fail with `storage-full` until there is space.
   *
   * @throws {RoomLogError} `in-use`, `newer-version`, `not-a-log`, `damaged`, `read-only`, `storage-full`, `io`.
   */
  static async open(options: SqliteRoomLogOptions, internals: Internals = {}): Promise<SqliteRoomLog> {
    const log = new SqliteRoomLog(options, internals);
    try {
      log.#epoch = await log.#start();
    } catch (error) {
      log.#closed = Promise.all([log.#reader?.close(), log.#writer.close()]).then(() => undefined);
      await log.#closed;
      throw error;
    }
    void log.#writer.ended.then((error) => error && log.#fail(error));
    return log;
  }

  private constructor(options: SqliteRoomLogOptions, internals: Internals) {
    const { folder, durability = "disk", keep = {} } = options;
    const { boot, pagesMax } = internals;
    this.#options = options;
    this.#internals = internals;
    this.#now = options.now ?? Date.now;
    this.#queue = new AppendQueue({
      waitingEntriesMax: options.waitingEntriesMax ?? 262_144,
      waitingCharactersMax: options.waitingCharactersMax ?? 134_217_728,
    });
    const data: WriterData = { folder, durability, keep, boot, pagesMax };
    this.#writer = this.#thread("writer", import.meta.resolve("#sqlite-writer"), data);
  }

  async open(room: string): Promise<OpenedRoom> {
    this.#check();
    // Follow before asking for the position, so that no commit is missed in between.
    this.#open.add(room);
    await this.#reopening;
    const thread = this.#roomLooker === undefined ? this.#writer : this.#reading();
    const { seq, state, stateSeq } = await thread.call("state", room);
    return { position: { epoch: this.#epoch, seq }, state: new Map(state), stateSeq };
  }

  async release(room: string): Promise<void> {
    this.#open.delete(room);
  }

  async append(entries: readonly NewEntry[]): Promise<readonly AppendResult[]> {
    if (entries.length === 0) return [];
    const obstacle = this.#obstacle();
    if (obstacle !== undefined) return allFailed(entries, obstacle);
    if (this.#roomLooker !== undefined) {
      return allFailed(entries, new RoomLogError("storage-full", `Cannot store messages: ${NO_ROOM}`));
    }
    const appended = this.#queue.add(entries.map(toStorable));
    this.#committing ??= this.#commitAll();
    return appended;
  }

  async read(room: string, options: ReadOptions): Promise<Page> {
    this.#check();
    await this.#reopening;
    return this.#toPage(room, await this.#reading().call("read", room, options));
  }

  async search(room: string, query: string, options: SearchOptions): Promise<Found> {
    this.#check();
    await this.#reopening;
    const { rows, before } = await this.#searching().call("search", room, query, options);
    return { entries: rows.map((row) => toEntry(room, this.#epoch, row)), before };
  }

  follow(follower: Follower): void {
    this.#follower = follower;
  }

  /**
   * Writes all committed entries into a new file. The file appears only when it is complete and synced. Commits and
   * reads continue meanwhile.
   *
   * @throws {RoomLogError} `exists` when the file exists.
   * @throws {RoomLogError} `storage-full`, `read-only`, `io` when the disk fails.
   */
  async backup(file: string): Promise<void> {
    this.#check();
    await backUp(join(this.#options.folder, DATABASE_FILE), file);
  }

  /**
   * Commits what is queued and closes the database. Idempotent.
   *
   * @throws {RoomLogError} `timeout` when the first call's signal was aborted before that, for example because the
   *   disk hangs. Queued entries may or may not be committed.
   */
  close({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#closed ??= this.#close(signal);
    return this.#closed;
  }

  async #close(signal: AbortSignal | undefined): Promise<void> {
    const aborted = Promise.withResolvers<never>();
    const abort = () => {
      for (const thread of [this.#writer, this.#reader, this.#searcher]) thread?.abandon();
      aborted.reject(new RoomLogError("timeout", "Cannot close the rooms: the disk did not answer in time"));
    };
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
    try {
      await Promise.race([this.#closeThreads(), aborted.promise]);
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  async #closeThreads(): Promise<void> {
    clearInterval(this.#roomLooker);
    await this.#reopening;
    const isReadOnly = this.#roomLooker !== undefined;
    await this.#committing;
    // Close the writer's connection last: the last connection checkpoints and deletes the write-ahead log.
    await this.#closeReaders();
    try {
      if (this.#failure === undefined && !isReadOnly) await this.#writer.call("close");
    } finally {
      await this.#writer.close();
      this.#follower = undefined;
    }
  }

  async #closeReaders(): Promise<void> {
    const readers = [this.#reader, this.#searcher];
    await Promise.all(readers.map(async (reader) => reader?.call("close").catch(() => undefined)));
    await Promise.all(readers.map((reader) => reader?.close()));
  }

  /** Opens the database, read-only if the disk is full. Returns the epoch. */
  async #start(): Promise<string> {
    try {
      return await this.#writer.call("start");
    } catch (error) {
      if ((error as RoomLogError).code !== "storage-full" || process.platform === "win32") throw error;
      this.#roomLooker = setInterval(() => this.#lookForRoom(), ROOM_LOOK_MS);
      try {
        const epoch = await this.#reading().call("epoch");
        // No server has run on this database yet.
        if (epoch === undefined) throw error;
        this.#report(new RoomLogError("read-only", `Opened ${this.#options.folder} for reading only: ${NO_ROOM}`));
        return epoch;
      } catch (reason) {
        clearInterval(this.#roomLooker);
        throw reason;
      }
    }
  }

  #lookForRoom(): void {
    statfs(this.#options.folder).then(
      ({ bavail, bsize }) => {
        if (bavail * bsize < ROOM_BYTES_MIN || this.#closed !== undefined) return;
        this.#reopening ??= this.#reopen().finally(() => {
          this.#reopening = undefined;
        });
      },
      // The folder may be unreachable only for a while.
      () => undefined,
    );
  }

  /**
   * Reopens the database for writing. The readers are closed first: their exclusive connections cannot exist beside
   * the writer's.
   */
  async #reopen(): Promise<void> {
    await this.#closeReaders();
    let epoch: string;
    try {
      epoch = await this.#writer.call("start");
    } catch (error) {
      if ((error as RoomLogError).code === "storage-full") return;
      clearInterval(this.#roomLooker);
      return this.#fail(new RoomLogError("failed", (error as RoomLogError).message, { cause: error }));
    }
    clearInterval(this.#roomLooker);
    this.#roomLooker = undefined;
    if (epoch !== this.#epoch) {
      return this.#fail(
        new RoomLogError("failed", "The log's epoch changed when it was opened for writing; restart the server"),
      );
    }
    this.#options.onRecovered?.();
  }

  async #commitAll(): Promise<void> {
    // Callers of the same commit continue in one turn. Waiting for it puts their next entries into one commit again.
    await undefined;
    for (let appends = this.#queue.take(); appends.length > 0; appends = this.#queue.take()) {
      await this.#commit(appends);
      this.#queue.done(appends);
    }
    this.#committing = undefined;
  }

  async #commit(appends: readonly Append[]): Promise<void> {
    const entries = appends.length === 1 ? (appends[0] as Append).entries : appends.flatMap((append) => append.entries);
    let committed: Committed;
    const wasSent = !this.#writer.hasEnded;
    try {
      committed = await this.#writer.call("commit", toBatch(entries, this.#now()));
    } catch (error) {
      this.#isFailing = true;
      // The writer may have ended before the commit or after it.
      const isUnknown = wasSent && this.#writer.hasEnded;
      const result: AppendResult = isUnknown ? { type: "unknown" } : { type: "failed", error: error as RoomLogError };
      for (const append of appends) append.resolve(append.entries.map(() => result));
      return;
    }
    if (this.#isFailing) {
      this.#isFailing = false;
      this.#options.onRecovered?.();
    }
    this.#follow(entries, committed);
    let index = 0;
    for (const append of appends) {
      append.resolve(append.entries.map(() => resultAt(committed, index++)));
    }
  }

  #follow(entries: readonly NewEntry[], { seqs, ats, others }: Committed): void {
    if (this.#follower === undefined) return;
    const followed: Entry[] = [];
    for (let i = 0; i < entries.length; i += 1) {
      const entry = entries[i] as NewEntry;
      if (!this.#open.has(entry.room) || others?.has(i) === true) continue;
      const seq = seqs[i] as number;
      followed.push(placed(entry, this.#epoch, seq, ats[i] as number));
    }
    if (followed.length === 0) return;
    try {
      this.#follower.entries(followed);
    } catch (error) {
      this.#report(error);
    }
  }

  #reading(): Thread<ReaderMethods> {
    this.#reader ??= this.#readThread("reader", () => {
      this.#reader = undefined;
    });
    return this.#reader;
  }

  #searching(): Thread<ReaderMethods> {
    this.#searcher ??= this.#readThread("searcher", () => {
      this.#searcher = undefined;
    });
    return this.#searcher;
  }

  /** Starts a read thread. Its unexpected end is reported, and the next call starts another. */
  #readThread(name: "reader" | "searcher", forget: () => void): Thread<ReaderMethods> {
    const data: ReaderData = { folder: this.#options.folder, isAlone: this.#roomLooker !== undefined };
    const thread: Thread<ReaderMethods> = this.#thread(name, import.meta.resolve("#sqlite-reader"), data);
    void thread.ended.then((error) => {
      forget();
      // Not `failed`: that code means that the whole log is broken.
      if (error === undefined) return;
      const text = `Cannot read: the log's ${name} has stopped; the next call starts another`;
      this.#report(new RoomLogError("io", text, { cause: error.cause }));
    });
    return thread;
  }

  #thread<M extends Thread<never>>(name: "writer" | "reader" | "searcher", url: string, data: unknown): M {
    const report = (error: unknown) => this.#report(error);
    const thread = new Thread<never>({ name, url, data, callsMax: CALLS_MAX, report });
    this.#internals.onThread?.(name, thread.worker);
    return thread as M;
  }

  #toPage(room: string, { rows, more }: Rows): Page {
    return { entries: rows.map((row) => toEntry(room, this.#epoch, row)), more };
  }

  /** The writer has ended. Whether its last commit was stored is unknown until the next start. */
  #fail(error: RoomLogError): void {
    this.#failure = error;
    this.#report(error);
  }

  #check(): void {
    const obstacle = this.#obstacle();
    if (obstacle !== undefined) throw obstacle;
  }

  #obstacle(): RoomLogError | undefined {
    return this.#closed === undefined ? this.#failure : new RoomLogError("closed", "The log is closed");
  }

  #report(error: unknown): void {
    const { onError } = this.#options;
    if (onError !== undefined) onError(error);
    else process.emitWarning(error instanceof Error ? error : String(error));
  }
}

/** Copies field by field, which is several times faster than a spread. */
function placed(entry: NewEntry, epoch: string, seq: number, at: number): Entry {
  const { room, id, author, origin } = entry;
  const prev = seq - 1;
  switch (entry.kind) {
    case "message":
      if (entry.isJson) {
        return { room, epoch, seq, prev, id, at, author, kind: "message", text: entry.text, isJson: true, origin };
      }
      return { room, epoch, seq, prev, id, at, author, kind: "message", text: entry.text, origin };
    case "set":
      return { room, epoch, seq, prev, id, at, author, kind: "set", changes: entry.changes, origin };
    case "kick":
      return { room, epoch, seq, prev, id, at, author, kind: "kick", user: entry.user, reason: entry.reason, origin };
  }
}
