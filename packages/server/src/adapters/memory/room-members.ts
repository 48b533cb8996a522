import type { MemberPage, RosterUser } from "../../hub/mod.ts";

/** The members of all rooms, and the rooms by size. */
export class RoomMembers {
  /** By room, then by user id. */
  readonly #rooms = new Map<string, Map<string, RosterUser>>();
  readonly #bySize = new Map<number, Set<string>>();

  add(room: string, user: RosterUser): void {
    let members = this.#rooms.get(room);
    if (members === undefined) {
      members = new Map();
      this.#rooms.set(room, members);
    }
    members.set(user.id, user);
    this.#resized(room, members.size - 1, members.size);
  }

  remove(room: string, user: RosterUser): void {
    const members = this.#rooms.get(room) as Map<string, RosterUser>;
    members.delete(user.id);
    if (members.size === 0) this.#rooms.delete(room);
    this.#resized(room, members.size + 1, members.size);
  }

  page(room: string, limit: number): MemberPage {
    // Copies, because a user may be renamed later.
    const users = this.#rooms.get(room);
    const members = users?.values().take(limit);
    return { members: members?.map(({ id, name }) => ({ id, name })).toArray() ?? [], count: users?.size ?? 0 };
  }

  /** Returns the largest rooms. */
  largest(limit: number): readonly { readonly room: string; readonly count: number }[] {
    // There may be many rooms but few sizes: n different sizes need at least n²/2 members.
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
