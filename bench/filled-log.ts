import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { SqliteRoomLog } from "../packages/server/src/adapters/sqlite/mod.ts";
import type { Author } from "../packages/server/src/hub/mod.ts";
import { randomNumbers, textOf } from "./words.ts";

/** Most entries that are not indexed. */
const BLOCK_ENTRIES = 512;
const AT_A_TIME = 4_096;
/** The number of authors. */
const AUTHORS = 100;
/** A word that no other text contains. */
const LAST_WORD = "last";

/** Adds messages until the room has `messages` of them, and waits until all are indexed. Keeps existing messages. */
export async function fillRoom(folder: string, room: string, messages: number, words = 9): Promise<void> {
  const log = await SqliteRoomLog.open({ folder, durability: "process" });
  const { seq } = (await log.open(room)).position;
  const random = randomNumbers(seq);
  const authors = Array.from({ length: AUTHORS }, (_, i): Author => ({ id: `id${i}`, name: `author${i}` }));
  let left = messages - seq;
  while (left > 0) {
    const count = Math.min(left, AT_A_TIME);
    left -= count;
    const texts = Array.from({ length: count }, () => textOf(words, random));
    if (left === 0) texts[count - 1] = `${LAST_WORD}${messages}`;
    await log.append(
      texts.map((text, i) => ({ room, id: undefined, kind: "message", author: authors[i % AUTHORS] as Author, text })),
    );
  }
  const db = new DatabaseSync(join(folder, "landline.db"), { readOnly: true });
  const indexed = db.prepare("SELECT words_seq FROM rooms WHERE name = ?");
  // The newest messages are not indexed.
  while (Number(indexed.get(room)?.words_seq) <= messages - BLOCK_ENTRIES) await setTimeout(100);
  db.close();
  await log.close();
}
