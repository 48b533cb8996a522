import type { DatabaseSync } from "node:sqlite";
import { isWritten, nameKey } from "../../core/mod.ts";
import { newEpoch } from "./incarnation.ts";

/**
 * Migrates stored names to the present rules: rooms and authors get their present keys. Nothing is deleted. A room is
 * renamed after its number if another room has its key, or if its name is invalid now. Returns a line for each
 * renamed room.
 */
export function rekeyNames(db: DatabaseSync): readonly string[] {
  const rooms = db.prepare("SELECT no, name FROM rooms ORDER BY no").all() as { no: number; name: string }[];
  const stale = rooms.filter(({ name }) => nameKey(name) !== name || !isWritten(name));
  const taken = new Set(rooms.map(({ name }) => name));
  const rename = db.prepare("UPDATE rooms SET name = ? WHERE no = ?");
  const lines: string[] = [];
  let isShared = false;
  for (const { no, name } of stale) {
    let key = nameKey(name);
    const sharesKey = isWritten(key) && taken.has(key);
    if (sharesKey || !isWritten(key)) {
      key = freeName(no, taken);
      const reason = sharesKey ? "has the same name as another room now" : "has a name that nobody can type any more";
      lines.push(`The room ${quote(name)} ${reason}; it was renamed to ${key}`);
      isShared ||= sharesKey;
    }
    taken.add(key);
    rename.run(key, no);
  }
  // A client of one room would otherwise continue in the other, at a position that is meaningless there.
  if (isShared) newEpoch(db);
  db.function("name_key", { deterministic: true }, (name) => nameKey(String(name)));
  db.exec("UPDATE OR REPLACE ids SET author = name_key(author) WHERE author <> name_key(author)");
  return lines;
}

function freeName(no: number, taken: ReadonlySet<string>): string {
  let name = `room-${no}`;
  for (let i = 2; taken.has(name); i += 1) name = `room-${no}-${i}`;
  return name;
}

/** Quotes a name for the operator, with invalid characters escaped. */
function quote(name: string): string {
  const characters = Array.from(name.normalize("NFC"), (character) =>
    isWritten(`a${character}`) ? character : `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
  return `"${characters.join("")}"`;
}
