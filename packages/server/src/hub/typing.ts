import type { Client } from "./client.ts";

/** A room is told at most this often that one member is writing, in milliseconds. */
const TYPING_MS = 3_000;

/** Whom rooms were told to be writing, and when: never stored, and forgotten with the client. */
export class Typing {
  /** By client, then room. */
  readonly #toldAt = new WeakMap<Client, Map<string, number>>();

  /** Whether the room should be told; if so, it counts as told. */
  tells(client: Client, room: string, nowMs: number): boolean {
    let rooms = this.#toldAt.get(client);
    if (rooms === undefined) {
      rooms = new Map();
      this.#toldAt.set(client, rooms);
    }
    const toldAt = rooms.get(room);
    if (toldAt !== undefined && nowMs - toldAt < TYPING_MS) return false;
    if (rooms.size >= client.session.rooms.size) forgetOthers(rooms, client);
    rooms.set(room, nowMs);
    return true;
  }
}

/** Rooms that were left need not be remembered. */
function forgetOthers(rooms: Map<string, number>, client: Client): void {
  for (const room of rooms.keys()) if (!client.session.rooms.has(room)) rooms.delete(room);
}
