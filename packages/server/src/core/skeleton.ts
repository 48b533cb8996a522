/**
 * Names that look alike have one skeleton (UTS 39, section 4).
 *
 * @module
 */
import { CONFUSABLES } from "./unicode-tables.ts";

/** Made when the first name is claimed: the threads of the log never need it. */
let ownPrototypes: ReadonlyMap<string, string> | undefined;

/**
 * What a name looks like in any case. It is stricter than the skeleton of UTS 39: capitals are compared with small
 * letters, and compatibility forms, as of full width or in a circle, with what they stand for.
 *
 * @param prototypes by character, what it looks like; the tables of `unicode-tables.ts` are made with another.
 */
export function skeletonOf(name: string, prototypes: ReadonlyMap<string, string> = own()): string {
  const seen = name.replace(/\p{Default_Ignorable_Code_Point}/gu, "").normalize("NFD");
  // A look-alike of a capital letter becomes that letter, whose small form has look-alikes of its own.
  const lower = replaceEach(seen, prototypes).normalize("NFKD").toLowerCase();
  return replaceEach(lower, prototypes).normalize("NFD");
}

function own(): ReadonlyMap<string, string> {
  ownPrototypes ??= parse(CONFUSABLES);
  return ownPrototypes;
}

function replaceEach(text: string, prototypes: ReadonlyMap<string, string>): string {
  return Array.from(text, (character) => prototypes.get(character) ?? character).join("");
}

function parse(table: string): ReadonlyMap<string, string> {
  const prototypes = new Map<string, string>();
  for (const line of table.trim().split("\n")) {
    const [target = "", sources = ""] = line.split(":");
    const prototype = String.fromCodePoint(...target.split("+").map((point) => Number.parseInt(point, 16)));
    for (const source of sources.split(","))
      prototypes.set(String.fromCodePoint(Number.parseInt(source, 16)), prototype);
  }
  return prototypes;
}
