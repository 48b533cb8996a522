import * as v from "valibot";
import type { Position } from "../../core/mod.ts";
import type { GuestStorage, Users } from "../../hub/mod.ts";

/** Most read positions. Past this, the oldest one of the user whose positions changed least recently is forgotten. */
const POSITIONS_MAX = 20_000;

/** Separates the user's id, which has no space, from the room's key. */
const SEPARATOR = " ";

/** A position as it is stored. It is checked when it is restored, because its file has no checksums. */
const StoredPosition = v.object({ epoch: v.string(), seq: v.pipe(v.number(), v.safeInteger(), v.minValue(0)) });

export interface MemoryUsersOptions {
  /** Most read positions. @default 20000 */
  readonly positionsMax?: number;
  /** Keeps the positions over a restart. @default they end with the process */
  readonly storage?: GuestStorage | undefined;
}

/** What is stored about users, in memory. Nodes of one process may share it. */
export class MemoryUsers implements Users {
  readonly #positionsMax: number;
  readonly #storage: GuestStorage | undefined;
  /** By user, then by room. The least recently changed first. */
  readonly #positions = new Map<string, Map<string, Position>>();
  #count = 0;

  constructor({ positionsMax = POSITIONS_MAX, storage }: MemoryUsersOptions = {}) {
    this.#positionsMax = positionsMax;
    this.#storage = storage;
    for (const [key, value] of storage?.load("read") ?? []) {
      const at = key.indexOf(SEPARATOR);
      const { success, output: position } = v.safeParse(StoredPosition, value);
      if (success && at > 0) this.#set(key.slice(0, at), key.slice(at + SEPARATOR.length), position);
      else storage?.set("read", key, undefined);
    }
  }

  async readPosition(user: string, room: string): Promise<Position | undefined> {
    return this.#positions.get(user)?.get(room);
  }

  async markRead(user: string, room: string, { epoch, seq }: Position): Promise<Position> {
    const before = this.#positions.get(user)?.get(room);
    const position = { epoch, seq: before?.epoch === epoch ? Math.max(before.seq, seq) : seq };
    this.#set(user, room, position);
    this.#storage?.set("read", `${user}${SEPARATOR}${room}`, position);
    return position;
  }

  async forget(user: string): Promise<void> {
    for (const room of this.#positions.get(user)?.keys() ?? []) this.#remove(user, room);
  }

  async close(): Promise<void> {}

  #set(user: string, room: string, position: Position): void {
    const rooms = this.#positions.get(user) ?? new Map<string, Position>();
    if (!rooms.delete(room)) this.#count += 1;
    rooms.set(room, position);
    this.#positions.delete(user);
    this.#positions.set(user, rooms);
    if (this.#count <= this.#positionsMax) return;
    const [oldest, itsRooms] = this.#positions.entries().next().value as [string, Map<string, Position>];
    this.#remove(oldest, itsRooms.keys().next().value as string);
  }

  #remove(user: string, room: string): void {
    const rooms = this.#positions.get(user) as Map<string, Position>;
    rooms.delete(room);
    if (rooms.size === 0) this.#positions.delete(user);
    this.#count -= 1;
    this.#storage?.set("read", `${user}${SEPARATOR}${room}`, undefined);
  }
}
