import { addressKey, type Goodbye, skeletonOf } from "../core/mod.ts";
import type { Connection } from "./connection.ts";
import { type HeldSession, type Roster, RosterError } from "./ports/roster.ts";

const LOST: Goodbye = {
  code: "replaced",
  message: "Another connection has this session or its name by now",
  reconnect: false,
};

/**
 * This node's lease. A node that lost it commits nothing and keeps its connections. It then claims their sessions
 * again, because others may have got a session or a name meanwhile.
 */
export class Lease {
  readonly #roster: Roster;
  /** The connections to this node, by id. */
  readonly #connections: ReadonlyMap<string, Connection>;
  #isReclaiming = false;

  constructor(roster: Roster, connections: ReadonlyMap<string, Connection>) {
    this.#roster = roster;
    this.#connections = connections;
  }

  /** Whether this node may commit. Ask before each commit. */
  get holds(): boolean {
    return !this.#isReclaiming && this.#roster.isLeased();
  }

  /** Renews the lease, or claims the sessions again. Call it about every second. */
  async sweep(): Promise<void> {
    this.#roster.sweep();
    if (this.#isReclaiming || this.#roster.isLeased()) return;
    this.#isReclaiming = true;
    try {
      // Results of earlier calls may still have brought sessions while it claimed.
      for (let held = this.#held(); ; held = this.#held()) {
        await this.#reclaim(held);
        const claimed = new Set(held.map(({ connection }) => connection));
        if (this.#held().every(({ connection }) => claimed.has(connection))) break;
      }
    } catch (error) {
      // The lease was lost again. The next call claims the sessions once more.
      if (!(error instanceof RosterError)) throw error;
    } finally {
      this.#isReclaiming = false;
    }
  }

  async #reclaim(held: readonly HeldSession[]): Promise<void> {
    const lost = new Set(await this.#roster.reclaim(held));
    for (const id of lost) this.#connections.get(id)?.dismiss(LOST);
    for (const session of held) {
      const connection = this.#connections.get(session.connection);
      if (lost.has(session.connection)) continue;
      if (connection === undefined || connection.isGone) {
        // It left while this node could not tell.
        await this.#roster.detach(session);
      } else {
        for (const { key } of session.rooms) {
          if (!connection.session.rooms.has(key)) await this.#roster.leave(session, key);
        }
      }
    }
  }

  #held(): readonly HeldSession[] {
    const held: HeldSession[] = [];
    for (const { isGone, user, id, holder, link, session, attempt } of this.#connections.values()) {
      if (user === undefined || isGone) continue;
      held.push({
        ...holder,
        user: { id: user.id, name: user.text, text: user.text, key: user.key, skeleton: skeletonOf(user.text) },
        address: addressKey(link.address),
        isLasting: holder.session !== id,
        rooms: [...session.rooms.values()],
        attempt,
      });
    }
    return held;
  }
}
