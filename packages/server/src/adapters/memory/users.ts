import type { Position } from "../../core/mod.ts";
import type { Users } from "../../hub/mod.ts";

/** Most read positions. Past this, the oldest one of the user whose positions changed least recently is forgotten. */
const POSITIONS_MAX = 20_000;

/** What is stored about users, in memory. Nodes of one process may share it. */
export class MemoryUsers implements Users {
  readonly #positionsMax: number;
  /** By user, then by room. The least recently changed first. */
  readonly #positions = new Map<string, Map<string, Position>>();
  #count = 0;

  constructor(positionsMax: number = POSITIONS_MAX) {
    this.#positionsMax = positionsMax;
  }

  async readPosition(user: string, room: string): Promise<Position | undefined> {
    return this.#positions.get(user)?.get(room);
  }

  async markRead(user: string, room: string, { epoch, seq }: Position): Promise<Position> {
    const rooms = this.#positions.get(user) ?? new Map<string, Position>();
    const before = rooms.get(room);
    const position = { epoch, seq: before?.epoch === epoch ? Math.max(before.seq, seq) : seq };
    if (!rooms.delete(room)) this.#count += 1;
    rooms.set(room, position);
    this.#positions.delete(user);
    this.#positions.set(user, rooms);
    if (this.#count > this.#positionsMax) this.#forgetOldest();
    return position;
  }

  async forget(user: string): Promise<void> {
    this.#count -= this.#positions.get(user)?.size ?? 0;
    this.#positions.delete(user);
  }

  async close(): Promise<void> {}

  #forgetOldest(): void {
    const [user, rooms] = this.#positions.entries().next().value as [string, Map<string, Position>];
    rooms.delete(rooms.keys().next().value as string);
    this.#count -= 1;
    if (rooms.size === 0) this.#positions.delete(user);
  }
}
