import { rmSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { RoomLogError } from "../../hub/mod.ts";
import { firstValue, transact } from "./database.ts";
import { createInFolder } from "./folders.ts";
import { rekeyNames } from "./rekey-names.ts";

/** The database file's name, in its folder. */
export const DATABASE_FILE = "landline.db";

/** The application id that marks the file as Landline's: `LNDL`. */
export const APPLICATION_ID = 0x4c4e444c;

/**
 * An entry's `place` has the room's number in its high bits and its `seq` in the low bits, so a room's entries are
 * adjacent.
 */
export const SEQ_BITS = 35;
export const SEQ_MAX: number = 2 ** SEQ_BITS - 1;
export const ROOMS_MAX: number = 2 ** 28 - 1;

/** The stored kinds of entries. 2 and 3 are reserved for `edit` and `delete`. */
export const KINDS = { message: 0, set: 1, kick: 4 } as const;

/** SQL, or a function that returns lines for the operator. */
export type Migration = string | ((db: DatabaseSync) => readonly string[]);

/** Each migrates the schema by one version; the first creates it. Never change a released one: add another. */
export const MIGRATIONS: readonly Migration[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- Up to forgotten_seq the entries are gone, the last of them from forgotten_at; up to ids_seq they are in ids, up to
  -- words_seq in words.
  CREATE TABLE rooms (
    no INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    forgotten_seq INTEGER NOT NULL DEFAULT 0,
    forgotten_at INTEGER NOT NULL DEFAULT 0,
    ids_seq INTEGER NOT NULL DEFAULT 0,
    words_seq INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  -- place: no << 35 | seq. key belongs to kind 1. reply_to is the seq that an entry answers, edits or takes back.
  CREATE TABLE entries (
    place INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    author TEXT NOT NULL,
    id TEXT,
    key TEXT,
    body TEXT NOT NULL,
    reply_to INTEGER
  ) STRICT;

  CREATE TABLE state (
    room INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (room, key)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE ids (
    room INTEGER NOT NULL,
    author TEXT NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (room, author, id)
  ) STRICT, WITHOUT ROWID;

  CREATE VIRTUAL TABLE words USING fts5(
    body, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2"
  );
  `,
  `
  -- What is indexed is no longer the text, but the tokens that word-tokens.ts makes of it.
  DROP TABLE words;
  CREATE VIRTUAL TABLE words USING fts5(body, content = '', contentless_delete = 1, detail = none, tokenize = "ascii");
  UPDATE rooms SET words_seq = forgotten_seq;
  `,
  rekeyNames,
  `
  -- The words of rooms, in blocks of entries that follow each other: see word-index.ts. first and last are the places of
  -- a block's entries. Up to words_seq, a room's entries are in blocks.
  DROP TABLE words;
  CREATE TABLE blocks (no INTEGER PRIMARY KEY, first INTEGER NOT NULL UNIQUE, last INTEGER NOT NULL) STRICT;
  CREATE TABLE words (
    block INTEGER NOT NULL,
    word TEXT NOT NULL,
    entries TEXT NOT NULL,
    PRIMARY KEY (block, word)
  ) STRICT, WITHOUT ROWID;
  UPDATE rooms SET words_seq = 0;
  `,
  (db) => {
    // A `set` entry may have several keys, so its body has them all. state_seq is at or after the newest one, because
    // that entry may be gone already.
    db.function("set_body", { deterministic: true }, (key, value) => JSON.stringify([[key, value]]));
    db.exec(`
      ALTER TABLE rooms ADD COLUMN state_seq INTEGER NOT NULL DEFAULT 0;
      UPDATE rooms SET state_seq = max(forgotten_seq, coalesce((SELECT max(place) & ${SEQ_MAX} FROM entries
        WHERE place BETWEEN no << ${SEQ_BITS} AND (no << ${SEQ_BITS}) | ${SEQ_MAX}), 0))
        WHERE no IN (SELECT room FROM state);
      UPDATE entries SET body = set_body(key, body) WHERE kind = ${KINDS.set};
      ALTER TABLE entries DROP COLUMN key;
      ALTER TABLE entries ADD COLUMN author_id TEXT NOT NULL DEFAULT '';
    `);
    return [];
  },
];

/**
 * Migrates the database to the newest schema version, after a backup of the older one beside it. Returns lines for
 * the operator.
 *
 * @throws {RoomLogError} `not-a-log` when the file belongs to another program.
 * @throws {RoomLogError} `newer-version` when a newer version of Landline wrote it.
 */
export function migrate(
  db: DatabaseSync,
  file: string,
  now: Date,
  migrations: readonly Migration[] = MIGRATIONS,
): readonly string[] {
  const version = checkVersion(db, file, migrations.length);
  if (version === migrations.length) return [];
  if (version > 0) backUpBefore(db, file, version, now);
  return transact(db, () => {
    const lines: string[] = [];
    for (const migration of migrations.slice(version)) {
      if (typeof migration === "string") db.exec(migration);
      else lines.push(...migration(db));
    }
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${migrations.length}`);
    return lines;
  });
}

/** Returns the schema version, or 0 for an empty file. */
export function checkVersion(db: DatabaseSync, file: string, newest: number = MIGRATIONS.length): number {
  const isEmpty = firstValue(db, "SELECT count(*) FROM sqlite_schema") === 0;
  const version = Number(firstValue(db, "PRAGMA user_version"));
  if (isEmpty && version === 0) return 0;
  if (firstValue(db, "PRAGMA application_id") !== APPLICATION_ID) {
    throw new RoomLogError("not-a-log", `Cannot open ${file}: it is not a database of Landline's`);
  }
  if (version > newest) {
    const versions = `its schema has version ${version}, this Landline knows ${newest}`;
    throw new RoomLogError("newer-version", `Cannot open ${file}: ${versions}; use a newer Landline`);
  }
  return version;
}

/** Returns the newest entry of the newest room, or room 0 if there is none. */
export function newestPlace(db: DatabaseSync): { readonly room: number; readonly seq: number } {
  const sql = `SELECT place >> ${SEQ_BITS} AS room, place & ${SEQ_MAX} AS seq FROM entries ORDER BY place DESC LIMIT 1`;
  const row = db.prepare(sql).get();
  return { room: (row?.room ?? 0) as number, seq: (row?.seq ?? 0) as number };
}

function backUpBefore(db: DatabaseSync, file: string, version: number, now: Date): void {
  const backup = datedName(file, now, `v${version}-`);
  // An existing one is an incomplete backup, or of a start in the same millisecond.
  rmSync(backup, { force: true });
  createInFolder(backup);
  db.prepare("VACUUM INTO ?").run(backup);
}

/** Returns a dated name, for example `landline-v1-2026-11-22T10-00-00.000Z.db` for `landline.db`. */
export function datedName(file: string, now: Date, what: string = ""): string {
  return file.replace(/(\.db)?$/, `-${what}${now.toISOString().replaceAll(":", "-")}$1`);
}
