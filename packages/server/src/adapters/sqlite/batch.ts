import type { AppendResult, NewEntry } from "../../hub/mod.ts";

/** Entries on their way to the writer, as parallel arrays: that is what costs least between threads. */
export interface Batch {
  readonly rooms: readonly string[];
  readonly froms: readonly string[];
  readonly ids: readonly (string | undefined)[];
  readonly bodies: readonly string[];
  /** The keys of `set` entries; absent if there is none. */
  readonly keys?: readonly (string | undefined)[];
  /** The clock when the batch left. */
  readonly at: number;
}

/** What became of a batch, entry by entry. */
export interface Committed {
  /** Where the entry is, or the first one with its id; 0 where the id was used for another. */
  readonly seqs: readonly number[];
  readonly ats: readonly number[];
  /** Which of them were not appended; absent if all were. */
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
