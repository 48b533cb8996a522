import { randomBytes } from "node:crypto";
import type { Position } from "../../core/mod.ts";
import {
  type AppendResult,
  type Entry,
  type Found,
  fitting,
  hasWords,
  type NewEntry,
  type Page,
  queryWords,
  type ReadOptions,
  type RoomLog,
  type RoomSearch,
  type SearchOptions,
  timeAfter,
} from "../../hub/mod.ts";
import { RecentIds } from "./recent-ids.ts";

/** Entries kept per room. Up to twice as many at times. */
const ENTRIES_MAX = 10_000;
/** Most memory for all entries, in bytes: two for each UTF-16 unit and {@link ENTRY_BYTES} for each entry. */
const BYTES_MAX = 268_435_456;
const ENTRY_BYTES = 256;
/** One step of a search reads this many UTF-16 units of texts. Each entry counts {@link STEP_CHARACTERS_MIN} more. */
const STEP_CHARACTERS = 262_144;
const STEP_CHARACTERS_MIN = 64;
/** Most empty rooms kept. Past this, the one that has been empty for longest is removed. */
const EMPTY_ROOMS_MAX = 10_000;

interface StoredRoom {
  readonly epoch: string;
  /** Oldest first. */
  entries: Entry[];
  /** The estimated memory of the entries. */
  bytes: number;
  lastSeq: number;
  lastAt: number;
  readonly ids: RecentIds;
  readonly state: Map<string, string>;
}

export interface MemoryRoomLogOptions {
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

/** The rooms' logs in memory, for tests and temporary servers. It is the simplest implementation of the contract. */
export class MemoryRoomLog implements RoomLog, RoomSearch {
  /** The epoch of rooms created from now on. */
  #epoch: string = newEpoch();
  readonly #rooms = new Map<string, StoredRoom>();
  readonly #open = new Set<string>();
  /** The stored rooms that are not open, the longest empty first. */
  readonly #empty = new Set<string>();
  readonly #now: () => number;
  readonly #entriesMax: number;
  readonly #ageMs: number;
  readonly #bytesMax: number;
  /** The estimated memory of all entries. */
  #bytes = 0;
  #listener: ((entries: readonly Entry[]) => void) | undefined;

  constructor({ now, entriesMax, ageMs, bytesMax }: MemoryRoomLogOptions = {}) {
    this.#now = now ?? Date.now;
    this.#entriesMax = Math.min(entriesMax ?? ENTRIES_MAX, ENTRIES_MAX);
    this.#ageMs = ageMs ?? Number.POSITIVE_INFINITY;
    this.#bytesMax = bytesMax ?? BYTES_MAX;
  }

  async open(room: string): Promise<Position> {
    this.#open.add(room);
    this.#empty.delete(room);
    const { epoch, lastSeq: seq } = this.#rooms.get(room) ?? { epoch: this.#epoch, lastSeq: 0 };
    return { epoch, seq };
  }

  async release(room: string): Promise<void> {
    this.#open.delete(room);
    if (!this.#rooms.has(room)) return;
    this.#empty.add(room);
    if (this.#empty.size <= EMPTY_ROOMS_MAX) return;
    const forgotten = this.#empty.values().next().value as string;
    this.#empty.delete(forgotten);
    this.#bytes -= this.#rooms.get(forgotten)?.bytes ?? 0;
    this.#rooms.delete(forgotten);
    // The room's numbers start again. A new epoch keeps a client from continuing at its old position.
    this.#epoch = newEpoch();
  }

  async append(entries: readonly NewEntry[]): Promise<readonly AppendResult[]> {
    const committed: Entry[] = [];
    const results = entries.map((entry) => this.#append(entry, committed));
    const followed = committed.filter((entry) => this.#open.has(entry.room));
    if (followed.length > 0) this.#listener?.(followed);
    return results;
  }

  async read(room: string, { after, before, limit, charactersMax }: ReadOptions): Promise<Page> {
    const entries = this.#entriesOf(room);
    const from = after === undefined ? 0 : indexAfter(entries, after);
    const to = before === undefined ? entries.length : indexAfter(entries, before - 1);
    const isNewest = after === undefined;
    // Take one more entry than requested, to know whether there are more.
    const stretch = isNewest
      ? entries.slice(Math.max(from, to - limit - 1), to).reverse()
      : entries.slice(from, Math.min(to, from + limit + 1));
    const { items, more } = fitting(stretch, { limit, sizeMax: charactersMax, sizeOf: charactersOf });
    return { entries: isNewest ? items.reverse() : items, more };
  }

  async state(room: string): Promise<ReadonlyMap<string, string>> {
    return new Map(this.#rooms.get(room)?.state);
  }

  async search(
    room: string,
    query: string,
    { before, limit, charactersMax = Number.POSITIVE_INFINITY }: SearchOptions,
  ): Promise<Found> {
    const entries = this.#entriesOf(room);
    const words = queryWords(query);
    const found: Entry[] = [];
    let charactersFound = 0;
    let charactersRead = 0;
    const newest = before === undefined ? entries.length : indexAfter(entries, before - 1);
    for (let i = newest - 1; i >= 0; i -= 1) {
      const entry = entries[i] as Entry;
      charactersRead += STEP_CHARACTERS_MIN + entry.body.length;
      if (entry.kind === "chat" && hasWords(entry.body, words)) {
        found.push(entry);
        charactersFound += entry.body.length;
      }
      const isFull = found.length >= limit || charactersFound > charactersMax || charactersRead >= STEP_CHARACTERS;
      if (isFull && i > 0) return { entries: found, before: entry.seq };
    }
    return { entries: found };
  }

  follow(listener: (entries: readonly Entry[]) => void): void {
    this.#listener = listener;
  }

  async close(): Promise<void> {
    this.#listener = undefined;
  }

  #append(entry: NewEntry, committed: Entry[]): AppendResult {
    const room = this.#room(entry.room);
    const earlier = entry.id === undefined ? undefined : room.ids.get(entry.from, entry.id);
    if (earlier !== undefined) {
      if (!isSame(earlier, entry)) return { type: "id-reused" };
      return { type: "duplicate", seq: earlier.seq, at: earlier.at };
    }
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
      if (stored.body === "") room.state.delete(stored.key);
      else room.state.set(stored.key, stored.body);
    }
    const { origin } = entry;
    const told = origin === undefined ? stored : placed(entry, room.epoch, stored.seq, stored.prev, at, origin);
    committed.push(told.kind === "chat" && entry.kind === "chat" && entry.isJson ? { ...told, isJson: true } : told);
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
        ids: new RecentIds(),
        state: new Map(),
      };
      this.#rooms.set(key, room);
    }
    return room;
  }

  /** Returns the entries that the room keeps, after removing the ones that are too old. */
  #entriesOf(key: string): readonly Entry[] {
    const room = this.#rooms.get(key);
    if (room === undefined) return [];
    if (this.#ageMs < Number.POSITIVE_INFINITY) {
      const untilAt = this.#now() - this.#ageMs;
      this.#forget(room, room.entries.findLastIndex(({ at }) => at < untilAt) + 1);
    }
    return room.entries;
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

/** Copies field by field, which is several times faster than a spread. Stored entries have no `origin`. */
function placed(entry: NewEntry, epoch: string, seq: number, prev: number, at: number, origin?: unknown): Entry {
  const { room, id, from, body } = entry;
  if (entry.kind === "chat") return { room, epoch, seq, prev, id, at, kind: "chat", from, body, origin };
  return { room, epoch, seq, prev, id, at, kind: "set", from, key: entry.key, body, origin };
}

function bytesOf({ body }: Entry): number {
  return ENTRY_BYTES + 2 * body.length;
}

function charactersOf({ body }: Entry): number {
  return body.length;
}

function newEpoch(): string {
  return randomBytes(8).toString("hex");
}

function isSame(a: NewEntry, b: NewEntry): boolean {
  return a.body === b.body && (a.kind === "set" ? a.key : undefined) === (b.kind === "set" ? b.key : undefined);
}

/** Returns the index of the first entry whose `seq` is greater. */
function indexAfter(entries: readonly Entry[], seq: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as Entry).seq <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
