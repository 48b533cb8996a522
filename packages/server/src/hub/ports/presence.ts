/** A person entered or left a room. */
export interface PresenceChange {
  /** The room's key. */
  readonly room: string;
  /** The person's displayed name. */
  readonly name: string;
  readonly state: "joined" | "left";
  /** Set by the caller of `enter` or `leave`. Present only in the process that made the change. */
  readonly origin?: unknown;
}

/**
 * Which people are in which room, by name, across all servers. Changes of one room happen in the order of the calls.
 *
 * `members` and `rooms` return a snapshot of the moment of the call: it has all changes that `follow` delivered
 * before, and no others. A client that applies later changes to such a snapshot always knows who is in the room.
 */
export interface Presence {
  /** Does nothing if the name is already in the room. */
  enter(room: string, name: string, origin?: unknown): Promise<void>;
  leave(room: string, name: string, origin?: unknown): Promise<void>;
  /** Returns the first `limit` names, in the order of entering, and the number of all. */
  members(room: string, limit: number): Promise<{ readonly names: readonly string[]; readonly count: number }>;
  /**
   * Returns the rooms with the most members, at most `limit`. Of equal ones, those that reached their size first come
   * first. It is called often, so its cost must not depend on the number of rooms.
   */
  rooms(limit: number): Promise<readonly { readonly room: string; readonly count: number }[]>;
  /** Sets the one listener of this process. It is called before `enter` or `leave` resolves. */
  follow(listener: (change: PresenceChange) => void): void;
  close(): Promise<void>;
}
