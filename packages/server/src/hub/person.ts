import type { Name } from "../core/mod.ts";
import type { Client } from "./client.ts";

/**
 * Somebody with a name, on one connection or on several: rooms have one member of it, the registry one owner. It comes
 * with the connection that takes the name, and goes with its last one.
 */
export class Person implements Name {
  readonly text: string;
  readonly key: string;
  /** Owns the name in the registry. */
  readonly owner: string;
  readonly connections: Set<Client>;
  /** By room, how many of the connections are in it. */
  readonly #rooms = new Map<string, number>();

  /** Takes the name for a client, which the registry has given it. */
  constructor({ text, key }: Name, client: Client) {
    this.text = text;
    this.key = key;
    this.owner = client.id;
    this.connections = new Set([client]);
  }

  /** Rooms that any of the connections is in. */
  get roomCount(): number {
    return this.#rooms.size;
  }

  isIn(room: string): boolean {
    return this.#rooms.has(room);
  }

  /** One more connection is in the room. */
  enter(room: string): void {
    this.#rooms.set(room, (this.#rooms.get(room) ?? 0) + 1);
  }

  /** One connection less is there; true if it was the last. */
  leave(room: string): boolean {
    const rest = (this.#rooms.get(room) ?? 0) - 1;
    if (rest > 0) this.#rooms.set(room, rest);
    else this.#rooms.delete(room);
    return rest <= 0;
  }
}
