/** Texts of made-up words that are as unequally frequent as those of a language; the same ones in every run. */

const CONSONANTS = "bcdfghjklmnpqrstvwxz";
const VOWELS = "aeiou";
const SYLLABLES = CONSONANTS.length * VOWELS.length;
/** Words that there are. */
export const WORDS = 100_000;

/** Numbers from 0 to 1 that look random (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The word with this place among the {@link WORDS}, the most frequent first. All have three syllables, none begins another. */
export function wordAt(place: number): string {
  let word = "";
  for (let rest = place, i = 0; i < 3; i += 1, rest = Math.floor(rest / SYLLABLES)) {
    const syllable = rest % SYLLABLES;
    word += `${CONSONANTS[syllable % CONSONANTS.length]}${VOWELS[Math.floor(syllable / CONSONANTS.length)]}`;
  }
  return word;
}

/** A text of `words` words: word n is n times as rare as the first. */
export function textOf(words: number, random: () => number): string {
  return Array.from({ length: words }, () => wordAt(Math.floor(WORDS ** random()) - 1)).join(" ");
}
