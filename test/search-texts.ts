/**
 * Random texts of many scripts, and a reference for what a search finds in them. It knows the words of a text because it
 * made the text of them.
 *
 * @module
 */
import { fc } from "./seed.ts";

interface Piece {
  readonly kind: "letters" | "unspaced" | "emoji" | "between" | "unseen";
  readonly text: string;
  /** The form that is compared. */
  readonly folded: string;
}

/** A text and its pieces. */
export interface SearchText {
  readonly text: string;
  readonly pieces: readonly Piece[];
}

const pieces = (kind: Piece["kind"], spellings: readonly (string | readonly [string, string])[]): Piece[] =>
  spellings.map((spelling) => {
    const [text, folded] = typeof spelling === "string" ? [spelling, spelling] : spelling;
    return { kind, text, folded };
  });

const LETTERS = pieces("letters", [
  "tea",
  ["Tea", "tea"],
  ["TEAM", "team"],
  ["é", "e"],
  ["E\u0301", "e"],
  ["Å", "a"],
  ["Straße", "strasse"],
  ["STRASSE", "strasse"],
  ["STRAẞE", "strasse"],
  ["ﬁn", "fin"],
  ["İ", "i"],
  "й",
  ["И", "и"],
  ["ΟΔΟΣ", "οδοσ"],
  ["οδος", "οδοσ"],
  "안",
  ["\u1112\u1161\u11ab", "한"],
  "שלום",
  "مرحبا",
  "क्या",
  "ኣ",
  "7",
  "٣",
  "\ue000",
]);
const UNSPACED = pieces("unspaced", [
  ..."上海滩茶𠮷々〇あぱカガー",
  ["カ\u3099", "ガ"],
  "กิ",
  "น",
  "๓",
  "ລາ",
  "ភា",
  "က",
  "ဂ",
]);
const EMOJI = pieces("emoji", [
  "🍵",
  "👍",
  "👍🏽",
  ["❤\ufe0f", "❤"],
  "❤",
  "👩",
  "👩‍💻",
  ["👩🏽‍❤\ufe0f‍👨", "👩🏽‍❤‍👨"],
  "🇩🇪",
  "🇫🇷",
  "🏴\u{e0067}\u{e0062}\u{e007f}",
  "©",
]);
const BETWEEN = pieces("between", [
  " ",
  " ",
  " ",
  ", ",
  "\n",
  "-",
  "'",
  '"',
  "*",
  "^",
  ":",
  "(",
  "\u3000",
  "\0",
  "\ufffd",
]);
const UNSEEN = pieces("unseen", [
  "\u00ad",
  "\u200b",
  "\u200c",
  "\u200d",
  "\u200e",
  "\u2067",
  "\u034f",
  "\ufe0f",
  "\u{e0101}",
]);

/** Random texts, mostly of a few words. What cannot be seen stands behind letters only: between emoji it may join them. */
export function searchTexts(maxLength: number): fc.Arbitrary<SearchText> {
  const piece = fc.oneof(...[LETTERS, UNSPACED, EMOJI, BETWEEN].map((all) => fc.constantFrom(...all)));
  const withUnseen = fc.tuple(piece, fc.option(fc.constantFrom(...UNSEEN))).map(([seen, unseen]) => {
    const isLetter = seen.kind === "letters" || seen.kind === "unspaced";
    return unseen !== null && isLetter ? [seen, unseen] : [seen];
  });
  return fc.array(withUnseen, { maxLength }).map((all) => {
    const flat = all.flat();
    return { text: flat.map(({ text }) => text).join(""), pieces: flat };
  });
}

/** Words of letters, emoji, and runs of characters without spaces. */
function partsOf({ pieces: all }: SearchText): readonly Piece[] {
  const parts: Piece[] = [];
  let last: Piece["kind"] = "between";
  for (const { kind, text, folded } of all) {
    if (kind === "unseen") continue;
    const part = parts.at(-1);
    if (part !== undefined && kind === last && (kind === "letters" || kind === "unspaced")) {
      parts[parts.length - 1] = { kind, text: part.text + text, folded: part.folded + folded };
    } else if (kind !== "between") parts.push({ kind, text, folded });
    last = kind;
  }
  return parts;
}

/** Whether a search for `query` must find `text`. */
export function shouldFind(text: SearchText, query: SearchText): boolean {
  const parts = partsOf(text);
  const asked = partsOf(query);
  return (
    asked.length > 0 &&
    asked.every(({ kind, folded }, i) => {
      const same = parts.filter((part) => part.kind === kind).map((part) => part.folded);
      if (kind !== "unspaced")
        return same.some((own) => own === folded || (i === asked.length - 1 && own.startsWith(folded)));
      const characters = [...folded];
      const groups =
        characters.length === 1 ? characters : characters.slice(1).map((next, at) => characters[at] + next);
      return groups.every((group) => same.some((own) => own.includes(group)));
    })
  );
}
