import type { Position } from "../core/mod.ts";

/** Most positions kept. Past this, the least recently changed one is evicted. */
const POSITIONS_MAX = 20_000;

/**
 * How far people have read rooms, by name and in memory. A position outlives the connection but not the process. A
 * new owner of a guest's name gets the guest's position.
 */
export class ReadPositions {
  readonly #positionsMax: number;
  /** The least recently changed first. */
  readonly #positions = new Map<string, Position>();

  constructor(positionsMax: number = POSITIONS_MAX) {
    this.#positionsMax = positionsMax;
  }

  /** Returns the last `seq` read, if it belongs to this log. */
  get(person: string, room: string, epoch: string): number | undefined {
    const position = this.#positions.get(keyOf(person, room));
    return position?.epoch === epoch ? position.seq : undefined;
  }

  /** Sets the position. Within one log it never moves back. */
  set(person: string, room: string, { epoch, seq }: Position): void {
    const key = keyOf(person, room);
    const before = this.get(person, room, epoch) ?? 0;
    this.#positions.delete(key);
    this.#positions.set(key, { epoch, seq: Math.max(before, seq) });
    if (this.#positions.size > this.#positionsMax)
      this.#positions.delete(this.#positions.keys().next().value as string);
  }
}

/** Names contain no space. */
function keyOf(person: string, room: string): string {
  return `${person} ${room}`;
}
