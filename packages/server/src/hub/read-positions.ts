import type { Position } from "../core/mod.ts";

/** Positions kept at a time; above, the one unchanged for longest is forgotten. */
const POSITIONS_MAX = 20_000;

/**
 * How far people have read rooms. By name and in memory: it outlives a connection, not the process, and whoever takes a
 * guest's name finds the guest's position.
 */
export class ReadPositions {
  readonly #positionsMax: number;
  /** The longest unchanged first. */
  readonly #positions = new Map<string, Position>();

  constructor(positionsMax: number = POSITIONS_MAX) {
    this.#positionsMax = positionsMax;
  }

  /** The last `seq` read, if it is of this log. */
  get(person: string, room: string, epoch: string): number | undefined {
    const position = this.#positions.get(keyOf(person, room));
    return position?.epoch === epoch ? position.seq : undefined;
  }

  /** Moves on; never back within one log. */
  set(person: string, room: string, { epoch, seq }: Position): void {
    const key = keyOf(person, room);
    const before = this.get(person, room, epoch) ?? 0;
    this.#positions.delete(key);
    this.#positions.set(key, { epoch, seq: Math.max(before, seq) });
    if (this.#positions.size > this.#positionsMax)
      this.#positions.delete(this.#positions.keys().next().value as string);
  }
}

/** No name has a space. */
function keyOf(person: string, room: string): string {
  return `${person} ${room}`;
}
