import { wordsIn } from "../../hub/mod.ts";

/** Entries in one block of a room. A change of this number requires a new index. */
const BLOCK_ENTRIES = 8_192;

/** Returns the block of an entry. 0 is the room's first. */
export function blockOf(seq: number): number {
  return Math.floor(seq / BLOCK_ENTRIES);
}

/** Returns the lowest `seq` of the block. */
export function blockStart(block: number): number {
  return block * BLOCK_ENTRIES;
}

/**
 * Returns the indexed form of a word: `7x2xtea` is `tea` in block 2 of room 7. Words of other rooms and blocks are
 * elsewhere in the index. So the cost of a search depends only on the content of the blocks it visits.
 */
export function tokenOf(no: number, block: number, word: string): string {
  return `${no}x${block}x${word}`;
}

/** Returns the indexed form of a text. SQLite's `ascii` tokenizer splits it at the spaces only. */
export function tokensOf(no: number, seq: number, text: string): string {
  const block = blockOf(seq);
  return [...new Set(wordsIn(text))].map((word) => tokenOf(no, block, word)).join(" ");
}
