/** What is looked at of a query, in UTF-16 units; the rest does not narrow the search. */
export const QUERY_CHARACTERS_MAX = 256;

/** Words of a query that count. */
const WORDS_MAX = 16;

/**
 * The words of a query: what stands between anything that is no letter and no digit. Case and the accents of Latin letters make no
 * difference.
 * Beyond {@link QUERY_CHARACTERS_MAX} and 16 words a query does not narrow the search any more.
 */
export function wordsOf(query: string): readonly string[] {
  return wordsIn(query.slice(0, QUERY_CHARACTERS_MAX)).slice(0, WORDS_MAX);
}

/** Tells whether a text has all the words; the last one may be the beginning of one. */
export function hasWords(text: string, words: readonly string[]): boolean {
  const own = new Set(wordsIn(text));
  const last = words.at(-1);
  return last !== undefined && words.every((word) => own.has(word) || (word === last && startsOne(own, last)));
}

function startsOne(words: Iterable<string>, start: string): boolean {
  for (const word of words) if (word.startsWith(start)) return true;
  return false;
}

/** All words of a text, in the form in which they are compared. */
export function wordsIn(text: string): readonly string[] {
  const plain = text.normalize("NFD").replace(/(\p{Script=Latin})\p{M}+/gu, "$1");
  // Composed again after the accents are off: a syllable of Korean is one letter.
  return (
    plain
      .normalize("NFC")
      .toLowerCase()
      .match(/[\p{L}\p{N}\p{M}\p{Co}]+/gu) ?? []
  );
}
