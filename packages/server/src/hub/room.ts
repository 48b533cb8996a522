import type { Name, Position } from "../core/mod.ts";
import type { Connection } from "./connection.ts";
import type { RoomEvent } from "./events.ts";
import type { Outbox } from "./outbox.ts";
import type { WireFormat } from "./wire-format.ts";

/** A client in a room. `index` is its place in its group. */
export interface Member {
  readonly connection: Connection;
  /** Same as `client.outbox`. A copy here saves the fan-out an indirection. */
  readonly outbox: Outbox;
  readonly format: WireFormat;
  index: number;
}

/** A room on this server: its local members, grouped by wire format, and its pending events. */
export class Room {
  readonly name: Name;
  readonly groups: Map<WireFormat, Member[]> = new Map();
  /** The position of the newest entry that this server delivered. */
  position: Position;
  /** The room's state from the log. A removed key has an empty value. */
  readonly state: Map<string, string> = new Map();
  /** Events not yet sent to the members. */
  pending: RoomEvent[] = [];
  /** Set while the room waits for a commit: the number of commits that had ended when the wait began. */
  waitsSince: number | undefined;
  readonly #members = new Map<Connection, Member>();

  constructor(name: Name, position: Position) {
    this.name = name;
    this.position = position;
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  get size(): number {
    return this.#members.size;
  }

  has(connection: Connection): boolean {
    return this.#members.has(connection);
  }

  add(connection: Connection): void {
    if (this.#members.has(connection)) return;
    const { format } = connection;
    let group = this.groups.get(format);
    if (group === undefined) {
      group = [];
      this.groups.set(format, group);
    }
    const member: Member = { connection, outbox: connection.outbox, format, index: group.length };
    group.push(member);
    this.#members.set(connection, member);
  }

  /** Moves a client to the group of its present format. */
  regroup(connection: Connection): void {
    if (!this.#members.has(connection)) return;
    this.remove(connection);
    this.add(connection);
  }

  /** Removes a client. The last of its group moves to its place; the fan-out's backward loop relies on that. */
  remove(connection: Connection): void {
    const member = this.#members.get(connection);
    if (member === undefined) return;
    this.#members.delete(connection);
    const group = this.groups.get(member.format) as Member[];
    const last = group.pop() as Member;
    if (last !== member) {
      group[member.index] = last;
      last.index = member.index;
    }
    if (group.length === 0) this.groups.delete(member.format);
  }
}
