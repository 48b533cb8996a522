import {
  type AppendResult,
  charactersOf,
  type Entry,
  type Follower,
  type Found,
  hasWords,
  limitPage,
  type NewEntry,
  type OpenedRoom,
  type Page,
  queryWords,
  type ReadOptions,
  type RoomLog,
  RoomLogError,
  type RoomSearch,
  type SearchOptions,
} from "../../hub/mod.ts";
import { indexAfter, MemoryRoomStore, type RoomListener } from "./room-store.ts";

/** One step of a search reads this many UTF-16 units of texts. Each entry counts {@link STEP_CHARACTERS_MIN} more. */
const STEP_CHARACTERS = 65_536;
const STEP_CHARACTERS_MIN = 64;

/**
 * The rooms' logs in memory, for tests and temporary servers. It is the simplest implementation of the contract. Several
 * nodes of one process can share the rooms: each has its own log on the same store.
 */
export class MemoryRoomLog implements RoomLog, RoomSearch {
  readonly #store: MemoryRoomStore;
  readonly #open = new Set<string>();
  #follower: Follower | undefined;
  readonly #listener: RoomListener = (entries) => this.#tell(entries);
  #isClosed = false;

  constructor(store: MemoryRoomStore = new MemoryRoomStore()) {
    this.#store = store;
    store.listen(this.#listener);
  }

  async open(room: string): Promise<OpenedRoom> {
    if (!this.#open.has(room)) {
      this.#open.add(room);
      this.#store.use(room);
    }
    return this.#store.state(room);
  }

  async release(room: string): Promise<void> {
    if (this.#open.delete(room)) this.#store.release(room);
  }

  async append(entries: readonly NewEntry[]): Promise<readonly AppendResult[]> {
    if (this.#isClosed) {
      const error = new RoomLogError("closed", "The log is closed");
      return entries.map(() => ({ type: "failed", error }));
    }
    return this.#store.append(entries);
  }

  async read(room: string, { after, before, limit, charactersMax }: ReadOptions): Promise<Page> {
    const entries = this.#store.entriesOf(room);
    const from = after === undefined ? 0 : indexAfter(entries, after);
    const to = before === undefined ? entries.length : indexAfter(entries, before - 1);
    const isNewest = after === undefined;
    // Take one more entry than requested, to know whether there are more.
    const stretch = isNewest
      ? entries.slice(Math.max(from, to - limit - 1), to).reverse()
      : entries.slice(from, Math.min(to, from + limit + 1));
    const { items, more } = limitPage(stretch, { limit, sizeMax: charactersMax, sizeOf: charactersOf });
    return { entries: isNewest ? items.reverse() : items, more };
  }

  async search(
    room: string,
    query: string,
    { before, limit, charactersMax = Number.POSITIVE_INFINITY }: SearchOptions,
  ): Promise<Found> {
    const entries = this.#store.entriesOf(room);
    const words = queryWords(query);
    const found: Entry[] = [];
    let charactersFound = 0;
    let charactersRead = 0;
    const newest = before === undefined ? entries.length : indexAfter(entries, before - 1);
    for (let i = newest - 1; i >= 0; i -= 1) {
      const entry = entries[i] as Entry;
      const characters = charactersOf(entry);
      charactersRead += STEP_CHARACTERS_MIN + characters;
      if (entry.kind === "message" && hasWords(entry.text, words)) {
        found.push(entry);
        charactersFound += characters;
      }
      const isFull = found.length >= limit || charactersFound > charactersMax || charactersRead >= STEP_CHARACTERS;
      if (isFull && i > 0) return { entries: found, before: entry.seq };
    }
    return { entries: found };
  }

  follow(follower: Follower): void {
    this.#follower = follower;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#follower = undefined;
    this.#store.unlisten(this.#listener);
    for (const room of this.#open) this.#store.release(room);
    this.#open.clear();
  }

  #tell(entries: readonly Entry[]): void {
    if (this.#follower === undefined) return;
    const followed = entries.filter((entry) => this.#open.has(entry.room));
    if (followed.length > 0) this.#follower.entries(followed);
  }
}
