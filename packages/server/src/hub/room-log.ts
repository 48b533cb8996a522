import type { Position } from "../core/mod.ts";

/** One line of a room's log. */
export interface Entry {
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
  readonly kind: "chat";
  /** The author, as shown. */
  readonly from: string;
  readonly body: string;
  /** The appender's own mark; not stored, and seen only by the process that appended. */
  readonly origin?: unknown;
}

/** What is appended; the log adds the rest. */
export type NewEntry = Pick<Entry, "room" | "id" | "kind" | "from" | "body" | "origin">;

/** What became of an entry: its place, its earlier place if it was there already, or why it was refused. */
export type AppendResult =
  | { readonly type: "appended"; readonly seq: number; readonly at: number }
  | { readonly type: "duplicate"; readonly seq: number; readonly at: number }
  | { readonly type: "id-reused" };

/** A stretch of a log, oldest first. */
export interface Page {
  readonly entries: readonly Entry[];
  /** There are more on the far side: newer ones if `after` was asked, older ones otherwise. */
  readonly more: boolean;
}

export interface ReadOptions {
  /** Entries after this `seq`. */
  readonly after?: number | undefined;
  /** Entries before this `seq`. */
  readonly before?: number | undefined;
  /** The newest of them, at most this many; with `after` and no `before` the oldest of them. */
  readonly limit: number;
}

/**
 * The rooms' logs: what a room is. Every method is asynchronous, so that a log can be on a disk or in another process.
 *
 * - What `append` resolved is committed: it survives whatever the adapter promises to survive.
 * - `follow`'s listener gets every committed entry of the open rooms, in the order of each room, in one call per commit,
 *   and before `append` resolves. Entries that other servers appended come the same way.
 * - The last 1,024 ids of each author and room are remembered: the same id with the same body is a `duplicate`, with
 *   another body `id-reused`. Neither is followed.
 */
export interface RoomLog {
  /** This server has members in the room: follow it. Resolves to the position of its newest entry. */
  open(room: string): Promise<Position>;
  /** The last member left: the room need not be followed. */
  release(room: string): Promise<void>;
  append(entries: readonly NewEntry[]): Promise<readonly AppendResult[]>;
  read(room: string, options: ReadOptions): Promise<Page>;
  /** One listener per process. */
  follow(listener: (entries: readonly Entry[]) => void): void;
  close(): Promise<void>;
}
