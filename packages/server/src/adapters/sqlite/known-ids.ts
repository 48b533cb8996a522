import type { DatabaseSync, StatementSync } from "node:sqlite";
import { nameKey } from "../../core/mod.ts";
import { type Durability, transactLazily } from "./database.ts";
import { SEQ_BITS, SEQ_MAX } from "./schema.ts";

/** Numbers of ids, of which tests have smaller ones. */
export interface KnownIdsLimits {
  /** Ids that are remembered of each author and room; up to twice as many for a while. */
  readonly idsMax: number;
  /** Ids in memory; above, those that are in the table are dropped. */
  readonly cachedMax: number;
  /** Ids that are in no table yet: above the first number they are written when there is time, above the second at once. */
  readonly unwrittenIdle: number;
  readonly unwrittenMax: number;
  /** Entries of a room that are read when it is first written to after a start. */
  readonly tailMax: number;
  /** Ids that one step writes, and the rest of the last one's author. */
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
  /** By id: the entry's `seq`. Oldest first. */
  readonly ids: Map<string, number>;
  /** What is not here is not in the table either. */
  isComplete: boolean;
  /** Up to this entry the ids are in the table. */
  writtenSeq: number;
}

interface RoomIds {
  readonly no: number;
  readonly authors: Map<string, AuthorIds>;
  lastSeq: number;
  /** Up to this entry all ids are in the table, says the table of rooms. */
  markSeq: number;
  /** Up to this entry there are none any more. */
  forgottenSeq: number;
}

/** Room for room, what is being written. */
interface Round {
  readonly room: RoomIds;
  readonly until: number;
  readonly authors: Iterator<readonly [string, AuthorIds]>;
}

/**
 * The ids that each author used last in each room. An index over them in the same commit as the entries would touch a
 * page for each author: so they are kept in memory and written behind, sorted by author, and only the newest of them; what
 * was not written is found in the room's newest entries after a start.
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

  /** The `seq` of the entry that has the id; that entry may be gone. */
  find(no: number, author: string, id: string): number | undefined {
    const known = this.#author(this.#room(no), author);
    const seq = known.ids.get(id);
    if (seq !== undefined || known.isComplete) return seq;
    return this.#find.get(no, author, id)?.seq as number | undefined;
  }

  add(no: number, author: string, id: string, seq: number): void {
    this.#add(this.#room(no), author, id, seq);
  }

  /** Entries up to this one are gone, and their ids with them. */
  forget(no: number, seq: number): void {
    const room = this.#rooms.get(no);
    if (room !== undefined) room.forgottenSeq = seq;
  }

  /** What was added may not have been committed. */
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

  /** Writes a little of what is not written; false if that is not worth it. */
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
    // The last to be looked at again.
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
    // One whose entry is gone is used again: it is the newest now.
    if (author.ids.has(id)) this.#remove(author, id);
    author.ids.set(id, seq);
    room.lastSeq = seq;
    this.#cached += 1;
    this.#unwritten += 1;
    if (seq - room.markSeq > this.#limits.tailMax && this.#round?.room !== room) this.#longTail = room;
    const { idsMax } = this.#limits;
    if (author.ids.size < idsMax) return;
    author.isComplete = true;
    // Many at once: a map passes by all that were deleted from its front.
    if (author.ids.size >= 2 * idsMax) for (const old of author.ids.keys().take(idsMax)) this.#remove(author, old);
  }

  #remove(author: AuthorIds, id: string): void {
    if ((author.ids.get(id) as number) > author.writtenSeq) this.#unwritten -= 1;
    author.ids.delete(id);
    this.#cached -= 1;
  }

  /** Drops authors of which all is in the table, those that were seen first before the others. */
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
