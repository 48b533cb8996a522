import type { DatabaseSync, StatementSync } from "node:sqlite";
import { nameKey, timeAfter } from "../../core/mod.ts";
import type { Batch, Committed, NotAppended } from "./batch.ts";
import { type Durability, toRoomLogError, transactDurably } from "./database.ts";
import type { KnownIds } from "./known-ids.ts";
import { KINDS, ROOMS_MAX, SEQ_BITS, SEQ_MAX } from "./schema.ts";
import type { StoredRoom, StoredRooms } from "./stored-rooms.ts";

/** The range of entries that a commit added to a room. */
export interface Growth {
  readonly fromSeq: number;
  toSeq: number;
}

/** An entry, as far as it decides whether it can be appended. */
interface Candidate {
  readonly author: string;
  readonly id: string | undefined;
  readonly kind: number;
  readonly body: string;
  readonly expectState: number | undefined;
}

/** Commits batches: assigns `seq` and time, updates the rooms' state, and detects duplicate ids. */
export class Appender {
  readonly #db: DatabaseSync;
  readonly #durability: Durability;
  readonly #rooms: StoredRooms;
  readonly #ids: KnownIds;
  readonly #insert: StatementSync;
  readonly #read: StatementSync;
  readonly #put: StatementSync;
  readonly #take: StatementSync;
  readonly #markState: StatementSync;

  constructor(db: DatabaseSync, durability: Durability, rooms: StoredRooms, ids: KnownIds) {
    this.#db = db;
    this.#durability = durability;
    this.#rooms = rooms;
    this.#ids = ids;
    this.#insert = db.prepare(`INSERT INTO entries (place, at, kind, author_id, author, id, body)
      VALUES ((? << ${SEQ_BITS}) | ?, ?, ?, ?, ?, ?, ?)`);
    this.#read = db.prepare(`SELECT at, kind, body FROM entries WHERE place = (? << ${SEQ_BITS}) | ?`);
    this.#put = db.prepare("INSERT OR REPLACE INTO state VALUES (?, ?, ?)");
    this.#take = db.prepare("DELETE FROM state WHERE room = ? AND key = ?");
    this.#markState = db.prepare("UPDATE rooms SET state_seq = ? WHERE no = ?");
  }

  /**
   * Commits the batch, or nothing if the disk fails. Adds each room's new range to `grown`, by the room's number.
   *
   * @throws {RoomLogError} `storage-full`, `read-only`, `io`.
   */
  commit(batch: Batch, grown: Map<number, Growth>): Committed {
    try {
      return transactDurably(this.#db, this.#durability, () => this.#append(batch, grown));
    } catch (error) {
      // The caches have entries of the failed transaction.
      this.#rooms.clear();
      this.#ids.clear();
      throw toRoomLogError(error, "store messages");
    }
  }

  #append(batch: Batch, grown: Map<number, Growth>): Committed {
    const { rooms, authorIds, authors, ids, bodies, kinds, expects, at: now } = batch;
    const seqs: number[] = [];
    const ats: number[] = [];
    const others = new Map<number, NotAppended>();
    for (let i = 0; i < rooms.length; i += 1) {
      const name = rooms[i] as string;
      const kind = kinds?.[i] ?? KINDS.message;
      const body = bodies[i] as string;
      const id = ids[i];
      const authorName = authors[i] as string;
      const author = id === undefined ? "" : nameKey(authorName);
      const room = this.#rooms.get(name) ?? this.#rooms.create(name);
      const other =
        room === undefined
          ? ({ type: "failed", reason: `there are ${ROOMS_MAX} rooms already` } as const)
          : this.#obstacle(room, { author, id, kind, body, expectState: expects?.[i] });
      if (room === undefined || other !== undefined) {
        others.set(i, other as NotAppended);
        seqs.push(0);
        ats.push(0);
        continue;
      }
      const seq = room.lastSeq + 1;
      const at = timeAfter(room.lastAt, now);
      this.#insert.run(room.no, seq, at, kind, authorIds[i] as string, authorName, id ?? null, body);
      if (kind === KINDS.set) this.#setState(room, seq, body);
      if (id !== undefined) this.#ids.add(room.no, author, id, seq);
      room.lastSeq = seq;
      room.lastAt = at;
      const growth = grown.get(room.no);
      if (growth === undefined) grown.set(room.no, { fromSeq: seq, toSeq: seq });
      else growth.toSeq = seq;
      seqs.push(seq);
      ats.push(at);
    }
    return others.size === 0 ? { seqs, ats } : { seqs, ats, others };
  }

  /** Returns why an entry cannot be appended. */
  #obstacle(room: StoredRoom, { author, id, kind, body, expectState }: Candidate): NotAppended | undefined {
    if (id !== undefined) {
      const seq = this.#ids.find(room.no, author, id);
      const row = seq === undefined ? undefined : this.#read.get(room.no, seq);
      if (seq !== undefined && row !== undefined) {
        if (row.kind !== kind || row.body !== body) return { type: "id-reused" };
        return { type: "duplicate", seq, at: row.at as number };
      }
    }
    if (expectState !== undefined && expectState !== room.stateSeq)
      return { type: "conflict", stateSeq: room.stateSeq };
    if (room.lastSeq >= SEQ_MAX) return { type: "failed", reason: `its room has had ${SEQ_MAX} entries` };
    return undefined;
  }

  #setState(room: StoredRoom, seq: number, body: string): void {
    for (const [key, value] of JSON.parse(body) as [string, string][]) {
      if (value === "") this.#take.run(room.no, key);
      else this.#put.run(room.no, key, value);
    }
    this.#markState.run(seq, room.no);
    room.stateSeq = seq;
  }
}
