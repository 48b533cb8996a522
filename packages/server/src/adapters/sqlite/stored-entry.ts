import type { Entry, NewEntry } from "../../hub/mod.ts";
import { KINDS, SEQ_MAX } from "./schema.ts";

/** A stored entry: seq, at, kind, author, id, key, body. */
export type Row = readonly [number, number, number, string, string | null, string | null, string];

export function charactersOf(row: Row): number {
  return row[6].length;
}

/** The columns of a {@link Row}, in its order. */
export const COLUMNS: string = `place & ${SEQ_MAX}, at, kind, author, id, key, body`;

export function toEntry(room: string, epoch: string, [seq, at, kind, from, id, key, body]: Row): Entry {
  const entry = { room, epoch, seq, prev: seq - 1, id: id ?? undefined, at, from, body };
  return kind === KINDS.set ? { ...entry, kind: "set", key: key ?? "" } : { ...entry, kind: "chat" };
}

/** Replaces lone surrogates, which UTF-8 cannot store. So followers get the entry exactly as stored. */
export function toStorable(entry: NewEntry): NewEntry {
  const { id, from, body } = entry;
  const isWhole =
    body.isWellFormed() && from.isWellFormed() && (id === undefined || id.isWellFormed()) && entry.room.isWellFormed();
  if (isWhole && (entry.kind === "chat" || entry.key.isWellFormed())) return entry;
  const whole = { room: entry.room.toWellFormed(), id: id?.toWellFormed(), from: from.toWellFormed() };
  if (entry.kind === "chat") return { ...entry, ...whole, body: body.toWellFormed() };
  return { ...entry, ...whole, body: body.toWellFormed(), key: entry.key.toWellFormed() };
}
