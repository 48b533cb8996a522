import type { AppendResult, NewEntry } from "../../hub/mod.ts";

/** Entries for the writer thread, as parallel arrays: these are the fastest to copy between threads. */
export interface Batch {
  readonly rooms: readonly string[];
  readonly froms: readonly string[];
  readonly ids: readonly (string | undefined)[];
  readonly bodies: readonly string[];
  /** The keys of `set` entries. Absent if the batch has none. */
  readonly keys?: readonly (string | undefined)[];
  /** The time when the batch was sent, in milliseconds since 1970. */
  readonly at: number;
}

/** The results of a batch, by the index of the entry. */
export interface Committed {
  /** The entry's `seq`, or that of its duplicate, or 0 if the id was used for another text. */
  readonly seqs: readonly number[];
  readonly ats: readonly number[];
  /** The indexes of entries that were not appended. Absent if all were. */
  readonly refused?: ReadonlySet<number>;
}

export function toBatch(entries: readonly NewEntry[], at: number): Batch {
  const rooms: string[] = [];
  const froms: string[] = [];
  const ids: (string | undefined)[] = [];
  const bodies: string[] = [];
  for (const { room, from, id, body } of entries) {
    rooms.push(room);
    froms.push(from);
    ids.push(id);
    bodies.push(body);
  }
  const batch = { rooms, froms, ids, bodies, at };
  if (entries.every(({ kind }) => kind === "chat")) return batch;
  return { ...batch, keys: entries.map((entry) => (entry.kind === "set" ? entry.key : undefined)) };
}

export function resultAt({ seqs, ats, refused }: Committed, index: number): AppendResult {
  const seq = seqs[index] as number;
  const at = ats[index] as number;
  if (refused?.has(index) !== true) return { type: "appended", seq, at };
  return seq === 0 ? { type: "id-reused" } : { type: "duplicate", seq, at };
}
