import { type AppendResult, type NewEntry, RoomLogError } from "../../hub/mod.ts";
import { KINDS } from "./schema.ts";
import { bodyOf } from "./stored-entry.ts";

/** Entries for the writer thread, as parallel arrays: these are the fastest to copy between threads. */
export interface Batch {
  readonly rooms: readonly string[];
  readonly authorIds: readonly string[];
  readonly authors: readonly string[];
  readonly ids: readonly (string | undefined)[];
  readonly bodies: readonly string[];
  /** Absent if all entries are messages. */
  readonly kinds?: readonly number[];
  /** What each entry expects as the room's `stateSeq`. Absent if `kinds` is. */
  readonly expects?: readonly (number | undefined)[];
  /** The time when the batch was sent, in milliseconds since 1970. */
  readonly at: number;
}

/** Why an entry was not appended. An error's class would not survive the copy between threads. */
export type NotAppended =
  | Exclude<AppendResult, { type: "appended" | "unknown" | "failed" }>
  | { readonly type: "failed"; readonly reason: string };

/** The results of a batch, by the index of the entry. */
export interface Committed {
  readonly seqs: readonly number[];
  readonly ats: readonly number[];
  /** The entries that were not appended. Absent if all were. */
  readonly others?: ReadonlyMap<number, NotAppended>;
}

export function toBatch(entries: readonly NewEntry[], at: number): Batch {
  const rooms: string[] = [];
  const authorIds: string[] = [];
  const authors: string[] = [];
  const ids: (string | undefined)[] = [];
  const bodies: string[] = [];
  let isPlain = true;
  for (const entry of entries) {
    rooms.push(entry.room);
    authorIds.push(entry.author.id);
    authors.push(entry.author.name);
    ids.push(entry.id);
    bodies.push(bodyOf(entry));
    isPlain &&= entry.kind === "message";
  }
  const batch = { rooms, authorIds, authors, ids, bodies, at };
  if (isPlain) return batch;
  const expects = entries.map((entry) => (entry.kind === "message" ? undefined : entry.expectState));
  return { ...batch, kinds: entries.map(({ kind }) => KINDS[kind]), expects };
}

export function resultAt({ seqs, ats, others }: Committed, index: number): AppendResult {
  const other = others?.get(index);
  if (other === undefined) return { type: "appended", seq: seqs[index] as number, at: ats[index] as number };
  if (other.type !== "failed") return other;
  return { type: "failed", error: new RoomLogError("io", `Cannot store an entry: ${other.reason}`) };
}
