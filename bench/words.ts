/** Texts of invented words with the word frequencies of a natural language. Every run makes the same texts. */

const CONSONANTS = "bcdfghjklmnpqrstvwxz";
const VOWELS = "aeiou";
const SYLLABLES = CONSONANTS.length * VOWELS.length;
/** The number of words. */
export const WORDS = 100_000;

/** A seeded generator of numbers from 0 up to, not including, 1 (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The word of this rank, 0 being the most frequent. Each has three syllables, and none is a prefix of another. */
export function wordAt(place: number): string {
  let word = "";
  for (let rest = place, i = 0; i < 3; i += 1, rest = Math.floor(rest / SYLLABLES)) {
    const syllable = rest % SYLLABLES;
    word += `${CONSONANTS[syllable % CONSONANTS.length]}${VOWELS[Math.floor(syllable / CONSONANTS.length)]}`;
  }
  return word;
}

/** A text of `words` words. Word n is n times as rare as the first. */
export function textOf(words: number, random: () => number): string {
  return Array.from({ length: words }, () => wordAt(Math.floor(WORDS ** random()) - 1)).join(" ");
}
