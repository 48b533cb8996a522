import { wordsIn } from "../../hub/mod.ts";

/** A room's entries are searched in blocks of so many. Another number needs a new index. */
const BLOCK_ENTRIES = 8_192;

/** The block that an entry is in; 0 is a room's first. */
export function blockOf(seq: number): number {
  return Math.floor(seq / BLOCK_ENTRIES);
}

/** The lowest `seq` that belongs to the block. */
export function blockStart(block: number): number {
  return block * BLOCK_ENTRIES;
}

/**
 * A word as it is indexed: `7x2xtea` is `tea` in block 2 of room 7. What begins with the same letters in other rooms and
 * blocks lies elsewhere in the index, so that a search costs by what one block of its room holds, whatever else there is.
 */
export function tokenOf(no: number, block: number, word: string): string {
  return `${no}x${block}x${word}`;
}

/** What is indexed of a text; SQLite's tokenizer `ascii` parts it at the spaces and nowhere else. */
export function tokensOf(no: number, seq: number, text: string): string {
  const block = blockOf(seq);
  return [...new Set(wordsIn(text))].map((word) => tokenOf(no, block, word)).join(" ");
}
