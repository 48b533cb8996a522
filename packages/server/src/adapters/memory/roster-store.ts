import { randomUUID } from "node:crypto";
import * as v from "valibot";
import { type Name, roomName, skeletonOf, userName } from "../../core/mod.ts";
import type {
  Claim,
  ClaimedName,
  GuestStorage,
  HeldSession,
  Holder,
  NewSession,
  RosterChange,
  RosterUser,
  TakenSession,
  Takeover,
} from "../../hub/mod.ts";
import { NamesInUse } from "./names-in-use.ts";
import { RoomMembers } from "./room-members.ts";

/** How long sessions last without a connection, and how many there may be. */
export interface RosterLimits {
  /** The user leaves its rooms when it has had no connection for this long, in milliseconds. */
  readonly awayMs: number;
  /** A session ends when it has had no connection for this long, in milliseconds. At least `awayMs`. */
  readonly resumeMs: number;
  /** Most sessions without a connection that are kept of one address. */
  readonly detachedPerAddressMax: number;
  /** Most connections of one user. */
  readonly connectionsPerPersonMax: number;
}

export interface RosterStoreOptions {
  readonly limits: RosterLimits;
  /** Returns a monotonic time in milliseconds. */
  readonly now: () => number;
  /** Keeps sessions over a restart. @default they end with the process */
  readonly storage?: GuestStorage | undefined;
}

/** A session as it is stored. It is checked when it is restored, because its file has no checksums. */
const StoredSession = v.object({
  user: v.pipe(v.string(), v.nonEmpty()),
  name: v.string(),
  rooms: v.array(v.string()),
  hasJoined: v.boolean(),
  attempt: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  address: v.string(),
});
type StoredSession = v.InferOutput<typeof StoredSession>;

interface User extends RosterUser {
  name: string;
  key: string;
  readonly sessions: Set<Session>;
  /** For each room, how many of its sessions count there. */
  readonly presence: Map<string, number>;
}

interface Session {
  readonly id: string;
  readonly user: User;
  readonly isLasting: boolean;
  /** In the order of joining. */
  readonly rooms: Map<string, Name>;
  hasJoined: boolean;
  /** The last connection. */
  connection: string;
  /** The node of the connection. Undefined when the connection has ended. */
  node: string | undefined;
  attempt: number;
  address: string;
  detachedAt: number;
  /** It has had no connection for `awayMs`, and does not count as a member. */
  isAway: boolean;
}

/** Receives the changes of a roster. */
export interface RosterObserver {
  readonly node: string;
  changed(change: RosterChange): void;
}

/** Users, their names, their sessions and their rooms, in memory. Several nodes of one process may share it. */
export class RosterStore {
  readonly members: RoomMembers = new RoomMembers();
  /** How often each node has renewed its lease. */
  readonly renewals: Map<string, number> = new Map();
  readonly observers: Set<RosterObserver> = new Set();
  readonly #limits: RosterLimits;
  readonly #now: () => number;
  readonly #storage: GuestStorage | undefined;
  readonly #names = new NamesInUse();
  readonly #users = new Map<string, User>();
  readonly #sessions = new Map<string, Session>();
  readonly #byNode = new Map<string, Set<Session>>();
  /** Sessions without a connection, the longest first. */
  readonly #detached = new Set<Session>();
  /** Those of them that are not away yet. */
  readonly #leaving = new Set<Session>();
  readonly #detachedByAddress = new Map<string, Set<Session>>();

  constructor({ limits, now, storage }: RosterStoreOptions) {
    this.#limits = limits;
    this.#now = now;
    this.#storage = storage;
  }

  /** Takes up the sessions that were stored before the start. They wait for their clients. */
  restore(): void {
    for (const [id, value] of this.#storage?.load("session") ?? []) {
      const { success, output: stored } = v.safeParse(StoredSession, value);
      if (success && this.#restore(id, stored)) continue;
      this.#storage?.set("session", id, undefined);
      if (success && !this.#users.has(stored.user)) this.#tell({ type: "ended", user: stored.user });
    }
  }

  open(node: string, session: NewSession, name: ClaimedName): Claim {
    const id = randomUUID();
    const claim = this.#names.claim(name, id);
    if (claim !== "claimed") return claim;
    return shown(this.#add(node, session, this.#addUser(id, name)).user);
  }

  share(node: string, session: NewSession, of: string): RosterUser | "unknown" | "too-many-connections" {
    const user = this.#sessions.get(of)?.user;
    if (user === undefined) return "unknown";
    if (this.#isFull(user)) return "too-many-connections";
    return shown(this.#add(node, session, user).user);
  }

  takeOver(node: string, takeover: Takeover): TakenSession | "unknown" | "too-many-connections" {
    const { connection, address, attempt } = takeover;
    const session = this.#sessions.get(takeover.session);
    if (session === undefined || !session.isLasting || attempt <= session.attempt) return "unknown";
    if (session.node === undefined && this.#isFull(session.user)) return "too-many-connections";
    const previous = session.node === undefined ? undefined : session.connection;
    if (previous !== undefined) this.#tell({ type: "replaced", connection: previous }, session.node);
    if (attempt !== Number.POSITIVE_INFINITY) session.attempt = attempt;
    this.#attach(session, { node, connection, address });
    const { user, rooms, hasJoined } = session;
    return { user: shown(user), rooms: [...rooms.values()], hasJoined, attempt: session.attempt, previous };
  }

  rename(holder: Holder, name: ClaimedName, leaving: readonly string[]): Claim | "unknown" {
    const session = this.#held(holder);
    if (session === undefined) return "unknown";
    const { user } = session;
    const claim = this.#names.claim(name, user.id);
    if (claim !== "claimed") return claim;
    for (const room of leaving) this.#leave(session, room);
    const before = user.name;
    if (user.key !== name.key) this.#names.release(user.key);
    user.name = name.text;
    user.key = name.key;
    for (const each of user.sessions) this.#store(each);
    for (const room of user.presence.keys()) this.#tell({ type: "renamed", room, user: shown(user), before });
    return shown(user);
  }

  enter(holder: Holder, room: Name): boolean {
    const session = this.#held(holder);
    if (session === undefined) return false;
    if (session.rooms.has(room.key)) return true;
    session.rooms.set(room.key, room);
    session.hasJoined = true;
    this.#store(session);
    this.#count(session.user, room.key, 1);
    return true;
  }

  leave(holder: Holder, room: string): void {
    const session = this.#held(holder);
    if (session !== undefined) this.#leave(session, room);
  }

  detach(holder: Holder): void {
    const session = this.#held(holder);
    if (session === undefined) return;
    this.#detach(session);
    // With an `awayMs` of 0, at once.
    this.expire();
  }

  end(holder: Holder): void {
    const session = this.#held(holder);
    if (session !== undefined) this.#end(session);
  }

  /** Takes sessions away from users that have been without a connection for too long. */
  expire(): void {
    const now = this.#now();
    for (const session of this.#leaving) {
      if (now - session.detachedAt < this.#limits.awayMs) break;
      this.#leaving.delete(session);
      session.isAway = true;
      for (const room of session.rooms.keys()) this.#count(session.user, room, -1);
    }
    for (const session of this.#detached) {
      if (now - session.detachedAt < this.#limits.resumeMs) break;
      this.#end(session);
    }
  }

  /** The node's lease has ended: its connections end. */
  endNode(node: string): void {
    this.renewals.delete(node);
    for (const session of this.#byNode.get(node) ?? []) this.#detach(session);
  }

  /** Gives a session back to the connection that had it last. Returns false if another one has it or its name. */
  reclaim(node: string, held: HeldSession): boolean {
    const { user: name, connection, address } = held;
    let session = this.#sessions.get(held.session);
    if (session === undefined) {
      if (this.#names.claim(name, name.id) !== "claimed") return false;
      const user = this.#users.get(name.id) ?? this.#addUser(name.id, name);
      session = this.#add(node, held, user);
      session.attempt = held.attempt;
      this.#store(session);
    } else {
      if (session.connection !== connection || session.node !== undefined) return false;
      for (const room of [...session.rooms.keys()]) {
        if (!held.rooms.some(({ key }) => key === room)) this.#leave(session, room);
      }
      this.#attach(session, { node, connection, address });
    }
    for (const room of held.rooms) this.enter(held, room);
    return true;
  }

  #addUser(id: string, { text, key }: ClaimedName): User {
    const user: User = { id, name: text, key, sessions: new Set(), presence: new Map() };
    this.#users.set(id, user);
    return user;
  }

  #add(node: string, { session: id, connection, address, isLasting }: NewSession, user: User): Session {
    const session = this.#create(id, user, isLasting);
    this.#attach(session, { node, connection, address });
    return session;
  }

  #create(id: string, user: User, isLasting: boolean): Session {
    const session: Session = {
      id,
      user,
      isLasting,
      rooms: new Map(),
      hasJoined: false,
      connection: "",
      node: undefined,
      attempt: 0,
      address: "",
      detachedAt: 0,
      isAway: false,
    };
    this.#sessions.set(id, session);
    user.sessions.add(session);
    return session;
  }

  /** Returns false if the session cannot be restored: its name is not valid any more, or another user has it. */
  #restore(id: string, { user: userId, name, rooms, hasJoined, attempt, address }: StoredSession): boolean {
    const person = userName(name);
    if ("type" in person) return false;
    const claimed = { ...person, skeleton: skeletonOf(person.text) };
    const user = this.#users.get(userId);
    if (user !== undefined && user.key !== claimed.key) return false;
    if (this.#names.claim(claimed, userId) !== "claimed") return false;
    const session = this.#create(id, user ?? this.#addUser(userId, claimed), true);
    Object.assign(session, { hasJoined, attempt, address });
    for (const text of rooms) {
      const room = roomName(text);
      if ("type" in room || session.rooms.has(room.key)) continue;
      session.rooms.set(room.key, room);
      this.#count(session.user, room.key, 1);
    }
    this.#detach(session);
    return true;
  }

  /** Stores the session, if it lasts. */
  #store({ id, isLasting, user, rooms, hasJoined, attempt, address }: Session): void {
    if (!isLasting || this.#storage === undefined) return;
    const texts = Array.from(rooms.values(), ({ text }) => text);
    const stored: StoredSession = { user: user.id, name: user.name, rooms: texts, hasJoined, attempt, address };
    this.#storage.set("session", id, stored);
  }

  /** Returns the session, if the connection has it. */
  #held({ session: id, connection }: Holder): Session | undefined {
    const session = this.#sessions.get(id);
    return session?.connection === connection && session.node !== undefined ? session : undefined;
  }

  #attach(
    session: Session,
    to: { readonly node: string; readonly connection: string; readonly address: string },
  ): void {
    this.#unbind(session);
    session.node = to.node;
    session.connection = to.connection;
    session.address = to.address;
    setOf(this.#byNode, to.node).add(session);
    this.#store(session);
    if (!session.isAway) return;
    session.isAway = false;
    for (const room of session.rooms.keys()) this.#count(session.user, room, 1);
  }

  #detach(session: Session): void {
    if (!session.isLasting) {
      this.#end(session);
      return;
    }
    this.#unbind(session);
    session.node = undefined;
    session.detachedAt = this.#now();
    this.#detached.add(session);
    this.#leaving.add(session);
    const others = setOf(this.#detachedByAddress, session.address);
    others.add(session);
    if (others.size <= this.#limits.detachedPerAddressMax) return;
    const [oldest] = others;
    this.#end(oldest as Session);
  }

  #end(session: Session): void {
    const { id, user } = session;
    this.#unbind(session);
    this.#sessions.delete(id);
    user.sessions.delete(session);
    if (session.isLasting) this.#storage?.set("session", id, undefined);
    if (!session.isAway) for (const room of session.rooms.keys()) this.#count(user, room, -1);
    if (user.sessions.size > 0) return;
    this.#users.delete(user.id);
    this.#names.release(user.key);
    this.#tell({ type: "ended", user: user.id });
  }

  /** Removes the session from its node, or from the sessions without a connection. */
  #unbind(session: Session): void {
    if (session.node !== undefined) deleteFrom(this.#byNode, session.node, session);
    if (!this.#detached.delete(session)) return;
    this.#leaving.delete(session);
    deleteFrom(this.#detachedByAddress, session.address, session);
  }

  #leave(session: Session, room: string): void {
    if (!session.rooms.delete(room)) return;
    this.#store(session);
    if (!session.isAway) this.#count(session.user, room, -1);
  }

  /** Changes how many of the user's sessions count in the room. The first and the last one are reported. */
  #count(user: User, room: string, change: 1 | -1): void {
    const before = user.presence.get(room) ?? 0;
    const count = before + change;
    if (count > 0) user.presence.set(room, count);
    else user.presence.delete(room);
    if (before === 0) this.members.add(room, user);
    else if (count === 0) this.members.remove(room, user);
    else return;
    this.#tell({ type: before === 0 ? "joined" : "left", room, user: shown(user) });
  }

  #isFull({ sessions }: User): boolean {
    let connections = 0;
    for (const { node } of sessions) if (node !== undefined) connections += 1;
    return connections >= this.#limits.connectionsPerPersonMax;
  }

  /** Tells all nodes, or only one. */
  #tell(change: RosterChange, node?: string): void {
    for (const observer of this.observers) {
      if (node === undefined || observer.node === node) observer.changed(change);
    }
  }
}

/** Copies what others see of a user: it may be renamed later. */
function shown({ id, name }: User): RosterUser {
  return { id, name };
}

function setOf<T>(sets: Map<string, Set<T>>, key: string): Set<T> {
  let set = sets.get(key);
  if (set === undefined) {
    set = new Set();
    sets.set(key, set);
  }
  return set;
}

function deleteFrom<T>(sets: Map<string, Set<T>>, key: string, item: T): void {
  const set = sets.get(key);
  if (set?.delete(item) && set.size === 0) sets.delete(key);
}
