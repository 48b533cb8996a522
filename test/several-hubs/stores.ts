import {
  type MemoryBus,
  MemoryRoomStore,
  MemoryRoster,
  MemoryUsers,
  RosterStore,
} from "../../packages/server/src/adapters/memory/mod.ts";
import { type ChatLimits, DEFAULT_LIMITS } from "../../packages/server/src/core/mod.ts";
import type { RosterUser } from "../../packages/server/src/hub/mod.ts";
import { NamesInUse } from "./names-in-use.ts";

/** How long the other nodes wait for the renewal of a node's lease, in milliseconds. */
export const LEASE_MS = 3_000;

/** Short times, so that histories are short. Clients are never pinged. */
export const LIMITS: ChatLimits = {
  ...DEFAULT_LIMITS,
  awayMs: 2_000,
  resumeMs: 6_000,
  pingMs: 1e9,
  joinTimeoutMs: 1e9,
};

/** What the nodes share: the memory adapters' stores, and the time. */
export class Stores {
  /** In milliseconds. */
  now = 1_000_000;
  readonly rooms = new MemoryRoomStore({ now: () => 1_700_000_000_000 + this.now });
  readonly roster = new RosterStore({ limits: LIMITS, now: () => this.now });
  readonly names = new NamesInUse(new MemoryRoster(this.roster));
  readonly users = new MemoryUsers();
  readonly bus = new Set<MemoryBus>();
  #secrets = 0;

  newSecret(): string {
    this.#secrets += 1;
    return `secret-${this.#secrets}`;
  }

  /** The members of each room. */
  members(): readonly (readonly [string, readonly RosterUser[]])[] {
    const { members } = this.roster;
    return members.largest(100).map(({ room }) => [room, members.page(room, 100).members]);
  }
}
