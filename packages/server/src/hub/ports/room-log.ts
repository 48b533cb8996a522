import type { Position, RoomState } from "../../core/mod.ts";

/** A user who wrote an entry, or whom it is about. */
export interface Author {
  /** It never changes. */
  readonly id: string;
  /** The displayed name at the time of the entry. */
  readonly name: string;
}

/** The fields of every log entry. */
interface AnyEntry {
  /** The room's key. */
  readonly room: string;
  readonly epoch: string;
  /** Increases within the room. The adapter decides whether it is dense. */
  readonly seq: number;
  /** The `seq` of the previous entry in the room; 0 for the first. */
  readonly prev: number;
  /** The client's own id for the entry, unique per room and author. Authors are the same if their name keys are. */
  readonly id: string | undefined;
  /** The commit time, in milliseconds since 1970. */
  readonly at: number;
  readonly author: Author;
  /** The id of the connection that asked for the entry, unique over all nodes. Present for followers; not stored. */
  readonly origin?: string | undefined;
}

/** A chat message. */
export interface MessageEntry extends AnyEntry {
  readonly kind: "message";
  readonly text: string;
  /**
   * The text is the JSON of a value that is not a string. Not stored, and present only for followers: version 1
   * clients get the value itself, and they have no history.
   */
  readonly isJson?: true;
}

/** A change of the room's state, for example of its topic. */
export interface SetEntry extends AnyEntry {
  readonly kind: "set";
  /** The new values, which apply at once. An empty one removes the key. */
  readonly changes: RoomState;
}

/** Takes a user out of the room. The node that has the user's sessions does so. */
export interface KickEntry extends AnyEntry {
  readonly kind: "kick";
  readonly user: Author;
  readonly reason: string;
}

/** An entry of a room's log. */
export type Entry = MessageEntry | SetEntry | KickEntry;

/** The fields that the log adds to an entry. */
type Placed = "epoch" | "seq" | "prev" | "at";

interface Conditional {
  /** Appends only if this is the room's present `stateSeq`. @default no condition */
  readonly expectState?: number | undefined;
}

/** An entry to append. The log adds the other fields. */
export type NewEntry =
  | Omit<MessageEntry, Placed>
  | (Omit<SetEntry, Placed> & Conditional)
  | (Omit<KickEntry, Placed> & Conditional);

/**
 * The result for one entry.
 *
 * - `appended`: it has this position.
 * - `duplicate`: the id was used before for an entry with the same content, which has this position.
 * - `id-reused`: the id was used before for other content.
 * - `conflict`: the state is not the expected one. `duplicate` and `id-reused` are decided before.
 * - `unknown`: it may have been stored, or may still be. Appending it again with the same id tells. An entry that the
 *   follower of this node has got is never `unknown`.
 * - `failed`: it was not stored.
 */
export type AppendResult =
  | { readonly type: "appended"; readonly seq: number; readonly at: number }
  | { readonly type: "duplicate"; readonly seq: number; readonly at: number }
  | { readonly type: "id-reused" }
  | { readonly type: "conflict"; readonly stateSeq: number }
  | { readonly type: "unknown" }
  | { readonly type: "failed"; readonly error: RoomLogError };

/** The size of an entry's content, in UTF-16 units. */
export function charactersOf(entry: NewEntry): number {
  if (entry.kind === "message") return entry.text.length;
  if (entry.kind === "kick") return entry.user.name.length + entry.reason.length;
  let characters = 0;
  for (const [key, value] of entry.changes) characters += key.length + value.length;
  return characters;
}

/** An open room, at one moment. */
export interface OpenedRoom {
  /** The position of the newest entry. */
  readonly position: Position;
  readonly state: RoomState;
  /** The `seq` of the newest `set` entry; 0 if there was none. */
  readonly stateSeq: number;
}

/** Receives the entries of a node's open rooms. */
export interface Follower {
  /** Called once per commit, with the entries of all rooms that are open here, in each room's order. */
  entries(entries: readonly Entry[]): void;
  /** Called when entries are missing and the log cannot get them. `reason` is a text for the operator. */
  lost(room: string, reason: string): void;
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
  /** Largest sum of the contents' sizes, in UTF-16 units. One entry is returned at any size. @default no limit */
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
 * One node's view of the rooms' logs. Every method is asynchronous, so that a log can be on a disk or in another process.
 *
 * - An appended entry is committed. What it then survives depends on the adapter.
 * - Calls of `open` and `release` act in their order. The follower gets every entry after the position that `open`
 *   returns, once, whichever node appended it. It may get entries up to that position before `open` resolves.
 * - Results and the follower's entries may overtake each other.
 * - The log repairs gaps, also one that a result reveals. Where it cannot, the follower's `lost` is called, and the
 *   room must be opened again.
 * - The log remembers at least the last 1,024 ids of each author and room, for at least two minutes.
 * - The log may remove its oldest entries (retention), but not what they changed in the state. A client's position
 *   before them is then detected: the first entry after it has a `prev` other than the position's `seq`, or there is
 *   no entry although the room's position is later.
 */
export interface RoomLog {
  /** Follows a room, because this node has members in it. Opening an open room gives its present state. */
  open(room: string): Promise<OpenedRoom>;
  /** Stops following a room, because its last member left. */
  release(room: string): Promise<void>;
  /** Returns the result of each entry. Each is appended or not on its own. Never rejects. */
  append(entries: readonly NewEntry[]): Promise<readonly AppendResult[]>;
  read(room: string, options: ReadOptions): Promise<Page>;
  /** Sets the one follower of this node. */
  follow(follower: Follower): void;
  /**
   * Stores what is queued and closes the log. Idempotent.
   *
   * @throws {RoomLogError} `timeout` when the first call's signal was aborted before everything was stored. The rest
   *   is dropped.
   */
  close(options?: { readonly signal?: AbortSignal }): Promise<void>;
}
