import type { Position } from "../../core/mod.ts";

/** The fields of every log entry. */
interface AnyEntry {
  /** The room's key. */
  readonly room: string;
  readonly epoch: string;
  /** Increases within the room. The adapter decides whether it is dense. */
  readonly seq: number;
  /** The `seq` of the previous entry in the room; 0 for the first. */
  readonly prev: number;
  /** The client's own id for the entry, unique per author and room. */
  readonly id: string | undefined;
  /** The commit time, in milliseconds since 1970. */
  readonly at: number;
  /** The author's displayed name. */
  readonly from: string;
  /** Set by the caller of `append`. Not stored; present only in the process that appended. */
  readonly origin?: unknown;
}

/** A chat message. */
export interface ChatEntry extends AnyEntry {
  readonly kind: "chat";
  readonly body: string;
  /**
   * The body is the JSON text of a value that is not a string. Not stored, and present only for followers: version 1
   * clients get the value itself, and they have no history.
   */
  readonly isJson?: true;
}

/** A change of the room's state, for example its topic. */
export interface SetEntry extends AnyEntry {
  readonly kind: "set";
  readonly key: string;
  /** The new value. An empty one removes the key. */
  readonly body: string;
}

/** An entry of a room's log. */
export type Entry = ChatEntry | SetEntry;

/** The fields that the log adds to an entry. */
type Placed = "epoch" | "seq" | "prev" | "at";

/** An entry to append. The log adds the other fields. */
export type NewEntry = Omit<ChatEntry, Placed> | Omit<SetEntry, Placed>;

/** The result for one entry: its new position, its earlier position if it is a duplicate, or a refusal. */
export type AppendResult =
  | { readonly type: "appended"; readonly seq: number; readonly at: number }
  | { readonly type: "duplicate"; readonly seq: number; readonly at: number }
  | { readonly type: "id-reused" };

/** How far the newest entry's time may be ahead of the clock, in milliseconds. Past this, it is ignored. */
export const AHEAD_MAX_MS = 604_800_000;

/**
 * Returns the time of an entry that follows one at `lastAt`. Times of a room do not decrease, even if the clock is
 * set back. A time too far ahead (`AHEAD_MAX_MS`) is ignored, or one wrong clock would set the time of all later
 * entries.
 */
export function timeAfter(lastAt: number, now: number): number {
  return lastAt > now + AHEAD_MAX_MS ? now : Math.max(now, lastAt);
}

/** A range of a log, oldest first. */
export interface Page {
  readonly entries: readonly Entry[];
  /** There are more entries beyond the limit: newer ones with `after`, otherwise older ones. */
  readonly more: boolean;
}

/** Limits of a read. If they cut it short, the page has `more`. */
export interface ReadBounds {
  /** Most entries. */
  readonly limit: number;
  /** Largest sum of the texts' lengths, in UTF-16 units. One entry is returned at any length. @default no limit */
  readonly charactersMax?: number | undefined;
}

/** With `after`, reads the oldest entries in the range; otherwise the newest. */
export interface ReadOptions extends ReadBounds {
  /** Only entries after this `seq`. */
  readonly after?: number | undefined;
  /** Only entries before this `seq`. */
  readonly before?: number | undefined;
}

/**
 * Why a log operation failed. The codes are stable.
 *
 * - `busy`: too many operations are queued; try again later.
 * - `storage-full`, `read-only`, `io`: the storage rejects writes. Nothing of the append was stored; a later one may
 *   succeed.
 * - `timeout`: a search or `close` took too long.
 * - `failed`: the log is broken until the process restarts. Whether the append was stored is unknown.
 * - `closed`: the log was closed.
 * - `in-use`: another process has the log open.
 * - `newer-version`: a newer version of Landline wrote it.
 * - `not-a-log`: the file is something else.
 * - `damaged`: its content is inconsistent.
 * - `exists`: the file to create already exists.
 * - `renamed`: the room's key changed when this start migrated a log of an older version.
 */
export type RoomLogErrorCode =
  | "busy"
  | "storage-full"
  | "read-only"
  | "io"
  | "timeout"
  | "failed"
  | "closed"
  | "in-use"
  | "newer-version"
  | "not-a-log"
  | "damaged"
  | "exists"
  | "renamed";

/** The error of a {@link RoomLog}. */
export class RoomLogError extends Error {
  override readonly name = "RoomLogError";
  readonly code: RoomLogErrorCode;

  constructor(code: RoomLogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The rooms' logs. Every method is asynchronous, so that a log can be on a disk or in another process.
 *
 * - An entry is committed when `append` resolves. What it then survives depends on the adapter.
 * - The listener of `follow` gets every committed entry of the open rooms, in each room's order, in one call per
 *   commit, before `append` resolves. Entries that other servers appended arrive the same way.
 * - The log remembers the last 1,024 ids of each author and room. The same id with the same body is a `duplicate`;
 *   with another body it is `id-reused`. Neither is delivered to the follower.
 * - The log may remove its oldest entries (retention). A client's position before them is then detected: the first
 *   entry after it has a `prev` other than the position's `seq`, or there is no entry although the room's position is
 *   later.
 */
export interface RoomLog {
  /** Follows a room, because this server has members in it. Resolves to the position of its newest entry. */
  open(room: string): Promise<Position>;
  /** Stops following a room, because its last member left. */
  release(room: string): Promise<void>;
  /**
   * Appends all entries or none.
   *
   * @throws {RoomLogError} `busy`, `storage-full`, `read-only`, `io`, `failed`, `closed`.
   */
  append(entries: readonly NewEntry[]): Promise<readonly AppendResult[]>;
  read(room: string, options: ReadOptions): Promise<Page>;
  /**
   * Returns the room's state: the last value of each key of its `set` entries. It outlives the removal of those
   * entries.
   */
  state(room: string): Promise<ReadonlyMap<string, string>>;
  /** Sets the one listener of this process. */
  follow(listener: (entries: readonly Entry[]) => void): void;
  /**
   * Stores what is queued and closes the log. Idempotent.
   *
   * @throws {RoomLogError} `timeout` when the first call's signal was aborted before everything was stored. The rest
   *   is dropped.
   */
  close(options?: { readonly signal?: AbortSignal }): Promise<void>;
}
