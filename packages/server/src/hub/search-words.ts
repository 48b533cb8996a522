/** Longest part of a query that is read, in UTF-16 units. The rest is ignored. */
export const QUERY_CHARACTERS_MAX = 256;

/** Most words of a query. The rest is ignored. */
const WORDS_MAX = 16;

/**
 * Returns the words of a query: runs of letters, marks and digits. Case and the accents of Latin letters are ignored,
 * as is everything past {@link QUERY_CHARACTERS_MAX} units or 16 words.
 */
export function wordsOf(query: string): readonly string[] {
  return wordsIn(query.slice(0, QUERY_CHARACTERS_MAX)).slice(0, WORDS_MAX);
}

/** Whether a text contains all the words. The last one also matches as a prefix. */
export function hasWords(text: string, words: readonly string[]): boolean {
  const own = new Set(wordsIn(text));
  const last = words.at(-1);
  return last !== undefined && words.every((word) => own.has(word) || (word === last && startsOne(own, last)));
}

function startsOne(words: Iterable<string>, start: string): boolean {
  for (const word of words) if (word.startsWith(start)) return true;
  return false;
}

/** Returns all words of a text, in the form that is compared. */
export function wordsIn(text: string): readonly string[] {
  const plain = text.normalize("NFD").replace(/(\p{Script=Latin})\p{M}+/gu, "$1");
  // Compose again after removing accents: a Korean syllable is one letter.
  return (
    plain
      .normalize("NFC")
      .toLowerCase()
      .match(/[\p{L}\p{N}\p{M}\p{Co}]+/gu) ?? []
  );
}
