/** Somebody entered or left a room. */
export interface PresenceChange {
  /** The room's key. */
  readonly room: string;
  /** The person's name, as shown. */
  readonly name: string;
  readonly state: "joined" | "left";
  /** The changer's own mark; seen only by the process that made the change. */
  readonly origin?: unknown;
}

/**
 * Who is in which room, over all servers, by name. Changes of one room happen in the order of the calls.
 *
 * `members` and `rooms` answer as of the moment of the call: with all changes that `follow` has told by then, and no others. So
 * who lists a room, and is told its changes from that moment on, knows at any time who is in it.
 */
export interface Presence {
  /** Nothing happens where the name is in already. */
  enter(room: string, name: string, origin?: unknown): Promise<void>;
  leave(room: string, name: string, origin?: unknown): Promise<void>;
  /** The first `limit` names, in the order of entering, and how many there are. */
  members(room: string, limit: number): Promise<{ readonly names: readonly string[]; readonly count: number }>;
  /**
   * The rooms with the most members, at most `limit`; of equal ones first those that have been so for longest. Asked often,
   * whatever the number of rooms.
   */
  rooms(limit: number): Promise<readonly { readonly room: string; readonly count: number }[]>;
  /** One listener per process; it is called before `enter` or `leave` resolves. */
  follow(listener: (change: PresenceChange) => void): void;
  close(): Promise<void>;
}
