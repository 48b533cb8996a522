import { SqliteRoomLog } from "../packages/server/src/adapters/sqlite/mod.ts";
import { randomNumbers, textOf } from "./words.ts";

const AT_A_TIME = 4_096;
/** The number of authors. */
const AUTHORS = 100;
/** A word that no other text contains. */
const LAST_WORD = "last";

/** Adds messages until the room has `messages` of them, and waits until all are indexed. Keeps existing messages. */
export async function fillRoom(folder: string, room: string, messages: number, words = 9): Promise<void> {
  const log = await SqliteRoomLog.open({ folder, durability: "process" });
  const { seq } = await log.open(room);
  const random = randomNumbers(seq);
  let left = messages - seq;
  while (left > 0) {
    const count = Math.min(left, AT_A_TIME);
    left -= count;
    const texts = Array.from({ length: count }, () => textOf(words, random));
    if (left === 0) texts[count - 1] = `${LAST_WORD}${messages}`;
    await log.append(
      texts.map((body, i) => ({ room, id: undefined, kind: "chat", from: `author${i % AUTHORS}`, body })),
    );
    // One search may return before the index is complete. Repeat it until it finds the last message.
    if (left === 0) while ((await log.search(room, `${LAST_WORD}${messages}`, { limit: 1 })).entries.length === 0);
  }
  await log.close();
}
