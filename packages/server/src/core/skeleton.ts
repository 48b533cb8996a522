/**
 * Skeletons detect names that look alike (UTS 39, section 4).
 *
 * @module
 */
import { CONFUSABLES } from "./unicode-tables.ts";

/** Parsed when the first name is claimed: the log's threads import this module and never need the table. */
let ownPrototypes: ReadonlyMap<string, string> | undefined;

/**
 * Returns the skeleton of a name: names that look alike in any case have the same one. It is stricter than the
 * skeleton of UTS 39: it also equates capitals with small letters, and compatibility forms (full-width, circled) with
 * their plain characters.
 *
 * @param prototypes maps a character to what it looks like. `tools/unicode-tables.mjs` passes its own map to build
 *   the tables.
 */
export function skeletonOf(name: string, prototypes: ReadonlyMap<string, string> = own()): string {
  const seen = name.replace(/\p{Default_Ignorable_Code_Point}/gu, "").normalize("NFD");
  // Map twice: a look-alike of a capital becomes that capital, and its small letter has look-alikes of its own.
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
