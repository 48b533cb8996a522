import { type Decision, refuse } from "../core/mod.ts";
import type { Connection } from "./connection.ts";
import type { FanOut } from "./fan-out.ts";
import type { LogFailures } from "./log-failures.ts";
import type { AppendResult, NewEntry, RoomLog } from "./ports/room-log.ts";
import type { Rooms } from "./rooms.ts";

/** The parts that {@link Appends} uses. */
export interface AppendsOptions {
  readonly log: RoomLog;
  readonly rooms: Rooms;
  readonly fanOut: FanOut;
  readonly failures: LogFailures;
}

/**
 * Appends the clients' entries in batches. The log's `follow` delivers successful appends, to their authors too. This
 * class answers duplicates and failures.
 */
export class Appends {
  readonly #log: RoomLog;
  readonly #rooms: Rooms;
  readonly #fanOut: FanOut;
  readonly #failures: LogFailures;
  #entries: NewEntry[] = [];

  constructor({ log, rooms, fanOut, failures }: AppendsOptions) {
    this.#log = log;
    this.#rooms = rooms;
    this.#fanOut = fanOut;
    this.#failures = failures;
  }

  add(
    connection: Connection,
    clientId: string | undefined,
    decision: Extract<Decision, { type: "append" | "set" }>,
  ): void {
    const room = decision.room.key;
    const from = connection.username as string;
    // Clients that never said hello do not promise unique ids, so theirs are not stored.
    const id = connection.session.isGreeted ? clientId : undefined;
    if (decision.type === "set") {
      this.#entries.push({ room, id, kind: "set", key: decision.key, from, body: decision.value, origin: connection });
    } else if (decision.isJson) {
      this.#entries.push({ room, id, kind: "chat", from, body: decision.message, isJson: true, origin: connection });
    } else {
      this.#entries.push({ room, id, kind: "chat", from, body: decision.message, origin: connection });
    }
    // Commit after the current turn, so that all entries of one read form one batch.
    if (this.#entries.length === 1) queueMicrotask(() => void this.#commit());
  }

  async #commit(): Promise<void> {
    const entries = this.#entries;
    this.#entries = [];
    this.#fanOut.commitBegan();
    try {
      const results = await this.#log.append(entries);
      if (results.every(({ type }) => type === "appended")) return;
      const nextSeqs = nextOwnSeqs(entries, results);
      for (let i = 0; i < results.length; i += 1) {
        const result = results[i] as AppendResult;
        if (result.type !== "appended") this.#notAppended(entries[i] as NewEntry, result, nextSeqs[i]);
      }
    } catch (error) {
      const refusal = this.#failures.refusal(error);
      for (const { origin, id } of entries) {
        const connection = origin as Connection;
        connection.answer({ ...refusal, id });
        connection.requests.settled(1);
      }
    } finally {
      this.#fanOut.commitEnded();
    }
  }

  #notAppended(
    entry: NewEntry,
    result: Exclude<AppendResult, { type: "appended" }>,
    nextSeq: number | undefined,
  ): void {
    const connection = entry.origin as Connection;
    const { id } = entry;
    // Acks leave in the room's order. Flush the ones before this entry first; the later ones follow.
    const room = this.#rooms.get(entry.room);
    if (room !== undefined) {
      const next = room.pending.findIndex((event) => event.type === "entry" && event.entry.seq === nextSeq);
      this.#fanOut.flush(room, next === -1 ? undefined : next);
    }
    if (result.type === "duplicate") {
      const name = room?.name.text ?? entry.room;
      connection.answer({ type: "ack", id, room: name, seq: result.seq, at: result.at, duplicate: true });
    } else {
      connection.answer({ ...refuse("id-reused", "This id was used for another message"), id });
    }
    connection.requests.settled(1);
  }
}

/** Returns, for each entry, the `seq` of the same author's next appended entry in the batch. */
function nextOwnSeqs(entries: readonly NewEntry[], results: readonly AppendResult[]): readonly (number | undefined)[] {
  const next = new Map<unknown, number>();
  const seqs: (number | undefined)[] = [];
  for (let i = entries.length - 1; i >= 0; i -= 1) {
    const { origin } = entries[i] as NewEntry;
    const result = results[i] as AppendResult;
    seqs[i] = next.get(origin);
    if (result.type === "appended") next.set(origin, result.seq);
  }
  return seqs;
}
