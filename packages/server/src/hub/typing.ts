import type { User } from "./user.ts";

/** Shortest interval between two typing events of one member in one room, in milliseconds. */
const TYPING_MS = 3_000;

/** When each room was last told that a user is typing. Never stored; a user's entries go with the user. */
export class Typing {
  /** By user, then by room. */
  readonly #toldAt = new WeakMap<User, Map<string, number>>();

  /** Whether to tell the room now. If so, records the time. */
  tells(user: User, room: string, nowMs: number): boolean {
    let rooms = this.#toldAt.get(user);
    if (rooms === undefined) {
      rooms = new Map();
      this.#toldAt.set(user, rooms);
    }
    const toldAt = rooms.get(room);
    if (toldAt !== undefined && nowMs - toldAt < TYPING_MS) return false;
    // Remove rooms that the user has left.
    for (const told of rooms.keys()) if (!user.isIn(told)) rooms.delete(told);
    rooms.set(room, nowMs);
    return true;
  }
}
