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

  /** Takes the name for a client, which the registry has given it. */
  constructor({ text, key }: Name, client: Client) {
    this.text = text;
    this.key = key;
    this.owner = client.id;
    this.connections = new Set([client]);
  }

  /** Whether any of the connections is in the room. */
  isIn(room: string): boolean {
    for (const { session } of this.connections) if (session.rooms.has(room)) return true;
    return false;
  }
}
