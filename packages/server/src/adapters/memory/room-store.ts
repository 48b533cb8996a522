import { randomBytes } from "node:crypto";
import { foldState, type RoomState, timeAfter } from "../../core/mod.ts";
import {
  type AppendResult,
  charactersOf,
  type Entry,
  type MessageEntry,
  type NewEntry,
  type OpenedRoom,
} from "../../hub/mod.ts";
import { RecentIds } from "./recent-ids.ts";

/** Entries kept per room. Up to twice as many at times. */
const ENTRIES_MAX = 10_000;
/** Most memory for all entries, in bytes: two for each UTF-16 unit and {@link ENTRY_BYTES} for each entry. */
const BYTES_MAX = 268_435_456;
const ENTRY_BYTES = 256;
/** Most empty rooms kept. Past this, the one that has been empty for longest is removed. */
const EMPTY_ROOMS_MAX = 10_000;

const NO_STATE: RoomState = new Map();

interface StoredRoom {
  readonly epoch: string;
  /** Oldest first. */
  entries: Entry[];
  /** The estimated memory of the entries. */
  bytes: number;
  lastSeq: number;
  lastAt: number;
  state: RoomState;
  stateSeq: number;
  readonly ids: RecentIds;
}

/** Receives the entries of each commit, of all rooms. */
export type RoomListener = (entries: readonly Entry[]) => void;

export interface MemoryRoomStoreOptions {
  /** Returns the time in milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
  /** Newest entries kept per room. Up to twice as many at times. @default 10000 */
  readonly entriesMax?: number | undefined;
  /** How long entries are kept, in milliseconds. @default no limit */
  readonly ageMs?: number | undefined;
  /**
   * Most memory for all entries, in bytes, as an estimate. Past this, the older halves of the largest rooms are
   * removed. @default 268435456
   */
  readonly bytesMax?: number | undefined;
}

/** The rooms of one or several nodes, in memory: their entries, state and recent ids. */
export class MemoryRoomStore {
  /** The epoch of rooms created from now on. */
  #epoch: string = newEpoch();
  readonly #rooms = new Map<string, StoredRoom>();
  /** How many nodes have each room open. */
  readonly #uses = new Map<string, number>();
  /** The stored rooms that no node has open, the longest empty first. */
  readonly #empty = new Set<string>();
  readonly #listeners = new Set<RoomListener>();
  readonly #now: () => number;
  readonly #entriesMax: number;
  readonly #ageMs: number;
  readonly #bytesMax: number;
  /** The estimated memory of all entries. */
  #bytes = 0;

  constructor({ now, entriesMax, ageMs, bytesMax }: MemoryRoomStoreOptions = {}) {
    this.#now = now ?? Date.now;
    this.#entriesMax = Math.min(entriesMax ?? ENTRIES_MAX, ENTRIES_MAX);
    this.#ageMs = ageMs ?? Number.POSITIVE_INFINITY;
    this.#bytesMax = bytesMax ?? BYTES_MAX;
  }

  listen(listener: RoomListener): void {
    this.#listeners.add(listener);
  }

  unlisten(listener: RoomListener): void {
    this.#listeners.delete(listener);
  }

  /** A node has the room open. Pair it with {@link release}. */
  use(key: string): void {
    this.#uses.set(key, (this.#uses.get(key) ?? 0) + 1);
    this.#empty.delete(key);
  }

  release(key: string): void {
    const uses = (this.#uses.get(key) ?? 1) - 1;
    if (uses > 0) {
      this.#uses.set(key, uses);
      return;
    }
    this.#uses.delete(key);
    if (!this.#rooms.has(key)) return;
    this.#empty.add(key);
    if (this.#empty.size <= EMPTY_ROOMS_MAX) return;
    const forgotten = this.#empty.values().next().value as string;
    this.#empty.delete(forgotten);
    this.#bytes -= this.#rooms.get(forgotten)?.bytes ?? 0;
    this.#rooms.delete(forgotten);
    // The room's numbers start again. A new epoch keeps a client from continuing at its old position.
    this.#epoch = newEpoch();
  }

  /** Returns a room's present position and state. */
  state(key: string): OpenedRoom {
    const room = this.#rooms.get(key);
    if (room === undefined) return { position: { epoch: this.#epoch, seq: 0 }, state: NO_STATE, stateSeq: 0 };
    const { epoch, lastSeq: seq, state, stateSeq } = room;
    return { position: { epoch, seq }, state, stateSeq };
  }

  /** Appends the entries and tells the listeners of all nodes. */
  append(entries: readonly NewEntry[]): readonly AppendResult[] {
    const committed: Entry[] = [];
    const results = entries.map((entry) => this.#append(entry, committed));
    if (committed.length > 0) for (const listener of this.#listeners) listener(committed);
    return results;
  }

  /** Returns the entries that the room keeps, after removing the ones that are too old. */
  entriesOf(key: string): readonly Entry[] {
    const room = this.#rooms.get(key);
    if (room === undefined) return [];
    if (this.#ageMs < Number.POSITIVE_INFINITY) {
      const untilAt = this.#now() - this.#ageMs;
      this.#forget(room, room.entries.findLastIndex(({ at }) => at < untilAt) + 1);
    }
    return room.entries;
  }

  #append(entry: NewEntry, committed: Entry[]): AppendResult {
    const room = this.#room(entry.room);
    const earlier = entry.id === undefined ? undefined : room.ids.get(entry.author.name, entry.id);
    if (earlier !== undefined) {
      if (!isSame(earlier, entry)) return { type: "id-reused" };
      return { type: "duplicate", seq: earlier.seq, at: earlier.at };
    }
    const { stateSeq } = room;
    if (entry.kind !== "message" && (entry.expectState ?? stateSeq) !== stateSeq) return { type: "conflict", stateSeq };
    const at = timeAfter(room.lastAt, this.#now());
    const stored = placed(entry, room.epoch, room.lastSeq + 1, room.lastSeq, at);
    room.lastSeq = stored.seq;
    room.lastAt = stored.at;
    room.entries.push(stored);
    const bytes = bytesOf(stored);
    room.bytes += bytes;
    this.#bytes += bytes;
    // Remove half at once: removing entries one by one would move all the others each time.
    if (room.entries.length >= 2 * this.#entriesMax) this.#forget(room, room.entries.length - this.#entriesMax);
    if (this.#bytes > this.#bytesMax) this.#makeRoom();
    if (stored.id !== undefined) room.ids.add(stored.id, stored);
    if (stored.kind === "set") {
      room.state = foldState(room.state, stored.changes);
      room.stateSeq = stored.seq;
    }
    const { origin } = entry;
    const told = origin === undefined ? stored : placed(entry, room.epoch, stored.seq, stored.prev, at, origin);
    committed.push(entry.kind === "message" && entry.isJson ? { ...(told as MessageEntry), isJson: true } : told);
    return { type: "appended", seq: stored.seq, at: stored.at };
  }

  #room(key: string): StoredRoom {
    let room = this.#rooms.get(key);
    if (room === undefined) {
      room = {
        epoch: this.#epoch,
        entries: [],
        bytes: 0,
        lastSeq: 0,
        lastAt: 0,
        state: NO_STATE,
        stateSeq: 0,
        ids: new RecentIds(),
      };
      this.#rooms.set(key, room);
    }
    return room;
  }

  /** Removes the older half of the largest rooms until a quarter of the memory is free. */
  #makeRoom(): void {
    for (const room of [...this.#rooms.values()].sort((a, b) => b.bytes - a.bytes)) {
      if (this.#bytes <= (this.#bytesMax * 3) / 4) return;
      this.#forget(room, Math.ceil(room.entries.length / 2));
    }
  }

  /** Removes the oldest entries, and their ids, which refer to them. */
  #forget(room: StoredRoom, count: number): void {
    if (count === 0) return;
    for (const entry of room.entries.slice(0, count)) {
      room.bytes -= bytesOf(entry);
      this.#bytes -= bytesOf(entry);
      room.ids.delete(entry);
    }
    room.entries = room.entries.slice(count);
  }
}

/** Returns the index of the first entry whose `seq` is greater. */
export function indexAfter(entries: readonly Entry[], seq: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as Entry).seq <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Returns the entry in its place, as stored, or with `origin` as followers get it. It copies field by field, which is
 * several times faster than a spread.
 */
function placed(entry: NewEntry, epoch: string, seq: number, prev: number, at: number, origin?: string): Entry {
  const { room, id, author } = entry;
  switch (entry.kind) {
    case "message":
      return { room, epoch, seq, prev, id, at, author, kind: "message", text: entry.text, origin };
    case "set":
      return { room, epoch, seq, prev, id, at, author, kind: "set", changes: entry.changes, origin };
    case "kick":
      return { room, epoch, seq, prev, id, at, author, kind: "kick", user: entry.user, reason: entry.reason, origin };
  }
}

function bytesOf(entry: Entry): number {
  return ENTRY_BYTES + 2 * charactersOf(entry);
}

function newEpoch(): string {
  return randomBytes(8).toString("hex");
}

/** Whether the entries have the same content. */
function isSame(a: NewEntry, b: NewEntry): boolean {
  if (a.kind === "message") return b.kind === "message" && a.text === b.text;
  if (a.kind === "kick") return b.kind === "kick" && a.user.id === b.user.id && a.reason === b.reason;
  return b.kind === "set" && isSameChange(a.changes, b.changes);
}

function isSameChange(a: RoomState, b: RoomState): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}
