import type { Name } from "../../core/mod.ts";

/** A name in the forms that the roster compares. */
export interface ClaimedName extends Name {
  /** Equal for names that look alike. */
  readonly skeleton: string;
}

/** A user as others see it. */
export interface RosterUser {
  /** Never changes. A guest's id ends with its last session. */
  readonly id: string;
  readonly name: string;
}

/** A session and the connection that acts for it. What a connection does after it was replaced has no effect. */
export interface Holder {
  /** The SHA-256 of the session's token. A session without a token has the id of its connection. */
  readonly session: string;
  /** Unique over all nodes. */
  readonly connection: string;
}

/** A session to open. */
export interface NewSession extends Holder {
  /** Key of the client's address. */
  readonly address: string;
  /** Whether the session waits for its client when the connection ends. If not, it ends with the connection. */
  readonly isLasting: boolean;
}

/** The result of a claim: the user has the name, or another user has it or a look-alike. */
export type Claim = RosterUser | "in-use" | "look-alike";

/** A connection that takes over a session. */
export interface Takeover extends Holder {
  readonly address: string;
  /** Must be greater than that of the connection that took the session before. Infinity is greater than any, and leaves the number as it is. */
  readonly attempt: number;
}

/** A session, as its new connection finds it. */
export interface TakenSession {
  readonly user: RosterUser;
  /** In the order of joining. */
  readonly rooms: readonly Name[];
  /** Whether it was ever in a room. */
  readonly hasJoined: boolean;
  readonly attempt: number;
  /** The connection that was replaced, if there was one. */
  readonly previous: string | undefined;
}

/** A session as its node knows it, for {@link Roster.reclaim}. */
export interface HeldSession extends NewSession {
  readonly user: RosterUser & ClaimedName;
  readonly rooms: readonly Name[];
  readonly attempt: number;
}

/** What {@link Roster.follow} reports. */
export type RosterChange =
  | { readonly type: "joined" | "left"; readonly room: string; readonly user: RosterUser }
  /** The user is in the room under a new name. */
  | { readonly type: "renamed"; readonly room: string; readonly user: RosterUser; readonly before: string }
  /** A connection of this node lost its session to another connection. */
  | { readonly type: "replaced"; readonly connection: string }
  /** The last session of a guest ended. */
  | { readonly type: "ended"; readonly user: string };

/** The error of a {@link Roster}: this node's lease has ended, and nothing was changed. */
export class RosterError extends Error {
  override readonly name = "RosterError";
  readonly code: "lease-lost";

  constructor(code: "lease-lost", message: string) {
    super(message);
    this.code = code;
  }
}

/** A room's members. */
export interface MemberPage {
  /** The first ones, in no particular order. */
  readonly members: readonly RosterUser[];
  /** The number of all. */
  readonly count: number;
}

/**
 * Who is here now, over all nodes: users, their names, sessions, rooms and connections. An instance is the view of one
 * node.
 *
 * - No two users have the same name, and no two have names with the same skeleton, unless all names with that skeleton
 *   are ASCII: `rn` and `m`, or `0` and `O`, count as distinct. A name belongs to its user until the last session ends.
 * - A user is a member of a room once, whatever the number of its sessions there. It leaves when none of them has had
 *   a connection for `awayMs`; at once when they leave the room or end. It joins again when one has a connection again.
 * - A session ends `resumeMs` after its connection, if it is lasting. Of the sessions without a connection from one
 *   address only the newest `detachedPerAddressMax` are kept.
 * - The connections of a node end when its lease does. The other nodes time its renewals by their own clocks.
 * - Changes of one session take effect in the order of the calls, and reach this node's `follow` before the call
 *   resolves. `members` and `rooms` return a snapshot of the moment of the call: it has all changes that `follow`
 *   delivered before, and no others.
 */
export interface Roster {
  /** The id of this node: a new one for each start and for each lease. */
  readonly node: string;
  /**
   * Whether this node's lease holds, counted from before its last renewal. Otherwise this node may change nothing:
   * the calls below fail, and the hub must commit nothing.
   */
  isLeased(): boolean;
  /** Claims the name for a new guest with this session. */
  open(session: NewSession, name: ClaimedName): Promise<Claim>;
  /** Opens one more session for the user of the session `of`. */
  share(session: NewSession, of: string): Promise<RosterUser | "unknown" | "too-many-connections">;
  /** Gives a session a new connection. Refuses an attempt that a later one overtook. */
  takeOver(takeover: Takeover): Promise<TakenSession | "unknown" | "too-many-connections">;
  /** Renames the session's user, after the session has left the rooms in `leaving`. If refused, changes nothing. */
  rename(holder: Holder, name: ClaimedName, leaving: readonly string[]): Promise<Claim | "unknown">;
  /** Returns false if the session has ended or has another connection. */
  enter(holder: Holder, room: Name): Promise<boolean>;
  leave(holder: Holder, room: string): Promise<void>;
  /** The connection has ended: the session waits for its client, or ends if it is not lasting. */
  detach(holder: Holder): Promise<void>;
  end(holder: Holder): Promise<void>;
  /** Returns the first `limit` members, and the number of all. */
  members(room: string, limit: number): Promise<MemberPage>;
  /**
   * Returns the rooms with the most members, at most `limit`, the largest first. It is called often, so its cost must
   * not depend on the number of rooms.
   */
  rooms(limit: number): Promise<readonly { readonly room: string; readonly count: number }[]>;
  /** Sets the one listener of this node. */
  follow(listener: (change: RosterChange) => void): void;
  /** Renews the lease and ends what has expired. Call it about every second. */
  sweep(): void;
  /**
   * After the lease was lost: takes a new id and claims the sessions of this node's connections again. Returns the
   * connections whose session was taken over or whose name is in use by now.
   */
  reclaim(sessions: readonly HeldSession[]): Promise<readonly string[]>;
  close(): Promise<void>;
}
