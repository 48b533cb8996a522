import type { DatabaseSync, StatementSync } from "node:sqlite";
import { nameKey } from "../../core/mod.ts";
import { RoomLogError, timeAfter } from "../../hub/mod.ts";
import type { Batch, Committed } from "./batch.ts";
import { type Durability, toRoomLogError, transactDurably } from "./database.ts";
import type { KnownIds } from "./known-ids.ts";
import { KINDS, SEQ_BITS, SEQ_MAX } from "./schema.ts";
import type { StoredRoom, StoredRooms } from "./stored-rooms.ts";

/** The range of entries that a commit added to a room. */
export interface Growth {
  readonly fromSeq: number;
  toSeq: number;
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

  constructor(db: DatabaseSync, durability: Durability, rooms: StoredRooms, ids: KnownIds) {
    this.#db = db;
    this.#durability = durability;
    this.#rooms = rooms;
    this.#ids = ids;
    this.#insert = db.prepare(`INSERT INTO entries (place, at, kind, author, id, key, body)
      VALUES ((? << ${SEQ_BITS}) | ?, ?, ?, ?, ?, ?, ?)`);
    this.#read = db.prepare(`SELECT at, key, body FROM entries WHERE place = (? << ${SEQ_BITS}) | ?`);
    this.#put = db.prepare("INSERT OR REPLACE INTO state VALUES (?, ?, ?)");
    this.#take = db.prepare("DELETE FROM state WHERE room = ? AND key = ?");
  }

  /**
   * Commits the whole batch or nothing. Adds each room's new range to `grown`, by the room's number.
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

  #append({ rooms, froms, ids, bodies, keys, at: now }: Batch, grown: Map<number, Growth>): Committed {
    const seqs: number[] = [];
    const ats: number[] = [];
    const refused = new Set<number>();
    for (let i = 0; i < rooms.length; i += 1) {
      const room = this.#rooms.get(rooms[i] as string) ?? this.#rooms.create(rooms[i] as string);
      const from = froms[i] as string;
      const id = ids[i];
      const body = bodies[i] as string;
      const key = keys?.[i];
      const author = id === undefined ? "" : nameKey(from);
      const earlier = id === undefined ? undefined : this.#earlier(room, author, id);
      if (earlier !== undefined) {
        const isSame = earlier.body === body && earlier.key === key;
        refused.add(i);
        seqs.push(isSame ? earlier.seq : 0);
        ats.push(earlier.at);
        continue;
      }
      const seq = room.lastSeq + 1;
      if (seq > SEQ_MAX) throw new RoomLogError("io", `Cannot append to a room: it has had ${SEQ_MAX} entries`);
      const at = timeAfter(room.lastAt, now);
      const kind = key === undefined ? KINDS.chat : KINDS.set;
      this.#insert.run(room.no, seq, at, kind, from, id ?? null, key ?? null, body);
      if (key !== undefined) {
        if (body === "") this.#take.run(room.no, key);
        else this.#put.run(room.no, key, body);
      }
      if (id !== undefined) this.#ids.add(room.no, author, id, seq);
      room.lastSeq = seq;
      room.lastAt = at;
      const growth = grown.get(room.no);
      if (growth === undefined) grown.set(room.no, { fromSeq: seq, toSeq: seq });
      else growth.toSeq = seq;
      seqs.push(seq);
      ats.push(at);
    }
    return refused.size === 0 ? { seqs, ats } : { seqs, ats, refused };
  }

  #earlier(room: StoredRoom, author: string, id: string) {
    const seq = this.#ids.find(room.no, author, id);
    const row = seq === undefined ? undefined : this.#read.get(room.no, seq);
    if (seq === undefined || row === undefined) return undefined;
    return { seq, at: row.at as number, key: (row.key ?? undefined) as string | undefined, body: row.body as string };
  }
}
