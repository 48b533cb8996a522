import type { Name, Position } from "../core/mod.ts";
import type { Client } from "./client.ts";
import type { RoomEvent } from "./events.ts";
import type { Outbox } from "./outbox.ts";
import type { WireFormat } from "./wire-format.ts";

/** A client in a room; `index` is its place in its group. */
export interface Member {
  readonly client: Client;
  /** The client's own: the fan-out gets there without a detour. */
  readonly outbox: Outbox;
  readonly format: WireFormat;
  index: number;
}

/** A room as this server sees it: its members here, grouped by how they are spoken to, and what they are to be told. */
export class Room {
  readonly name: Name;
  readonly groups: Map<WireFormat, Member[]> = new Map();
  /** The newest entry that went through here. */
  position: Position;
  /** What the log says of the room; a key that was taken away is empty. */
  readonly state: Map<string, string> = new Map();
  /** What happened and the members were not told yet. */
  pending: RoomEvent[] = [];
  /** Set while the members' turn waits for a commit: how many had ended before. */
  waitsSince: number | undefined;
  readonly #members = new Map<Client, Member>();

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

  has(client: Client): boolean {
    return this.#members.has(client);
  }

  add(client: Client): void {
    if (this.#members.has(client)) return;
    const { format } = client;
    let group = this.groups.get(format);
    if (group === undefined) {
      group = [];
      this.groups.set(format, group);
    }
    const member: Member = { client, outbox: client.outbox, format, index: group.length };
    group.push(member);
    this.#members.set(client, member);
  }

  /** Takes a client out; the last of its group takes its place, which the fan-out relies on. */
  remove(client: Client): void {
    const member = this.#members.get(client);
    if (member === undefined) return;
    this.#members.delete(client);
    const group = this.groups.get(member.format) as Member[];
    const last = group.pop() as Member;
    if (last !== member) {
      group[member.index] = last;
      last.index = member.index;
    }
    if (group.length === 0) this.groups.delete(member.format);
  }
}
