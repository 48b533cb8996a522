import type { Name, Position } from "../core/mod.ts";
import type { Lease } from "./lease.ts";
import type { Author, KickEntry, RoomLog } from "./ports/room-log.ts";
import { Room } from "./room.ts";

/** Entries read at a time to find the kicks among lost ones. */
const PAGE_ENTRIES = 500;
/** How often a room is named, if other nodes change its state meanwhile. */
const NAMING_TRIES_MAX = 8;

/** The parts that {@link Rooms} uses. */
export interface RoomsOptions {
  readonly log: RoomLog;
  readonly lease: Lease;
  readonly report: (error: unknown) => void;
  /** Enforces a kick among lost entries. */
  readonly kick: (room: Room, entry: KickEntry) => void;
}

interface OpenRoom {
  readonly room: Room;
  /** Resolves when the room's position and state are known. */
  opened: Promise<void>;
  /** Members and joins under way. */
  uses: number;
}

/** The rooms with members on this node. The log follows each from its first use to its last. */
export class Rooms {
  readonly #log: RoomLog;
  readonly #lease: Lease;
  readonly #report: (error: unknown) => void;
  readonly #kick: (room: Room, entry: KickEntry) => void;
  readonly #open = new Map<string, OpenRoom>();
  /** The rooms that could not be opened again. */
  readonly #closed = new Set<Room>();
  /** The rooms that are behind a client, and whether they were so at the last call of {@link overdue}. */
  readonly #behind = new Map<Room, boolean>();

  constructor({ log, lease, report, kick }: RoomsOptions) {
    this.#log = log;
    this.#lease = lease;
    this.#report = report;
    this.#kick = kick;
  }

  get(key: string): Room | undefined {
    return this.#open.get(key)?.room;
  }

  /**
   * Opens the room or counts one more use. Pair it with {@link release}. A room that has no name in its log gets this
   * one, if there is an `author`.
   */
  async use(name: Name, author?: Author): Promise<Room> {
    let open = this.#open.get(name.key);
    if (open === undefined) {
      const room = new Room(name);
      open = { room, opened: this.#found(room, author), uses: 0 };
      this.#open.set(name.key, open);
    }
    open.uses += 1;
    try {
      await this.opened(open.room);
    } catch (error) {
      this.release(open.room);
      throw error;
    }
    return open.room;
  }

  /** Resolves when the room is open. It may have been lost meanwhile. */
  async opened(room: Room): Promise<void> {
    await this.#open.get(room.name.key)?.opened;
  }

  /**
   * Waits for the entries up to a position that a client knows from another node, if the log has them.
   *
   * @throws {RoomLogError} when the log cannot be read, or the room cannot be opened again.
   */
  async reach(room: Room, position: Position): Promise<void> {
    const { epoch, seq } = position;
    if (epoch !== room.position.epoch || seq <= room.position.seq) return;
    const { entries } = await this.#log.read(room.name.key, { after: seq - 1, limit: 1 });
    if (entries.length === 0) return;
    if (!this.#behind.has(room)) this.#behind.set(room, false);
    await room.reached(position);
  }

  /** Returns the rooms that have been behind a client since the last call. */
  overdue(): readonly Room[] {
    for (const room of this.#behind.keys()) if (!room.isAwaited) this.#behind.delete(room);
    const overdue = [...this.#behind].filter(([, isOverdue]) => isOverdue).map(([room]) => room);
    for (const room of this.#behind.keys()) this.#behind.set(room, true);
    return overdue;
  }

  /** Ends one use. After the last, the room is closed. */
  release(room: Room): void {
    const { key } = room.name;
    const open = this.#open.get(key);
    if (open === undefined) return;
    open.uses -= 1;
    if (open.uses > 0) return;
    this.#open.delete(key);
    this.#closed.delete(room);
    void this.#log.release(key).catch(this.#report);
  }

  /** Opens a room again after it lost entries. If the log fails, the room is one of {@link closed}. */
  async reopen(room: Room): Promise<void> {
    const open = this.#open.get(room.name.key);
    if (open?.room !== room) return;
    this.#closed.delete(room);
    open.opened = this.#follow(room);
    try {
      await open.opened;
    } catch (error) {
      if (this.get(room.name.key) === room) this.#closed.add(room);
      room.failed(error);
      this.#report(error);
    }
  }

  /** Returns the rooms that could not be opened again. */
  get closed(): ReadonlySet<Room> {
    return this.#closed;
  }

  /** Opens the room and gives it its name, unless another node does so first. */
  async #found(room: Room, author: Author | undefined): Promise<void> {
    await this.#follow(room);
    if (author === undefined) return;
    // Without a lease, the join that opens the room is about to fail.
    for (let tries = 0; tries < NAMING_TRIES_MAX && !room.state.has("name") && this.#lease.holds; tries += 1) {
      const { text, key } = room.name;
      const [result] = await this.#log.append([
        {
          room: key,
          id: undefined,
          kind: "set",
          author,
          changes: new Map([["name", text]]),
          expectState: room.stateSeq,
        },
      ]);
      // Without a place to store it, the name is this one as long as the room is open here.
      if (result?.type !== "appended" && result?.type !== "conflict") return;
      const seq = result.type === "appended" ? result.seq : result.stateSeq;
      if (room.stateSeq >= seq) continue;
      room.lose();
      await this.#follow(room);
    }
  }

  async #follow(room: Room): Promise<void> {
    const { key } = room.name;
    const before = room.position;
    do {
      const opened = await this.#log.open(key);
      const { epoch, seq } = opened.position;
      const kicks = epoch === before.epoch ? await this.#kicks(key, before.seq, seq + 1) : [];
      room.enter(opened);
      // Now, as the next joins are after these kicks.
      for (const kick of kicks) this.#kick(room, kick);
    } while (room.isOpening && this.get(key) === room);
  }

  /** Returns the kicks between two positions. The members get the other entries when they rejoin. */
  async #kicks(key: string, from: number, before: number): Promise<readonly KickEntry[]> {
    const kicks: KickEntry[] = [];
    for (let after = from, more = true; more; ) {
      const page = await this.#log.read(key, { after, before, limit: PAGE_ENTRIES });
      for (const entry of page.entries) if (entry.kind === "kick") kicks.push(entry);
      after = page.entries.at(-1)?.seq ?? before;
      more = page.more;
    }
    return kicks;
  }
}
