import { nameKey } from "../../core/mod.ts";
import type { Presence, PresenceChange } from "../../hub/mod.ts";

/** The people in the rooms of one server, in memory. */
export class MemoryPresence implements Presence {
  /** For each room: its names by key, in the order of entering. */
  readonly #rooms = new Map<string, Map<string, string>>();
  /** The rooms of each size, in the order in which they reached it. */
  readonly #bySize = new Map<number, Set<string>>();
  #listener: ((change: PresenceChange) => void) | undefined;

  async enter(room: string, name: string, origin?: unknown): Promise<void> {
    let names = this.#rooms.get(room);
    if (names === undefined) {
      names = new Map();
      this.#rooms.set(room, names);
    }
    const key = nameKey(name);
    if (names.has(key)) return;
    names.set(key, name);
    this.#resized(room, names.size - 1, names.size);
    this.#listener?.({ room, name, state: "joined", origin });
  }

  async leave(room: string, name: string, origin?: unknown): Promise<void> {
    const names = this.#rooms.get(room);
    if (!names?.delete(nameKey(name))) return;
    if (names.size === 0) this.#rooms.delete(room);
    this.#resized(room, names.size + 1, names.size);
    this.#listener?.({ room, name, state: "left", origin });
  }

  async members(room: string, limit: number): Promise<{ names: readonly string[]; count: number }> {
    const names = this.#rooms.get(room);
    return { names: names?.values().take(limit).toArray() ?? [], count: names?.size ?? 0 };
  }

  async rooms(limit: number): Promise<readonly { room: string; count: number }[]> {
    // There may be many rooms but few sizes: n different sizes need at least n²/2 people.
    const sizes = [...this.#bySize.keys()].sort((a, b) => b - a);
    const rooms: { room: string; count: number }[] = [];
    for (const count of sizes) {
      for (const room of this.#bySize.get(count) as Set<string>) {
        if (rooms.length >= limit) return rooms;
        rooms.push({ room, count });
      }
    }
    return rooms;
  }

  follow(listener: (change: PresenceChange) => void): void {
    this.#listener = listener;
  }

  async close(): Promise<void> {
    this.#listener = undefined;
  }

  #resized(room: string, before: number, now: number): void {
    const others = this.#bySize.get(before);
    others?.delete(room);
    if (others?.size === 0) this.#bySize.delete(before);
    if (now === 0) return;
    const same = this.#bySize.get(now);
    if (same === undefined) this.#bySize.set(now, new Set([room]));
    else same.add(room);
  }
}
