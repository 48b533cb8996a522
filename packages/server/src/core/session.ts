import type { Name } from "./names.ts";

/** What the rules know about one client: its version, its person and its rooms. Only its owner, the hub, changes it. */
export interface Session {
  /** 1: the tutorial's protocol, with one room at a time and errors as the only answers. 2: after `hello`. */
  version: 1 | 2;
  /** Set by the first join, or by `hello`. */
  person: Name | undefined;
  /** The joined rooms, by key, in the order of joining. */
  readonly rooms: Map<string, Name>;
  /** Whether the client ever joined a room. */
  hasJoined: boolean;
}

export function newSession(): Session {
  return { version: 1, person: undefined, rooms: new Map(), hasJoined: false };
}

/** Returns the only joined room, the target of a command without one. */
export function onlyRoom(session: Session): Name | undefined {
  return session.rooms.size === 1 ? session.rooms.values().next().value : undefined;
}
