import { nameKey } from "@landline/protocol";
import type { Name } from "./names.ts";

/** What the rules know about one client: its user and its rooms. Only its owner, the hub, changes it. */
export interface Session<User extends Name = Name> {
  /** Whether a `hello` succeeded. Only one may. */
  isGreeted: boolean;
  /** Set by the first join, or by `hello`. */
  user: User | undefined;
  /** The joined rooms, by key, in the order of joining. */
  readonly rooms: Map<string, Name>;
  /** Whether the client ever joined a room. */
  hasJoined: boolean;
}

export function newSession<User extends Name>(): Session<User> {
  return { isGreeted: false, user: undefined, rooms: new Map(), hasJoined: false };
}

/** Returns the joined room with this name. Without a name, the only joined room. */
export function joinedRoom({ rooms }: Session, name: string | undefined): Name | undefined {
  if (name !== undefined) return rooms.get(nameKey(name));
  return rooms.size === 1 ? rooms.values().next().value : undefined;
}
