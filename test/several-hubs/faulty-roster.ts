import type { Name } from "../../packages/server/src/core/mod.ts";
import type {
  Claim,
  ClaimedName,
  HeldSession,
  Holder,
  MemberPage,
  NewSession,
  Roster,
  RosterChange,
  RosterUser,
  TakenSession,
  Takeover,
} from "../../packages/server/src/hub/mod.ts";
import type { Process, Scheduler } from "./scheduler.ts";
import { LEASE_MS, type Stores } from "./stores.ts";

/**
 * A roster over an unreliable network. Results and changes arrive late, in any order that the port allows, and renewals
 * of the lease may be lost. Changes arrive before the lease would have ended: a node that is further behind must not renew.
 */
export class FaultyRoster implements Roster {
  /** Renewals are lost. */
  isCutOff = false;
  /** Whether the node is getting its sessions back, and whether it ever did. */
  isReclaiming = false;
  hasReclaimed = false;
  readonly #inner: Roster;
  readonly #stores: Stores;
  readonly #process: Process;
  readonly #scheduler: Scheduler;
  #listener: ((change: RosterChange) => void) | undefined;
  /** The rooms' members by user id, with the changes that have arrived. */
  readonly #members = new Map<string, Map<string, RosterUser>>();
  /** The users of the sessions of this node, by session. */
  readonly #users = new Map<string, string>();

  constructor(inner: Roster, stores: Stores, process: Process, scheduler: Scheduler) {
    this.#inner = inner;
    this.#stores = stores;
    this.#process = process;
    this.#scheduler = scheduler;
    for (const [room, users] of stores.members())
      this.#members.set(room, new Map(users.map((user) => [user.id, user])));
    inner.follow((change) => this.#come(change));
  }

  get node(): string {
    return this.#inner.node;
  }

  isLeased(): boolean {
    return this.#inner.isLeased();
  }

  open(session: NewSession, name: ClaimedName): Promise<Claim> {
    return this.#call(session.session, async () => this.#noteUser(session, await this.#inner.open(session, name)));
  }

  share(session: NewSession, of: string): Promise<RosterUser | "unknown" | "too-many-connections"> {
    return this.#call(session.session, async () => this.#noteUser(session, await this.#inner.share(session, of)));
  }

  takeOver(takeover: Takeover): Promise<TakenSession | "unknown" | "too-many-connections"> {
    return this.#call(takeover.session, async () => {
      const taken = await this.#inner.takeOver(takeover);
      if (typeof taken !== "string") this.#noteUser(takeover, taken.user);
      return taken;
    });
  }

  rename(holder: Holder, name: ClaimedName, leaving: readonly string[]): Promise<Claim | "unknown"> {
    return this.#call(holder.session, () => this.#inner.rename(holder, name, leaving));
  }

  enter(holder: Holder, room: Name): Promise<boolean> {
    return this.#call(holder.session, () => this.#inner.enter(holder, room));
  }

  leave(holder: Holder, room: string): Promise<void> {
    return this.#call(holder.session, () => this.#inner.leave(holder, room));
  }

  detach(holder: Holder): Promise<void> {
    return this.#call(holder.session, () => this.#inner.detach(holder));
  }

  end(holder: Holder): Promise<void> {
    return this.#call(holder.session, () => this.#inner.end(holder));
  }

  async members(room: string, limit: number): Promise<MemberPage> {
    // The snapshot is of the moment of the call.
    const members = this.#membersOf(room).values().toArray();
    return this.#later({ members: members.slice(0, limit), count: members.length });
  }

  async rooms(limit: number): Promise<readonly { readonly room: string; readonly count: number }[]> {
    const rooms = this.#members
      .entries()
      .map(([room, { size }]) => ({ room, count: size }))
      .filter(({ count }) => count > 0)
      .toArray();
    return this.#later(rooms.sort((a, b) => b.count - a.count).slice(0, limit));
  }

  follow(listener: (change: RosterChange) => void): void {
    this.#listener = listener;
  }

  sweep(): void {
    if (!this.isCutOff) this.#inner.sweep();
  }

  async reclaim(sessions: readonly HeldSession[]): Promise<readonly string[]> {
    this.isReclaiming = true;
    this.hasReclaimed = true;
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    const run = () =>
      void this.#inner.reclaim(sessions).then((losers) => {
        for (const { connection, user } of sessions) if (!losers.includes(connection)) this.#stores.names.add(user);
        const behind = sessions.map(({ user }) => `user ${user.id}`);
        this.#scheduler.add({ of: this.#process, behind, lanes: [], run: () => resolve(losers) });
      });
    // Calls of the earlier lease come first, and later calls after it.
    this.#scheduler.add({ of: this.#process, behind: ["roster"], lanes: ["reclaim"], run });
    const losers = await promise;
    this.isReclaiming = false;
    return losers;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** Calls with an effect on the store, and later with a result. Effects on one session keep their order. */
  #call<T>(session: string, effect: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const own = `session ${session}`;
    const run = () =>
      void effect().then(
        (value) => this.#result(session, () => resolve(value)),
        (error) => this.#result(session, () => reject(error)),
      );
    this.#scheduler.add({ of: this.#process, behind: [own, "reclaim"], lanes: [own, "roster"], run });
    return promise;
  }

  #noteUser<T extends RosterUser | string>({ session }: Holder, user: T): T {
    if (typeof user === "string") return user;
    this.#users.set(session, user.id);
    this.#stores.names.add(user);
    return user;
  }

  /** The result of a call about a session arrives after the earlier changes of its user. */
  #result(session: string, run: () => void): void {
    const behind = [`user ${this.#users.get(session)}`, "replaced"];
    this.#scheduler.add({ of: this.#process, behind, lanes: [], run });
  }

  #later<T>(value: T): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    this.#scheduler.add({ of: this.#process, run: () => resolve(value) });
    return promise;
  }

  #come(change: RosterChange): void {
    const dueAt = this.#stores.now + LEASE_MS;
    this.#scheduler.add({ of: this.#process, behind: lanesOf(change), dueAt, run: () => this.#arrive(change) });
  }

  #arrive(change: RosterChange): void {
    if (change.type === "joined" || change.type === "renamed") {
      this.#membersOf(change.room).set(change.user.id, change.user);
    } else if (change.type === "left") {
      this.#membersOf(change.room).delete(change.user.id);
    }
    this.#listener?.(change);
  }

  #membersOf(room: string): Map<string, RosterUser> {
    let members = this.#members.get(room);
    if (members === undefined) {
      members = new Map();
      this.#members.set(room, members);
    }
    return members;
  }
}

/** Changes with a lane in common keep their order. */
function lanesOf(change: RosterChange): readonly string[] {
  switch (change.type) {
    case "joined":
    case "left":
    case "renamed":
      return [`room ${change.room}`, `user ${change.user.id}`];
    case "ended":
      return [`user ${change.user}`];
    case "replaced":
      return ["replaced"];
  }
}
