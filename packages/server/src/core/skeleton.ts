/**
 * Skeletons detect names that look alike (UTS 39, section 4).
 *
 * @module
 */
import { CONFUSABLES } from "./unicode-tables.ts";

/** Parsed when the first name is claimed: the log's threads import this module and never need the table. */
let ownPrototypes: ReadonlyMap<string, string> | undefined;

/** Characters that show nothing, and the dot above letters that have one: `i` looks the same with it (UTS 39, 5.4). */
const UNSEEN = /\p{Default_Ignorable_Code_Point}/gu;
const UNSEEN_DOT = /(?<=[l\p{Soft_Dotted}]\p{M}*)\u0307/gu;
const DOTLESS_J = /\u0237/g;
/**
 * Most rounds. After them, no character changes any more. The longest way is that of U+FE6A: `%`, `\u00ba/\u2080`,
 * `o/O`, `o/o`.
 */
const ROUNDS = 3;

/**
 * Returns the skeleton of a name: names that look alike in any case have the same one. It is stricter than the
 * skeleton of UTS 39: it also equates capitals with small letters, and compatibility forms (full-width, circled) with
 * their plain characters. The skeleton of a skeleton is itself.
 *
 * @param prototypes maps a character to what it looks like. `tools/unicode-tables.mjs` passes its own map to build
 *   the tables.
 */
export function skeletonOf(name: string, prototypes: ReadonlyMap<string, string> = own()): string {
  let skeleton = name.replace(UNSEEN, "");
  for (let round = 0; round < ROUNDS; round += 1) {
    // A dotless i is mapped to i; a dotless j is not mapped to j.
    skeleton = prototypeOf(skeleton, prototypes).replace(DOTLESS_J, "j").replace(UNSEEN_DOT, "");
  }
  return skeleton;
}

function prototypeOf(text: string, prototypes: ReadonlyMap<string, string>): string {
  // Map twice: a look-alike of a capital becomes that capital, and its small letter has look-alikes of its own.
  const lower = replaceEach(text.normalize("NFD"), prototypes).normalize("NFKD").toLowerCase();
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
