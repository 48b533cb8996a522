import { type Name, nameKey } from "../core/mod.ts";
import type { Connection } from "./connection.ts";
import type { Author } from "./ports/room-log.ts";
import type { RosterUser } from "./ports/roster.ts";

/** A user with connections to this node. */
export class User implements Name {
  readonly id: string;
  readonly connections: Set<Connection> = new Set();
  /** As the author of entries. */
  author: Author;
  #text: string;
  #key: string;

  constructor({ id, name }: RosterUser) {
    this.id = id;
    this.author = { id, name };
    this.#text = name;
    this.#key = nameKey(name);
  }

  /** The name as shown. */
  get text(): string {
    return this.#text;
  }

  get key(): string {
    return this.#key;
  }

  rename(name: string): void {
    this.author = { id: this.id, name };
    this.#text = name;
    this.#key = nameKey(name);
  }

  /** Whether a connection to this node is in the room. */
  isIn(room: string): boolean {
    for (const { session } of this.connections) if (session.rooms.has(room)) return true;
    return false;
  }
}
