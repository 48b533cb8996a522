import { refuse } from "../core/mod.ts";
import type { Connection } from "./connection.ts";
import type { FanOut } from "./fan-out.ts";
import type { LogFailures } from "./log-failures.ts";
import type { AppendResult, NewEntry } from "./ports/room-log.ts";
import type { Room } from "./room.ts";
import type { Rooms } from "./rooms.ts";

/** How long an appended entry may take to arrive through `follow`, in milliseconds. Past this, it counts as lost. */
const ARRIVAL_MS_MAX = 2_000;

/** The parts that {@link Settlement} uses. */
export interface SettlementOptions {
  readonly rooms: Rooms;
  readonly fanOut: FanOut;
  readonly failures: LogFailures;
  /** Returns a monotonic time in milliseconds. */
  readonly now: () => number;
}

/** A result whose answer cannot be given yet, or that waits behind such a one. */
interface Waiting {
  readonly entry: NewEntry;
  readonly result: AppendResult;
  /** The `seq` of the same client's next appended entry in the batch. */
  readonly nextSeq: number | undefined;
  readonly since: number;
}

interface Answerable extends Pick<Waiting, "entry" | "nextSeq"> {
  readonly result: Exclude<AppendResult, { type: "conflict" }>;
}

/**
 * Ends the clients' messages that are in flight, according to the log's results. An author in the room gets its ack
 * from the fan-out, in the entry's place in the room's order. This class gives all other answers: the ack of an entry
 * that did not and will not pass by here, and refusals. A change that conflicts with another is decided again, once
 * the other is known here.
 */
export class Settlement {
  readonly #rooms: Rooms;
  readonly #fanOut: FanOut;
  readonly #failures: LogFailures;
  readonly #now: () => number;
  /** By client, in the order of its requests. Empty as long as entries arrive before their results. */
  readonly #waiting = new Map<Connection, Waiting[]>();

  constructor({ rooms, fanOut, failures, now }: SettlementOptions) {
    this.#rooms = rooms;
    this.#fanOut = fanOut;
    this.#failures = failures;
    this.#now = now;
  }

  /** Takes the results of a batch. The arrays are parallel. */
  settle(connections: readonly Connection[], entries: readonly NewEntry[], results: readonly AppendResult[]): void {
    let nextSeqs: readonly (number | undefined)[] | undefined;
    for (let i = 0; i < results.length; i += 1) {
      const result = results[i] as AppendResult;
      const connection = connections[i] as Connection;
      if (this.#waiting.size === 0 && result.type === "appended" && connection.requests.hasPassed(result.seq)) {
        connection.requests.settled();
        continue;
      }
      nextSeqs ??= nextOwnSeqs(connections, results);
      this.#wait(connection, { entry: entries[i] as NewEntry, result, nextSeq: nextSeqs[i], since: this.#now() });
      this.#proceed(connection);
    }
  }

  /** An entry of the client has become one of its room's pending events. */
  passed(connection: Connection): void {
    if (this.#waiting.size > 0) this.#proceed(connection);
  }

  /** The client was taken out of the room: it gets the acks of its entries there from their results. */
  left(connection: Connection): void {
    this.#proceed(connection);
  }

  /** The room's state changed, or it was opened again: what waits for that need wait no longer. */
  recheck(room: Room): void {
    if (this.#waiting.size === 0) return;
    for (const [connection, [first]] of this.#waiting) {
      if (first?.entry.room === room.name.key) this.#proceed(connection);
    }
  }

  /** Returns the rooms whose appended entries have not arrived in time. */
  overdueRooms(): ReadonlySet<string> {
    const rooms = new Set<string>();
    const until = this.#now() - ARRIVAL_MS_MAX;
    for (const [first] of this.#waiting.values()) if (first && first.since <= until) rooms.add(first.entry.room);
    return rooms;
  }

  #wait(connection: Connection, waiting: Waiting): void {
    const others = this.#waiting.get(connection);
    if (others === undefined) this.#waiting.set(connection, [waiting]);
    else others.push(waiting);
  }

  /** Gives the client its answers, in order, up to one that must still wait. */
  #proceed(connection: Connection): void {
    const waiting = this.#waiting.get(connection);
    if (waiting === undefined) return;
    while (waiting.length > 0) {
      const { entry, result, nextSeq } = waiting[0] as Waiting;
      if (result.type === "conflict") {
        if (!this.#hasFollowed(connection, entry.room, result.stateSeq)) break;
        waiting.shift();
        connection.requests.decideAgain();
      } else {
        if (!this.#answer(connection, { entry, result, nextSeq })) break;
        waiting.shift();
        connection.requests.settled();
      }
    }
    if (waiting.length === 0) this.#waiting.delete(connection);
  }

  /** Whether the state that a request conflicted with is known here, as far as it can be and matters. */
  #hasFollowed(connection: Connection, key: string, stateSeq: number): boolean {
    const room = this.#rooms.get(key);
    if (room === undefined || !room.has(connection) || this.#rooms.closed.has(room)) return true;
    return !room.isOpening && room.stateSeq >= stateSeq;
  }

  /** Returns false if the answer must wait. */
  #answer(connection: Connection, { entry, result, nextSeq }: Answerable): boolean {
    const { id } = entry;
    const room = this.#rooms.get(entry.room);
    if (result.type === "appended") {
      // The fan-out gives the ack, or has given it.
      if (connection.requests.hasPassed(result.seq)) return true;
      const comes = room?.has(connection) === true && !connection.isGone && !this.#rooms.closed.has(room);
      if (comes && (room.isOpening || result.seq > room.openedSeq)) return false;
    }
    // Acks leave in the room's order. Flush the ones before this entry first; the later ones follow.
    if (room !== undefined) {
      const next = room.pending.findIndex((event) => event.type === "entry" && event.entry.seq === nextSeq);
      this.#fanOut.flush(room, next === -1 ? undefined : next);
    }
    switch (result.type) {
      case "appended":
      case "duplicate": {
        const ack = { type: "ack", id, room: room?.name.text ?? entry.room, seq: result.seq, at: result.at } as const;
        connection.answer(result.type === "appended" ? ack : { ...ack, duplicate: true });
        return true;
      }
      case "id-reused":
        connection.answer({ ...refuse("id-reused", "This id was used for another message"), id });
        return true;
      case "unknown":
        connection.answer({ ...refuse("in-doubt", "It may have been stored; send it again with the same id"), id });
        return true;
      case "failed":
        connection.answer({ ...this.#failures.refusal(result.error), id });
        return true;
    }
  }
}

/** Returns, for each entry, the `seq` of the same client's next appended entry in the batch. */
function nextOwnSeqs(
  connections: readonly Connection[],
  results: readonly AppendResult[],
): readonly (number | undefined)[] {
  const next = new Map<Connection, number>();
  const seqs: (number | undefined)[] = [];
  for (let i = results.length - 1; i >= 0; i -= 1) {
    const result = results[i] as AppendResult;
    const connection = connections[i] as Connection;
    seqs[i] = next.get(connection);
    if (result.type === "appended") next.set(connection, result.seq);
  }
  return seqs;
}
