import { SqliteRoomLog } from "../packages/server/src/adapters/sqlite/mod.ts";
import { randomNumbers, textOf } from "./words.ts";

const AT_A_TIME = 4_096;
/** Authors of what is there. */
const AUTHORS = 100;
/** A word of no other text. */
const LAST_WORD = "last";

/** Fills a room up to so many messages of so many words, into its index of words too. What is there already is kept. */
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
    // A search gives up waiting for the index; it is full when the last message is found.
    if (left === 0) while ((await log.search(room, `${LAST_WORD}${messages}`, { limit: 1 })).entries.length === 0);
  }
  await log.close();
}
