import type { Name } from "./names.ts";

/** What the rules know of one client: the version it speaks, who it is and where. Changed by its owner, the hub. */
export interface Session {
  /** 1: as the seed's clients, one room at a time and no answers but errors. 2: after `hello`. */
  version: 1 | 2;
  /** Set by the first join, or by `hello`. */
  person: Name | undefined;
  /** The rooms it is in, by key, in the order of joining. */
  readonly rooms: Map<string, Name>;
  /** Whether it was ever in a room. */
  hasJoined: boolean;
}

export function newSession(): Session {
  return { version: 1, person: undefined, rooms: new Map(), hasJoined: false };
}

/** The room that a command without one means: the only one. */
export function onlyRoom(session: Session): Name | undefined {
  return session.rooms.size === 1 ? session.rooms.values().next().value : undefined;
}
