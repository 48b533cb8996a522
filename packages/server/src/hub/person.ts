import type { Name } from "../core/mod.ts";
import type { Connection } from "./connection.ts";

/**
 * A named user on one or more connections. It is one member in each room and one owner in the registry. It exists
 * from the claim of its name until its last connection is gone.
 */
export class Person implements Name {
  readonly text: string;
  readonly key: string;
  /** The owner of the name in the registry. */
  readonly owner: string;
  readonly connections: Set<Connection>;

  /** Creates the person after the registry granted the name to the client. */
  constructor({ text, key }: Name, connection: Connection) {
    this.text = text;
    this.key = key;
    this.owner = connection.id;
    this.connections = new Set([connection]);
  }

  /** Whether any of the connections is in the room. */
  isIn(room: string): boolean {
    for (const { session } of this.connections) if (session.rooms.has(room)) return true;
    return false;
  }
}
