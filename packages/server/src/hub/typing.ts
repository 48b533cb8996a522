import type { Person } from "./person.ts";

/** Shortest interval between two typing events of one member in one room, in milliseconds. */
const TYPING_MS = 3_000;

/** When each room was last told that a person is typing. Never stored; a person's entries go with the person. */
export class Typing {
  /** By person, then by room. */
  readonly #toldAt = new WeakMap<Person, Map<string, number>>();

  /** Whether to tell the room now. If so, records the time. */
  tells(person: Person, room: string, nowMs: number): boolean {
    let rooms = this.#toldAt.get(person);
    if (rooms === undefined) {
      rooms = new Map();
      this.#toldAt.set(person, rooms);
    }
    const toldAt = rooms.get(room);
    if (toldAt !== undefined && nowMs - toldAt < TYPING_MS) return false;
    // Remove rooms that the person has left.
    for (const told of rooms.keys()) if (!person.isIn(told)) rooms.delete(told);
    rooms.set(room, nowMs);
    return true;
  }
}
