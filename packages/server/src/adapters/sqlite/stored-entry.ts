import type { Author, Entry, NewEntry } from "../../hub/mod.ts";
import { KINDS, SEQ_MAX } from "./schema.ts";

/** A stored entry: seq, at, kind, author's id and name, id, body. */
export type Row = readonly [number, number, number, string, string, string | null, string];

export function charactersOf(row: Row): number {
  return row[6].length;
}

/** The columns of a {@link Row}, in its order. */
export const COLUMNS: string = `place & ${SEQ_MAX}, at, kind, author_id, author, id, body`;

export function toEntry(room: string, epoch: string, [seq, at, kind, authorId, name, id, body]: Row): Entry {
  const entry = { room, epoch, seq, prev: seq - 1, id: id ?? undefined, at, author: { id: authorId, name } };
  if (kind === KINDS.message) return { ...entry, kind: "message", text: body };
  if (kind === KINDS.set) return { ...entry, kind: "set", changes: new Map(JSON.parse(body)) };
  const [userId, userName, reason] = JSON.parse(body);
  return { ...entry, kind: "kick", user: { id: userId, name: userName }, reason };
}

/** Returns the content as stored: a text, or JSON. */
export function bodyOf(entry: NewEntry): string {
  if (entry.kind === "message") return entry.text;
  if (entry.kind === "kick") return JSON.stringify([entry.user.id, entry.user.name, entry.reason]);
  return JSON.stringify([...entry.changes].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Replaces lone surrogates, which UTF-8 cannot store. So followers get the entry exactly as stored. */
export function toStorable(entry: NewEntry): NewEntry {
  const { room, id, author } = entry;
  const isWhole =
    room.isWellFormed() && author.name.isWellFormed() && author.id.isWellFormed() && (id?.isWellFormed() ?? true);
  if (isWhole && entry.kind === "message" && entry.text.isWellFormed()) return entry;
  const whole = { room: room.toWellFormed(), id: id?.toWellFormed(), author: wellFormed(author) };
  if (entry.kind === "message") return { ...entry, ...whole, text: entry.text.toWellFormed() };
  if (entry.kind === "kick") {
    return { ...entry, ...whole, user: wellFormed(entry.user), reason: entry.reason.toWellFormed() };
  }
  const changes = [...entry.changes].map(([key, value]) => [key.toWellFormed(), value.toWellFormed()] as const);
  return { ...entry, ...whole, changes: new Map(changes) };
}

function wellFormed({ id, name }: Author): Author {
  return { id: id.toWellFormed(), name: name.toWellFormed() };
}
