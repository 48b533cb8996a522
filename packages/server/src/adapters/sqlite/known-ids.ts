import type { DatabaseSync, StatementSync } from "node:sqlite";
import { nameKey } from "../../core/mod.ts";
import { type Durability, transactLazily } from "./database.ts";
import { SEQ_BITS, SEQ_MAX } from "./schema.ts";

/** Sizes of {@link KnownIds}. Tests use smaller ones. */
export interface KnownIdsLimits {
  /** Ids remembered per author and room. Up to twice as many at times. */
  readonly idsMax: number;
  /** Ids cached in memory. Past this, ids that are in the table are evicted. */
  readonly cachedMax: number;
  /**
   * Ids not written to the table yet. Past `unwrittenIdle` they are written in idle time, past `unwrittenMax` at
   * once.
   */
  readonly unwrittenIdle: number;
  readonly unwrittenMax: number;
  /** Entries that are read when a room is first written to after a start. */
  readonly tailMax: number;
  /** Ids written in one step, plus the rest of the last author's ids. */
  readonly stepIds: number;
}

const LIMITS: KnownIdsLimits = {
  idsMax: 1_024,
  cachedMax: 262_144,
  unwrittenIdle: 8_192,
  unwrittenMax: 131_072,
  tailMax: 262_144,
  stepIds: 512,
};

interface AuthorIds {
  /** The entry's `seq` by id, oldest first. */
  readonly ids: Map<string, number>;
  /** Whether `ids` has all of the author's remembered ids. If so, the table is not read. */
  isComplete: boolean;
  /** The ids of entries up to this `seq` are in the table. */
  writtenSeq: number;
}

interface RoomIds {
  readonly no: number;
  readonly authors: Map<string, AuthorIds>;
  lastSeq: number;
  /** All ids of entries up to this `seq` are in the table, according to the table of rooms. */
  markSeq: number;
  /** The entries up to this `seq` were removed. */
  forgottenSeq: number;
}

/** One pass of writing a room's ids, author by author. */
interface Round {
  readonly room: RoomIds;
  readonly until: number;
  readonly authors: Iterator<readonly [string, AuthorIds]>;
}

/**
 * The last ids of each author in each room, to detect duplicates. An index in the same commit as the entries would
 * write a page per author. So the ids are kept in memory and written in the background, sorted by author, and only
 * each author's newest. After a start, the ids not written yet are read from the room's newest entries.
 */
export class KnownIds {
  readonly #db: DatabaseSync;
  readonly #durability: Durability;
  readonly #limits: KnownIdsLimits;
  readonly #rooms = new Map<number, RoomIds>();
  #cached = 0;
  #unwritten = 0;
  #round: Round | undefined;
  #longTail: RoomIds | undefined;
  readonly #readMark: StatementSync;
  readonly #readTail: StatementSync;
  readonly #knowsAuthor: StatementSync;
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #mark: StatementSync;

  constructor(db: DatabaseSync, durability: Durability, limits: KnownIdsLimits = LIMITS) {
    this.#db = db;
    this.#durability = durability;
    this.#limits = limits;
    this.#readMark = db.prepare("SELECT ids_seq FROM rooms WHERE no = ?");
    this.#readTail = db.prepare(`SELECT place & ${SEQ_MAX} AS seq, author, id FROM entries
      WHERE place > (? << ${SEQ_BITS}) | ? AND place <= (? << ${SEQ_BITS}) | ${SEQ_MAX} AND id IS NOT NULL ORDER BY place`);
    this.#knowsAuthor = db.prepare("SELECT 1 FROM ids WHERE room = ? AND author = ? LIMIT 1");
    this.#find = db.prepare("SELECT seq FROM ids WHERE room = ? AND author = ? AND id = ?");
    this.#insert = db.prepare("INSERT OR REPLACE INTO ids VALUES (?, ?, ?, ?)");
    this.#mark = db.prepare("UPDATE rooms SET ids_seq = max(ids_seq, ?) WHERE no = ?");
  }

  /** Returns the `seq` of the entry with this id. That entry may be removed already. */
  find(no: number, author: string, id: string): number | undefined {
    const known = this.#author(this.#room(no), author);
    const seq = known.ids.get(id);
    if (seq !== undefined || known.isComplete) return seq;
    return this.#find.get(no, author, id)?.seq as number | undefined;
  }

  add(no: number, author: string, id: string, seq: number): void {
    this.#add(this.#room(no), author, id, seq);
  }

  /** The entries up to this `seq`, and their ids, were removed. */
  forget(no: number, seq: number): void {
    const room = this.#rooms.get(no);
    if (room !== undefined) room.forgottenSeq = seq;
  }

  /** Clears the cache, because what was added may not be committed. */
  clear(): void {
    this.#rooms.clear();
    this.#cached = 0;
    this.#unwritten = 0;
    this.#round = undefined;
    this.#longTail = undefined;
  }

  get isUrgent(): boolean {
    return this.#unwritten > this.#limits.unwrittenMax || this.#longTail !== undefined;
  }

  /** Writes some of the unwritten ids. Returns false if there are too few. */
  step(): boolean {
    if (this.#round === undefined && this.#unwritten <= this.#limits.unwrittenIdle && this.#longTail === undefined)
      return false;
    this.#round ??= this.#nextRound();
    const round = this.#round;
    if (round === undefined) return false;
    const written: [AuthorIds, number][] = [];
    const isDone = transactLazily(this.#db, this.#durability, () => this.#write(round, written));
    for (const [author, count] of written) {
      author.writtenSeq = round.until;
      this.#unwritten -= count;
    }
    if (isDone) {
      round.room.markSeq = round.until;
      this.#round = undefined;
      this.#drop();
    }
    return true;
  }

  #nextRound(): Round | undefined {
    let room = this.#longTail;
    this.#longTail = undefined;
    if (room === undefined) for (room of this.#rooms.values()) if (room.lastSeq > room.markSeq) break;
    if (room === undefined || room.lastSeq <= room.markSeq) return undefined;
    // Move the room to the end of the order.
    this.#rooms.delete(room.no);
    this.#rooms.set(room.no, room);
    return { room, until: room.lastSeq, authors: room.authors.entries() };
  }

  #write({ room, until, authors }: Round, written: [AuthorIds, number][]): boolean {
    let count = 0;
    while (count < this.#limits.stepIds) {
      const next = authors.next();
      if (next.done === true) {
        this.#mark.run(until, room.no);
        return true;
      }
      const [name, author] = next.value;
      let unwritten = 0;
      let tooMany = author.ids.size - this.#limits.idsMax;
      for (const [id, seq] of author.ids) {
        tooMany -= 1;
        if (seq <= author.writtenSeq || seq > until) continue;
        unwritten += 1;
        if (tooMany >= 0 || seq <= room.forgottenSeq) continue;
        this.#insert.run(room.no, name, id, seq);
        count += 1;
      }
      written.push([author, unwritten]);
    }
    return false;
  }

  #room(no: number): RoomIds {
    let room = this.#rooms.get(no);
    if (room === undefined) {
      const markSeq = (this.#readMark.get(no)?.ids_seq ?? 0) as number;
      room = { no, authors: new Map(), lastSeq: markSeq, markSeq, forgottenSeq: 0 };
      this.#rooms.set(no, room);
      for (const { seq, author, id } of this.#readTail.iterate(no, markSeq, no)) {
        this.#add(room, nameKey(author as string), id as string, seq as number);
      }
    }
    return room;
  }

  #author(room: RoomIds, name: string): AuthorIds {
    let author = room.authors.get(name);
    if (author === undefined) {
      const isComplete = this.#knowsAuthor.get(room.no, name) === undefined;
      author = { ids: new Map(), isComplete, writtenSeq: room.markSeq };
      room.authors.set(name, author);
    }
    return author;
  }

  #add(room: RoomIds, name: string, id: string, seq: number): void {
    const author = this.#author(room, name);
    // The id's earlier entry was removed, so the id was used again. Move it to the end.
    if (author.ids.has(id)) this.#remove(author, id);
    author.ids.set(id, seq);
    room.lastSeq = seq;
    this.#cached += 1;
    this.#unwritten += 1;
    if (seq - room.markSeq > this.#limits.tailMax && this.#round?.room !== room) this.#longTail = room;
    const { idsMax } = this.#limits;
    if (author.ids.size < idsMax) return;
    author.isComplete = true;
    // Remove many at once: a map's iterator walks over all entries deleted at its front.
    if (author.ids.size >= 2 * idsMax) for (const old of author.ids.keys().take(idsMax)) this.#remove(author, old);
  }

  #remove(author: AuthorIds, id: string): void {
    if ((author.ids.get(id) as number) > author.writtenSeq) this.#unwritten -= 1;
    author.ids.delete(id);
    this.#cached -= 1;
  }

  /** Evicts authors whose ids are all in the table, in the order in which they were added. */
  #drop(): void {
    if (this.#cached <= this.#limits.cachedMax) return;
    for (const room of this.#rooms.values()) {
      for (const [name, { ids, writtenSeq }] of room.authors) {
        if (([...ids.values()].at(-1) ?? 0) > writtenSeq) continue;
        room.authors.delete(name);
        this.#cached -= ids.size;
        if (this.#cached <= this.#limits.cachedMax / 2) return;
      }
      if (room.authors.size === 0) this.#rooms.delete(room.no);
    }
  }
}
