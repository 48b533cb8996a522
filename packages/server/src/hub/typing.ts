import type { Person } from "./person.ts";

/** A room is told at most this often that one member is writing, in milliseconds. */
const TYPING_MS = 3_000;

/** Whom rooms were told to be writing, and when: never stored, and forgotten with the person. */
export class Typing {
  /** By person, then room. */
  readonly #toldAt = new WeakMap<Person, Map<string, number>>();

  /** Whether the room should be told; if so, it counts as told. */
  tells(person: Person, room: string, nowMs: number): boolean {
    let rooms = this.#toldAt.get(person);
    if (rooms === undefined) {
      rooms = new Map();
      this.#toldAt.set(person, rooms);
    }
    const toldAt = rooms.get(room);
    if (toldAt !== undefined && nowMs - toldAt < TYPING_MS) return false;
    // Rooms that were left need not be remembered.
    for (const told of rooms.keys()) if (!person.isIn(told)) rooms.delete(told);
    rooms.set(room, nowMs);
    return true;
  }
}
