import { MemoryBus, MemoryRoomLog, MemoryRoster } from "../../packages/server/src/adapters/memory/mod.ts";
import { Hub, type NewEntry, RoomLogError } from "../../packages/server/src/hub/mod.ts";
import { FaultyBus } from "./faulty-bus.ts";
import { FaultyRoomLog } from "./faulty-room-log.ts";
import { FaultyRoster } from "./faulty-roster.ts";
import { FaultyUsers } from "./faulty-users.ts";
import type { Process, Scheduler } from "./scheduler.ts";
import { LEASE_MS, LIMITS, type Stores } from "./stores.ts";

/** A hub with its own views of the shared stores, on an unreliable network. */
export class Node implements Process {
  isPaused = false;
  isCrashed = false;
  readonly hub: Hub;
  readonly log: FaultyRoomLog;
  readonly roster: FaultyRoster;
  /** What it did against the rules. */
  readonly violations: string[] = [];

  constructor(stores: Stores, scheduler: Scheduler, clockOffsetMs: number) {
    // Each node has a clock of its own.
    const now = () => stores.now + clockOffsetMs;
    const roster = new MemoryRoster(stores.roster, { leaseMs: LEASE_MS, now });
    this.roster = new FaultyRoster(roster, stores, this, scheduler);
    const check = (entries: readonly NewEntry[]) => this.#check(stores, entries);
    this.log = new FaultyRoomLog(new MemoryRoomLog(stores.rooms), this, scheduler, check);
    this.hub = new Hub({
      log: this.log,
      roster: this.roster,
      users: new FaultyUsers(stores.users, this, scheduler),
      bus: new FaultyBus(new MemoryBus(stores.bus), this, scheduler),
      limits: LIMITS,
      now,
      newSecret: () => stores.newSecret(),
      report: (error) => {
        const isExpected = error instanceof RoomLogError || /were lost/.test(String(error));
        if (!isExpected) this.violations.push(`A node reported ${error instanceof Error ? error.stack : error}`);
      },
    });
  }

  /** Checks that the node may write these entries now. */
  #check(stores: Stores, entries: readonly NewEntry[]): void {
    if (!this.roster.isLeased()) this.violations.push("A node without a lease wrote to the log");
    for (const { author } of entries) {
      if (stores.names.ownerOf(author.name) !== author.id)
        this.violations.push(`${author.name} wrote, and does not have that name`);
    }
  }
}
