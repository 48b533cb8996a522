/**
 * Names that look alike have one skeleton (UTS 39, section 4).
 *
 * @module
 */
import { CONFUSABLES } from "./unicode-tables.ts";

/** By character: what it looks like. */
const PROTOTYPES: ReadonlyMap<string, string> = new Map(
  CONFUSABLES.trim()
    .split("\n")
    .flatMap((line) => {
      const [target = "", sources = ""] = line.split(":");
      const prototype = String.fromCodePoint(...target.split("+").map((point) => Number.parseInt(point, 16)));
      return sources.split(",").map((point) => [String.fromCodePoint(Number.parseInt(point, 16)), prototype] as const);
    }),
);

/**
 * What a name looks like in any case. It is stricter than the skeleton of UTS 39: capitals are compared with small
 * letters, and compatibility forms, as of full width or in a circle, with what they stand for.
 *
 * @param prototypes by character; the tables of `unicode-tables.ts` are made with another.
 */
export function skeletonOf(name: string, prototypes: ReadonlyMap<string, string> = PROTOTYPES): string {
  const seen = name.replace(/\p{Default_Ignorable_Code_Point}/gu, "").normalize("NFD");
  // A look-alike of a capital letter becomes that letter, whose small form has look-alikes of its own.
  const lower = replaceEach(seen, prototypes).normalize("NFKD").toLowerCase();
  return replaceEach(lower, prototypes).normalize("NFD");
}

function replaceEach(text: string, prototypes: ReadonlyMap<string, string>): string {
  return Array.from(text, (character) => prototypes.get(character) ?? character).join("");
}
