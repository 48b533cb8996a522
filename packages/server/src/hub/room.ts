import { foldState, type Name, type Position, type RoomState } from "../core/mod.ts";
import type { Connection } from "./connection.ts";
import type { RoomEvent } from "./events.ts";
import type { Outbox } from "./outbox.ts";
import type { Entry, OpenedRoom, SetEntry } from "./ports/room-log.ts";
import type { WireFormat } from "./wire-format.ts";

/** A client in a room. `index` is its place in its group. */
export interface Member {
  readonly connection: Connection;
  /** Same as `client.outbox`. A copy here saves the fan-out an indirection. */
  readonly outbox: Outbox;
  readonly format: WireFormat;
  index: number;
  /** The room's position at its last join. */
  since: number;
}

/** What is known of a room while it is opened: the last unbroken run of entries that arrived meanwhile. */
interface Opening {
  epoch: string;
  /** The run is after this `seq` and ends at `to`. */
  from: number;
  to: number;
  readonly changes: SetEntry[];
  /** Entries were lost meanwhile, so that the room must be opened once more. */
  isLost: boolean;
}

/** A room on this node: its place in the log, its local members, grouped by wire format, and its pending events. */
export class Room {
  readonly groups: Map<WireFormat, Member[]> = new Map();
  /** The position of the newest entry that arrived. */
  position: Position = { epoch: "", seq: 0 };
  /** The state at the position. */
  state: RoomState = new Map();
  /** The `seq` of the newest entry that changed the state. */
  stateSeq = 0;
  /** The `seq` at which the room was last opened. Only later entries arrive. */
  openedSeq = 0;
  /** Events not yet sent to the members. */
  pending: RoomEvent[] = [];
  /** Set while the room waits for a commit: the number of commits that had ended when the wait began. */
  waitsSince: number | undefined;
  readonly #members = new Map<Connection, Member>();
  /** What waits until the room has reached a position. */
  #awaited: (Position & { readonly resolve: () => void; readonly reject: (error: unknown) => void })[] = [];
  #name: Name;
  #opening: Opening | undefined = newOpening();

  constructor(name: Name) {
    this.#name = name;
  }

  /** The name as first spelled in its log. A room without any entry has the spelling of its first member here. */
  get name(): Name {
    return this.#name;
  }

  /** Whether the log has not answered `open` yet, so that position and state are not known. */
  get isOpening(): boolean {
    return this.#opening !== undefined;
  }

  /** Whether {@link reached} waits. */
  get isAwaited(): boolean {
    return this.#awaited.length > 0;
  }

  /** Resolves when the room has reached this position, or has another epoch. */
  reached({ epoch, seq }: Position): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#awaited.push({ epoch, seq, resolve, reject });
      this.#moved();
    });
  }

  /** The room could not be opened. Rejects what waits in {@link reached}. */
  failed(error: unknown): void {
    for (const { reject } of this.#awaited.splice(0)) reject(error);
  }

  /** Entries were lost: position and state are no longer known. */
  lose(): void {
    if (this.#opening === undefined) this.#opening = newOpening();
    else this.#opening.isLost = true;
  }

  /** The log was opened. The room stays opening if entries were lost meanwhile. */
  enter({ position, state, stateSeq }: OpenedRoom): void {
    const { epoch, from, to, changes, isLost } = this.#opening ?? newOpening();
    const hasMore = epoch === position.epoch && to > position.seq;
    const isWhole = !isLost && (!hasMore || from <= position.seq);
    this.#opening = isWhole ? undefined : newOpening();
    if (!isWhole) return;
    this.position = hasMore ? { epoch, seq: to } : position;
    this.openedSeq = position.seq;
    this.#changeState(state, stateSeq);
    for (const change of changes) if (change.seq > position.seq) this.#fold(change);
    if (this.isAwaited) this.#moved();
  }

  /**
   * Moves to an entry that arrived. Returns `next` for a new one, `again` for one that arrived before, and `gap` if
   * entries before it are missing; then the room does not move.
   */
  arrive(entry: Entry): "next" | "again" | "gap" {
    const { epoch, seq } = this.position;
    if (this.#opening !== undefined) {
      if (entry.epoch === epoch && entry.seq <= seq) return "again";
      return this.#arriveEarly(this.#opening, entry);
    }
    if (entry.prev !== seq || entry.epoch !== epoch) return entry.epoch === epoch && entry.seq <= seq ? "again" : "gap";
    this.position = entry;
    if (entry.kind === "set") this.#fold(entry);
    if (this.isAwaited) this.#moved();
    return "next";
  }

  #moved(): void {
    if (this.isOpening) return;
    const { epoch, seq } = this.position;
    const awaited = this.#awaited;
    this.#awaited = awaited.filter((each) => each.epoch === epoch && each.seq > seq);
    for (const each of awaited) if (each.epoch !== epoch || each.seq <= seq) each.resolve();
  }

  #arriveEarly(opening: Opening, entry: Entry): "next" | "again" {
    // The members got the run, so an older entry has no place any more.
    if (entry.epoch === opening.epoch && entry.seq <= opening.to) return "again";
    if (entry.epoch !== opening.epoch || entry.prev !== opening.to) {
      opening.epoch = entry.epoch;
      opening.from = entry.prev;
      opening.changes.length = 0;
    }
    opening.to = entry.seq;
    if (entry.kind === "set") opening.changes.push(entry);
    return "next";
  }

  #fold({ changes, seq }: SetEntry): void {
    this.#changeState(foldState(this.state, changes), seq);
  }

  #changeState(state: RoomState, stateSeq: number): void {
    this.state = state;
    this.stateSeq = stateSeq;
    const text = state.get("name");
    if (text !== undefined && text !== this.#name.text) this.#name = { text, key: this.#name.key };
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

  /** Whether the connection is a member, and last joined before this `seq`. */
  isSince(connection: Connection, seq: number): boolean {
    const member = this.#members.get(connection);
    return member !== undefined && member.since < seq;
  }

  /** Adds a member, or notes that it joined again. */
  add(connection: Connection): void {
    const { seq: since } = this.position;
    const known = this.#members.get(connection);
    if (known !== undefined) {
      known.since = since;
      return;
    }
    const { format } = connection;
    let group = this.groups.get(format);
    if (group === undefined) {
      group = [];
      this.groups.set(format, group);
    }
    const member: Member = { connection, outbox: connection.outbox, format, index: group.length, since };
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

function newOpening(): Opening {
  return { epoch: "", from: 0, to: 0, changes: [], isLost: false };
}
