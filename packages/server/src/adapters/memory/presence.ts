import type { Presence, PresenceChange } from "../../hub/mod.ts";

/** Who is in which room, on this one server. */
export class MemoryPresence implements Presence {
  /** By room: the names, by their lower-cased form, in the order of entering. */
  readonly #rooms = new Map<string, Map<string, string>>();
  #listener: ((change: PresenceChange) => void) | undefined;

  async enter(room: string, name: string, origin?: unknown): Promise<void> {
    let names = this.#rooms.get(room);
    if (names === undefined) {
      names = new Map();
      this.#rooms.set(room, names);
    }
    if (names.has(name.toLowerCase())) return;
    names.set(name.toLowerCase(), name);
    this.#listener?.({ room, name, state: "joined", origin });
  }

  async leave(room: string, name: string, origin?: unknown): Promise<void> {
    const names = this.#rooms.get(room);
    if (!names?.delete(name.toLowerCase())) return;
    if (names.size === 0) this.#rooms.delete(room);
    this.#listener?.({ room, name, state: "left", origin });
  }

  async members(room: string, limit: number): Promise<{ names: readonly string[]; count: number }> {
    const names = this.#rooms.get(room);
    return { names: names?.values().take(limit).toArray() ?? [], count: names?.size ?? 0 };
  }

  async rooms(limit: number): Promise<readonly { room: string; count: number }[]> {
    const rooms = Array.from(this.#rooms, ([room, names]) => ({ room, count: names.size }));
    return rooms.sort((a, b) => b.count - a.count || (a.room < b.room ? -1 : 1)).slice(0, limit);
  }

  follow(listener: (change: PresenceChange) => void): void {
    this.#listener = listener;
  }

  async close(): Promise<void> {
    this.#listener = undefined;
  }
}
