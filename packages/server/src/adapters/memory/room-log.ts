import { randomBytes } from "node:crypto";
import type { Position } from "../../core/mod.ts";
import type { AppendResult, Entry, NewEntry, Page, ReadOptions, RoomLog } from "../../hub/mod.ts";

/** Entries that a room keeps; the oldest are forgotten. */
const ENTRIES_MAX = 10_000;
/** Ids that are remembered of each author and room. */
const IDS_MAX = 1_024;
/** Authors whose ids a room remembers; those who wrote first are forgotten. */
const AUTHORS_MAX = 1_024;
/** Rooms that are kept with nobody in them; the longest empty are forgotten. */
const EMPTY_ROOMS_MAX = 10_000;

interface StoredRoom {
  /** Oldest first. */
  entries: Entry[];
  lastSeq: number;
  lastAt: number;
  /** By author, then id: where the entry is. */
  readonly ids: Map<string, Map<string, Entry>>;
}

/** The rooms' logs in memory: for tests and throw-away servers, and the clearest reading of the contract. */
export class MemoryRoomLog implements RoomLog {
  readonly #epoch: string = randomBytes(8).toString("hex");
  readonly #rooms = new Map<string, StoredRoom>();
  readonly #open = new Set<string>();
  readonly #now: () => number;
  #listener: ((entries: readonly Entry[]) => void) | undefined;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  async open(room: string): Promise<Position> {
    this.#open.add(room);
    return { epoch: this.#epoch, seq: this.#rooms.get(room)?.lastSeq ?? 0 };
  }

  async release(room: string): Promise<void> {
    this.#open.delete(room);
    const stored = this.#rooms.get(room);
    if (stored === undefined) return;
    // Moved to the end, so that the first empty room of the map is the longest empty one.
    this.#rooms.delete(room);
    this.#rooms.set(room, stored);
    if (this.#rooms.size - this.#open.size <= EMPTY_ROOMS_MAX) return;
    for (const key of this.#rooms.keys()) {
      if (this.#open.has(key)) continue;
      this.#rooms.delete(key);
      break;
    }
  }

  async append(entries: readonly NewEntry[]): Promise<readonly AppendResult[]> {
    const committed: Entry[] = [];
    const results = entries.map((entry) => this.#append(entry, committed));
    const followed = committed.filter((entry) => this.#open.has(entry.room));
    if (followed.length > 0) this.#listener?.(followed);
    return results;
  }

  async read(room: string, { after, before, limit }: ReadOptions): Promise<Page> {
    const entries = this.#rooms.get(room)?.entries ?? [];
    const from = after === undefined ? 0 : indexAfter(entries, after);
    const to = before === undefined ? entries.length : indexAfter(entries, before - 1);
    const count = Math.max(0, Math.min(limit, to - from));
    const start = after === undefined ? to - count : from;
    const isCut = count < to - from;
    // Whatever was forgotten is older than all that is kept.
    const hasOlder = (entries[start]?.prev ?? 0) > 0;
    return { entries: entries.slice(start, start + count), more: after === undefined ? isCut || hasOlder : isCut };
  }

  follow(listener: (entries: readonly Entry[]) => void): void {
    this.#listener = listener;
  }

  async close(): Promise<void> {
    this.#listener = undefined;
  }

  #append(entry: NewEntry, committed: Entry[]): AppendResult {
    const room = this.#room(entry.room);
    const ids = entry.id === undefined ? undefined : idsOf(room, entry.from);
    const earlier = entry.id === undefined ? undefined : ids?.get(entry.id);
    if (earlier !== undefined) {
      if (earlier.body !== entry.body) return { type: "id-reused" };
      return { type: "duplicate", seq: earlier.seq, at: earlier.at };
    }
    const stored: Entry = {
      room: entry.room,
      epoch: this.#epoch,
      seq: room.lastSeq + 1,
      prev: room.lastSeq,
      id: entry.id,
      // A clock that jumps back does not reorder a room.
      at: Math.max(this.#now(), room.lastAt),
      kind: entry.kind,
      from: entry.from,
      body: entry.body,
    };
    room.lastSeq = stored.seq;
    room.lastAt = stored.at;
    room.entries.push(stored);
    // Twice the number, then half at once: forgetting one by one would move all the others each time.
    if (room.entries.length >= 2 * ENTRIES_MAX) room.entries = room.entries.slice(-ENTRIES_MAX);
    if (ids !== undefined && stored.id !== undefined) {
      ids.set(stored.id, stored);
      if (ids.size > IDS_MAX) ids.delete(ids.keys().next().value as string);
    }
    committed.push(entry.origin === undefined ? stored : { ...stored, origin: entry.origin });
    return { type: "appended", seq: stored.seq, at: stored.at };
  }

  #room(key: string): StoredRoom {
    let room = this.#rooms.get(key);
    if (room === undefined) {
      room = { entries: [], lastSeq: 0, lastAt: 0, ids: new Map() };
      this.#rooms.set(key, room);
    }
    return room;
  }
}

function idsOf(room: StoredRoom, author: string): Map<string, Entry> {
  let ids = room.ids.get(author);
  if (ids === undefined) {
    ids = new Map();
    room.ids.set(author, ids);
    if (room.ids.size > AUTHORS_MAX) room.ids.delete(room.ids.keys().next().value as string);
  }
  return ids;
}

/** The index of the first entry whose `seq` is above the given one. */
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
