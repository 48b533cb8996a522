import { randomUUID } from "node:crypto";
import type { Name } from "../../core/mod.ts";
import {
  type Claim,
  type ClaimedName,
  type HeldSession,
  type Holder,
  type MemberPage,
  type NewSession,
  type Roster,
  type RosterChange,
  RosterError,
  type RosterUser,
  type TakenSession,
  type Takeover,
} from "../../hub/mod.ts";
import type { RosterStore } from "./roster-store.ts";

/** Options of a {@link MemoryRoster} that shares its store with others. */
export interface LeaseOptions {
  /** How long the others wait for a renewal, in milliseconds. */
  readonly leaseMs: number;
  /** This node's monotonic time in milliseconds. */
  readonly now: () => number;
}

/** One node's view of a {@link RosterStore}. Without `lease` it is the only one, and needs none. */
export class MemoryRoster implements Roster {
  readonly #store: RosterStore;
  readonly #lease: LeaseOptions | undefined;
  #node: string = randomUUID();
  #leasedUntil = 0;
  /** The other nodes: how often each has renewed its lease, and since when this node has known that. */
  readonly #others = new Map<string, { readonly renewals: number; readonly since: number }>();
  #listener: ((change: RosterChange) => void) | undefined;

  constructor(store: RosterStore, lease?: LeaseOptions) {
    this.#store = store;
    this.#lease = lease;
    store.observers.add(this);
    this.#renew();
  }

  get node(): string {
    return this.#node;
  }

  isLeased(): boolean {
    const isInTime = this.#lease === undefined || this.#lease.now() < this.#leasedUntil;
    return isInTime && this.#store.renewals.has(this.#node);
  }

  async open(session: NewSession, name: ClaimedName): Promise<Claim> {
    return this.#leased().open(this.#node, session, name);
  }

  async share(session: NewSession, of: string): Promise<RosterUser | "unknown" | "too-many-connections"> {
    return this.#leased().share(this.#node, session, of);
  }

  async takeOver(takeover: Takeover): Promise<TakenSession | "unknown" | "too-many-connections"> {
    return this.#leased().takeOver(this.#node, takeover);
  }

  async rename(holder: Holder, name: ClaimedName, leaving: readonly string[]): Promise<Claim | "unknown"> {
    return this.#leased().rename(holder, name, leaving);
  }

  async enter(holder: Holder, room: Name): Promise<boolean> {
    return this.#leased().enter(holder, room);
  }

  async leave(holder: Holder, room: string): Promise<void> {
    this.#leased().leave(holder, room);
  }

  async detach(holder: Holder): Promise<void> {
    this.#leased().detach(holder);
  }

  async end(holder: Holder): Promise<void> {
    this.#leased().end(holder);
  }

  async members(room: string, limit: number): Promise<MemberPage> {
    return this.#store.members.page(room, limit);
  }

  async rooms(limit: number): Promise<readonly { readonly room: string; readonly count: number }[]> {
    return this.#store.members.largest(limit);
  }

  follow(listener: (change: RosterChange) => void): void {
    this.#listener = listener;
  }

  sweep(): void {
    if (this.isLeased()) this.#renew();
    if (this.#lease !== undefined) this.#observe(this.#lease);
    this.#store.expire();
  }

  async reclaim(sessions: readonly HeldSession[]): Promise<readonly string[]> {
    this.#store.endNode(this.#node);
    this.#node = randomUUID();
    this.#renew();
    return sessions.filter((held) => !this.#store.reclaim(this.#node, held)).map(({ connection }) => connection);
  }

  /** Ends this node's lease at once. Nobody is told that its connections have ended. */
  async close(): Promise<void> {
    this.#listener = undefined;
    this.#store.observers.delete(this);
    this.#store.endNode(this.#node);
  }

  /** Passes a change on to the listener. The store calls it. */
  changed(change: RosterChange): void {
    this.#listener?.(change);
  }

  /** Returns the store. @throws {RosterError} `lease-lost`. */
  #leased(): RosterStore {
    if (!this.isLeased())
      throw new RosterError("lease-lost", "This server was out of reach of the others for too long");
    return this.#store;
  }

  /** The lease counts from before the renewal, so it ends here before it ends for the others. */
  #renew(): void {
    if (this.#lease !== undefined) this.#leasedUntil = this.#lease.now() + this.#lease.leaseMs;
    this.#store.renewals.set(this.#node, (this.#store.renewals.get(this.#node) ?? 0) + 1);
  }

  /** Ends the leases of nodes that have not renewed theirs for too long, by this node's clock. */
  #observe({ leaseMs, now: clock }: LeaseOptions): void {
    const now = clock();
    for (const [node, renewals] of this.#store.renewals) {
      if (node === this.#node) continue;
      const known = this.#others.get(node);
      if (known?.renewals !== renewals) this.#others.set(node, { renewals, since: now });
      else if (now - known.since >= leaseMs) this.#store.endNode(node);
    }
    for (const node of this.#others.keys()) if (!this.#store.renewals.has(node)) this.#others.delete(node);
  }
}
