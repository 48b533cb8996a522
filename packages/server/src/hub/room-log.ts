import type { Position } from "../core/mod.ts";

/** What every line of a room's log has, whatever its kind. */
interface AnyEntry {
  /** The room's key. */
  readonly room: string;
  readonly epoch: string;
  /** Grows within the room; dense or sparse is the adapter's business. */
  readonly seq: number;
  /** The `seq` before this one in the room; 0 for the first. */
  readonly prev: number;
  /** The client's own id for it; unique for its author in this room. */
  readonly id: string | undefined;
  /** When it was committed, in milliseconds since 1970. */
  readonly at: number;
  /** The author, as shown. */
  readonly from: string;
  /** The appender's own mark; not stored, and seen only by the process that appended. */
  readonly origin?: unknown;
}

/** Something that was said. */
export interface ChatEntry extends AnyEntry {
  readonly kind: "chat";
  readonly body: string;
  /**
   * The body is the JSON of a value that is no text. Not stored, and seen only by those that follow: clients of version 1 are
   * told the value, and they have no history.
   */
  readonly isJson?: true;
}

/** A change of the room's state: its topic, a role, a ban. */
export interface SetEntry extends AnyEntry {
  readonly kind: "set";
  readonly key: string;
  /** The new value; an empty one takes the key out of the state. */
  readonly body: string;
}

/** One line of a room's log. */
export type Entry = ChatEntry | SetEntry;

/** What the log adds to an entry. */
type Placed = "epoch" | "seq" | "prev" | "at";

/** What is appended; the log adds the rest. */
export type NewEntry = Omit<ChatEntry, Placed> | Omit<SetEntry, Placed>;

/** What became of an entry: its place, its earlier place if it was there already, or why it was refused. */
export type AppendResult =
  | { readonly type: "appended"; readonly seq: number; readonly at: number }
  | { readonly type: "duplicate"; readonly seq: number; readonly at: number }
  | { readonly type: "id-reused" };

/** How far ahead of the clock the newest entry may be before its time counts for nothing, in milliseconds. */
export const AHEAD_MAX_MS = 604_800_000;

/**
 * The time of an entry that follows one of the time `lastAt`. A clock that jumps back does not reorder a room; but one that
 * was far ahead once must not set the time of all that follows.
 */
export function timeAfter(lastAt: number, now: number): number {
  return lastAt > now + AHEAD_MAX_MS ? now : Math.max(now, lastAt);
}

/** A stretch of a log, oldest first. */
export interface Page {
  readonly entries: readonly Entry[];
  /** There are more on the far side: newer ones if `after` was asked, older ones otherwise. */
  readonly more: boolean;
}

/** How much is read. Where there is more, the page says so. */
export interface ReadBounds {
  /** Entries at most. */
  readonly limit: number;
  /** Characters of all their texts at most; one entry is given whatever its length. @default any number */
  readonly charactersMax?: number | undefined;
}

/** With `after`, the oldest entries are read, otherwise the newest. */
export interface ReadOptions extends ReadBounds {
  /** Entries after this `seq`. */
  readonly after?: number | undefined;
  /** Entries before this `seq`. */
  readonly before?: number | undefined;
}

/** The newest entries are given. */
export interface SearchOptions extends ReadBounds {
  /** Whose search it is: those of different askers take turns. @default one asker */
  readonly asker?: string | undefined;
  /** Only entries before this `seq`. */
  readonly before?: number | undefined;
}

/**
 * Why a log could not do it, in one word that stays the same:
 *
 * - `busy`: too much is waiting already; try again later.
 * - `storage-full`, `read-only`, `io`: what it is stored on takes nothing. Nothing of the append was stored, and a later
 *   one may succeed.
 * - `timeout`: a search took too long.
 * - `failed`: the log is broken and stays so until the process starts again; whether the append was stored is not known.
 * - `closed`: it was closed.
 * - `in-use`: another process has it. `newer-version`: a newer Landline wrote it. `not-a-log`: the file is something
 *   else. `damaged`: it does not hold together. `exists`: there is such a file already.
 * - `renamed`: a room has another name since the start, which has taken it over from an older version.
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

/** What a {@link RoomLog} rejects with. */
export class RoomLogError extends Error {
  override readonly name = "RoomLogError";
  readonly code: RoomLogErrorCode;

  constructor(code: RoomLogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The rooms' logs: what a room is. Every method is asynchronous, so that a log can be on a disk or in another process.
 *
 * - What `append` resolved is committed: it survives whatever the adapter promises to survive.
 * - `follow`'s listener gets every committed entry of the open rooms, in the order of each room, in one call per commit,
 *   and before `append` resolves. Entries that other servers appended come the same way.
 * - The last 1,024 ids of each author and room are remembered: the same id with the same body is a `duplicate`, with
 *   another body `id-reused`. Neither is followed.
 * - The oldest entries may be forgotten, as the operator wishes. A position before them is then recognised by the `prev`
 *   of the first entry after it, which is not the position's `seq`, or by there being none though the room is further.
 */
export interface RoomLog {
  /** This server has members in the room: follow it. Resolves to the position of its newest entry. */
  open(room: string): Promise<Position>;
  /** The last member left: the room need not be followed. */
  release(room: string): Promise<void>;
  /**
   * All of the entries are stored, or none.
   *
   * @throws {RoomLogError} `busy`, `storage-full`, `read-only`, `io`, `failed`, `closed`.
   */
  append(entries: readonly NewEntry[]): Promise<readonly AppendResult[]>;
  read(room: string, options: ReadOptions): Promise<Page>;
  /** What the room's `set` entries come to: the last value of each key. Kept when those entries are forgotten. */
  state(room: string): Promise<ReadonlyMap<string, string>>;
  /**
   * The `chat` entries that have all the words of the query, oldest first; see {@link wordsOf}. The last word may be the
   * beginning of one.
   *
   * @throws {RoomLogError} `busy`, `timeout`.
   */
  search(room: string, query: string, options: SearchOptions): Promise<Page>;
  /** One listener per process. */
  follow(listener: (entries: readonly Entry[]) => void): void;
  /**
   * Stores what waits. Idempotent.
   *
   * @throws {RoomLogError} `timeout`: the first call's signal was aborted before that was done; the rest is given up.
   */
  close(options?: { readonly signal?: AbortSignal }): Promise<void>;
}
