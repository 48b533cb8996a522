import type { DatabaseSync, StatementSync } from "node:sqlite";
import { ROOMS_MAX, SEQ_BITS, SEQ_MAX } from "./schema.ts";

/** Most rooms cached. */
const CACHED_MAX = 10_000;

/** A room and the end of its log. */
export interface StoredRoom {
  readonly no: number;
  lastSeq: number;
  lastAt: number;
  /** The `seq` of the newest entry that changed the state. */
  stateSeq: number;
}

/** A room's position and state, at one moment. */
export interface StoredState {
  readonly seq: number;
  readonly stateSeq: number;
  readonly state: readonly (readonly [key: string, value: string])[];
}

/** The writer's view of the rooms: their numbers and the ends of their logs. */
export class StoredRooms {
  readonly #cached = new Map<string, StoredRoom>();
  readonly #find: StatementSync;
  readonly #findLast: StatementSync;
  readonly #insert: StatementSync;
  readonly #delete: StatementSync;
  readonly #readState: StatementSync;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare("SELECT no, forgotten_seq, forgotten_at, state_seq FROM rooms WHERE name = ?");
    this.#findLast = db.prepare(`SELECT place & ${SEQ_MAX} AS seq, at FROM entries
      WHERE place BETWEEN ? << ${SEQ_BITS} AND (? << ${SEQ_BITS}) | ${SEQ_MAX} ORDER BY place DESC LIMIT 1`);
    this.#insert = db.prepare("INSERT INTO rooms (name) VALUES (?)");
    this.#delete = db.prepare("DELETE FROM rooms WHERE no = ?");
    this.#readState = db.prepare("SELECT key, value FROM state WHERE room = ?");
    this.#readState.setReturnArrays(true);
  }

  get(name: string): StoredRoom | undefined {
    return this.#cached.get(name) ?? this.#load(name);
  }

  /** Returns the present state, also of a room that does not exist yet. */
  state(name: string): StoredState {
    const room = this.get(name);
    if (room === undefined) return { seq: 0, stateSeq: 0, state: [] };
    const { no, lastSeq, stateSeq } = room;
    return { seq: lastSeq, stateSeq, state: this.#readState.all(no) as unknown as [string, string][] };
  }

  /** Creates a room, unless there are {@link ROOMS_MAX}. Call it in a transaction. */
  create(name: string): StoredRoom | undefined {
    const no = Number(this.#insert.run(name).lastInsertRowid);
    if (no > ROOMS_MAX) {
      this.#delete.run(no);
      return undefined;
    }
    return this.#remember(name, { no, lastSeq: 0, lastAt: 0, stateSeq: 0 });
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
    return this.#remember(name, { no, lastSeq, lastAt, stateSeq: row.state_seq as number });
  }

  #remember(name: string, room: StoredRoom): StoredRoom {
    if (this.#cached.size >= CACHED_MAX) this.#cached.delete(this.#cached.keys().next().value as string);
    this.#cached.set(name, room);
    return room;
  }
}
