import type { DatabaseSync, StatementSync } from "node:sqlite";
import { RoomLogError } from "../../hub/mod.ts";
import { ROOMS_MAX, SEQ_BITS, SEQ_MAX } from "./schema.ts";

/** Most rooms cached. */
const CACHED_MAX = 10_000;

/** A room and the end of its log. */
export interface StoredRoom {
  readonly no: number;
  lastSeq: number;
  lastAt: number;
}

/** The writer's view of the rooms: their numbers and the ends of their logs. */
export class StoredRooms {
  readonly #cached = new Map<string, StoredRoom>();
  readonly #find: StatementSync;
  readonly #findLast: StatementSync;
  readonly #insert: StatementSync;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare("SELECT no, forgotten_seq, forgotten_at FROM rooms WHERE name = ?");
    this.#findLast = db.prepare(`SELECT place & ${SEQ_MAX} AS seq, at FROM entries
      WHERE place BETWEEN ? << ${SEQ_BITS} AND (? << ${SEQ_BITS}) | ${SEQ_MAX} ORDER BY place DESC LIMIT 1`);
    this.#insert = db.prepare("INSERT INTO rooms (name) VALUES (?)");
  }

  get(name: string): StoredRoom | undefined {
    return this.#cached.get(name) ?? this.#load(name);
  }

  /** Creates a room. Call it in a transaction. */
  create(name: string): StoredRoom {
    const no = Number(this.#insert.run(name).lastInsertRowid);
    if (no > ROOMS_MAX) throw new RoomLogError("io", `Cannot create a room: there are ${ROOMS_MAX} already`);
    return this.#remember(name, { no, lastSeq: 0, lastAt: 0 });
  }

  /** Clears the cache, because what was added may not be committed. */
  clear(): void {
    this.#cached.clear();
  }

  #load(name: string): StoredRoom | undefined {
    const row = this.#find.get(name);
    if (row === undefined) return undefined;
    const no = row.no as number;
    const last = this.#findLast.get(no, no);
    const lastSeq = (last?.seq ?? row.forgotten_seq) as number;
    const lastAt = (last?.at ?? row.forgotten_at) as number;
    return this.#remember(name, { no, lastSeq, lastAt });
  }

  #remember(name: string, room: StoredRoom): StoredRoom {
    if (this.#cached.size >= CACHED_MAX) this.#cached.delete(this.#cached.keys().next().value as string);
    this.#cached.set(name, room);
    return room;
  }
}
