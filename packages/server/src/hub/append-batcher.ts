import type { Decision } from "../core/mod.ts";
import type { Connection } from "./connection.ts";
import type { FanOut } from "./fan-out.ts";
import type { Lease } from "./lease.ts";
import { type AppendResult, type NewEntry, type RoomLog, RoomLogError } from "./ports/room-log.ts";
import type { Settlement } from "./settlement.ts";
import type { User } from "./user.ts";

/** The parts that {@link AppendBatcher} uses. */
export interface AppendBatcherOptions {
  readonly log: RoomLog;
  readonly lease: Lease;
  readonly fanOut: FanOut;
  readonly settlement: Settlement;
}

const WITHOUT_LEASE: AppendResult = {
  type: "failed",
  error: new RoomLogError("busy", "This server was out of reach of the others for too long"),
};

/** Appends the clients' entries in batches: all entries that one turn brings are one call of the log. */
export class AppendBatcher {
  readonly #log: RoomLog;
  readonly #lease: Lease;
  readonly #fanOut: FanOut;
  readonly #settlement: Settlement;
  #entries: NewEntry[] = [];
  /** The connection that each entry came from. */
  #connections: Connection[] = [];

  constructor({ log, lease, fanOut, settlement }: AppendBatcherOptions) {
    this.#log = log;
    this.#lease = lease;
    this.#fanOut = fanOut;
    this.#settlement = settlement;
  }

  add(
    connection: Connection,
    id: string | undefined,
    decision: Extract<Decision, { type: "append" | "set" }>,
    /** The `stateSeq` of the state that a `set` was decided on. */
    expectState?: number,
  ): void {
    const room = decision.room.key;
    const { author } = connection.user as User;
    const origin = connection.id;
    if (decision.type === "set") {
      const changes = new Map([[decision.key, decision.value]]);
      this.#entries.push({ room, id, kind: "set", author, changes, expectState, origin });
    } else if (decision.isJson) {
      this.#entries.push({ room, id, kind: "message", author, text: decision.message, isJson: true, origin });
    } else {
      this.#entries.push({ room, id, kind: "message", author, text: decision.message, origin });
    }
    this.#connections.push(connection);
    // Commit after the current turn, so that all entries of one read form one batch.
    if (this.#entries.length === 1) queueMicrotask(() => void this.#commit());
  }

  async #commit(): Promise<void> {
    const entries = this.#entries;
    const connections = this.#connections;
    this.#entries = [];
    this.#connections = [];
    this.#fanOut.commitBegan();
    const results = this.#lease.holds ? await this.#log.append(entries) : entries.map(() => WITHOUT_LEASE);
    this.#settlement.settle(connections, entries, results);
    this.#fanOut.commitEnded();
  }
}
