import type { Entry, NewEntry } from "../../hub/mod.ts";
import { KINDS, SEQ_MAX } from "./schema.ts";

/** An entry as it is stored: seq, at, kind, author, id, key, body. */
export type Row = readonly [number, number, number, string, string | null, string | null, string];

export function charactersOf(row: Row): number {
  return row[6].length;
}

/** Its columns, in that order. */
export const COLUMNS: string = `place & ${SEQ_MAX}, at, kind, author, id, key, body`;

export function toEntry(room: string, epoch: string, [seq, at, kind, from, id, key, body]: Row): Entry {
  const entry = { room, epoch, seq, prev: seq - 1, id: id ?? undefined, at, from, body };
  return kind === KINDS.set ? { ...entry, kind: "set", key: key ?? "" } : { ...entry, kind: "chat" };
}

/** What is followed is what is stored: UTF-8 has no half characters. */
export function toStorable(entry: NewEntry): NewEntry {
  const { id, from, body } = entry;
  const isWhole =
    body.isWellFormed() && from.isWellFormed() && (id === undefined || id.isWellFormed()) && entry.room.isWellFormed();
  if (isWhole && (entry.kind === "chat" || entry.key.isWellFormed())) return entry;
  const whole = { room: entry.room.toWellFormed(), id: id?.toWellFormed(), from: from.toWellFormed() };
  if (entry.kind === "chat") return { ...entry, ...whole, body: body.toWellFormed() };
  return { ...entry, ...whole, body: body.toWellFormed(), key: entry.key.toWellFormed() };
}
