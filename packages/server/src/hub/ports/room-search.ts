import type { Entry } from "./room-log.ts";

/** Options of one step of {@link RoomSearch.search}. */
export interface SearchOptions {
  /** Only entries before this `seq`. @default from the newest entry */
  readonly before?: number | undefined;
  /** Most entries. */
  readonly limit: number;
  /** The step ends when the texts found exceed this many UTF-16 units. @default no limit */
  readonly charactersMax?: number | undefined;
}

/** What one step of a search has found. */
export interface Found {
  /** Newest first. */
  readonly entries: readonly Entry[];
  /** The step has ended early: the next one searches before this `seq`. Absent if the search is complete. */
  readonly before?: number | undefined;
}

/**
 * Full-text search over the messages of rooms. It is optional: a hub without it answers `search` with `unsupported`.
 *
 * A search is a sequence of steps. Each takes some milliseconds, so that the hub can let others have their turn between
 * two of them.
 */
export interface RoomSearch {
  /**
   * Finds the newest `chat` entries that match the query, as {@link hasWords} says of {@link queryWords}. Entries that
   * were committed before the call are found.
   *
   * @throws {RoomLogError} `busy`, `io`, `closed`, `failed`.
   */
  search(room: string, query: string, options: SearchOptions): Promise<Found>;
}

/** Longest part of a query that is read, in UTF-16 units. */
const QUERY_CHARACTERS_MAX = 256;

/** A word that a text must contain, in the form that {@link wordsIn} returns. */
export interface QueryWord {
  readonly text: string;
  /** A longer word that begins with it matches as well. */
  readonly isPrefix: boolean;
}

/**
 * Returns what a text must contain to match: every word of the query, in any order. The last word may be the beginning of
 * a longer one, and so may a single character of a script without spaces. Everything past {@link QUERY_CHARACTERS_MAX}
 * is ignored. A query without words matches nothing.
 */
export function queryWords(query: string): readonly QueryWord[] {
  const words = new Map<string, QueryWord>();
  const parts = partsOf(fold(query.slice(0, QUERY_CHARACTERS_MAX)));
  for (const [i, part] of parts.entries()) {
    const pairs = UNSPACED_FIRST.test(part) ? pairsOf(part) : [];
    const isPrefix = i === parts.length - 1 || pairs.length === 1;
    // The last character of a text's run is a word, to be found by itself. In a longer query it is part of a pair.
    for (const text of pairs.length > 1 ? pairs.slice(0, -1) : [part]) {
      words.set(text, { text, isPrefix: isPrefix && words.get(text)?.isPrefix !== false });
    }
  }
  return [...words.values()];
}

/** Whether the text matches. */
export function hasWords(text: string, words: readonly QueryWord[]): boolean {
  const folded = fold(text);
  // Quick, and true of few texts: every word is a part of the text.
  if (words.length === 0 || !words.every((word) => folded.includes(word.text))) return false;
  const own = new Set(partsOf(folded).flatMap(wordsOfPart));
  return words.every((word) => own.has(word.text) || (word.isPrefix && startsOne(own, word.text)));
}

/**
 * Returns all words of a text, in the form that is compared:
 *
 * - a run of letters, marks and digits;
 * - in scripts that are written without spaces, each pair of neighbouring characters, and the last character;
 * - an emoji. One with a skin tone is another word, which begins with it, and so is one that is joined of several.
 *
 * Case and the accents of Latin letters are ignored, and so are characters that nobody sees and marks after 30 others.
 */
export function wordsIn(text: string): readonly string[] {
  return partsOf(fold(text)).flatMap(wordsOfPart);
}

/** One emoji, also joined of several. Variation selectors do not tell two emoji apart. */
const EMOJI_UNIT =
  "(?:\\p{RI}{2}|[0-9#*]\\uFE0F?\\u20E3|[\\p{ExtPict}\\p{EMod}\\p{RI}][\\uFE0E\\uFE0F]?\\p{EMod}?[\\u{E0020}-\\u{E007F}]*)";
const EMOJI = `${EMOJI_UNIT}(?:\\u200D${EMOJI_UNIT})*`;
/** Scripts that are written without spaces between words. */
const SCRIPTS =
  "Han Hiragana Katakana Bopomofo Yi Nushu Tangut Khitan_Small_Script Thai Lao Khmer Myanmar Tai_Le New_Tai_Lue Tai_Tham " +
  "Tai_Viet Ahom Balinese Javanese";
const scripts = (property: string) => SCRIPTS.replace(/(\w+) ?/g, `\\p{${property}=$1}`);
/** Their letters, marks and digits. Extensions add letters like ー, but also marks that other scripts share. */
const UNSPACED = `[[[${scripts("sc")}]&&[\\p{L}\\p{M}\\p{N}]][[${scripts("scx")}]&&[\\p{L}\\p{N}]]]`;
const UNSPACED_FIRST = new RegExp(`^${UNSPACED}`, "v");
const PARTS = new RegExp(
  `${EMOJI}|${UNSPACED}[${UNSPACED}\\p{M}]*|[[\\p{Alphabetic}\\p{M}\\p{N}\\p{Co}]--${UNSPACED}]+`,
  "gv",
);
const EMOJI_OR_IGNORABLE = new RegExp(`(${EMOJI})|\\p{DI}`, "gv");
const ASCII_ONLY = /^[\0-\x7f]*$/;

/** Returns the text in the form that is compared. The words of the text are parts of it. */
function fold(text: string): string {
  if (ASCII_ONLY.test(text)) return text.toLowerCase();
  const visible = text.replace(EMOJI_OR_IGNORABLE, (_, emoji?: string) => emoji?.replace(/[\uFE0E\uFE0F]/g, "") ?? "");
  // Normalizing sorts a run of marks in quadratic time. No script has runs as long as this.
  const bounded = visible.replace(/(\p{M}{30})\p{M}+/gu, "$1");
  const plain = bounded.normalize("NFD").replace(/(\p{Script=Latin})\p{M}+/gu, "$1");
  // Lower case alone keeps ß and ſ, upper case alone keeps ẞ.
  const folded = plain.toLowerCase().toUpperCase().toLowerCase().replaceAll("ς", "σ");
  // Compose again after removing accents: a Korean syllable is one letter.
  return folded.normalize("NFC");
}

/** Splits a folded text into words, runs of unspaced scripts, and emoji. */
function partsOf(folded: string): readonly string[] {
  return folded.match(ASCII_ONLY.test(folded) ? /[a-z0-9]+/g : PARTS) ?? [];
}

function wordsOfPart(part: string): string | readonly string[] {
  return UNSPACED_FIRST.test(part) ? pairsOf(part) : part;
}

/** Returns each pair of neighbouring characters, and the last character. */
function pairsOf(run: string): readonly string[] {
  const characters = [...run];
  return characters.map((character, i) => character + (characters[i + 1] ?? ""));
}

function startsOne(words: Iterable<string>, start: string): boolean {
  for (const word of words) if (word.startsWith(start)) return true;
  return false;
}
