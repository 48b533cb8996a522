// Writes packages/server/src/core/unicode-tables.ts, and test/fixtures/look-alikes.txt to test it with, from Unicode's
// own files: node --conditions=@landline/source tools/unicode-tables.mjs FOLDER
// The folder holds UnicodeData.txt, DerivedJoiningType.txt and confusables.txt of the version that Node has.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { skeletonOf } from "../packages/server/src/core/skeleton.ts";

const LINE_LENGTH_MAX = 116;
/** The canonical combining class of viramas. */
const VIRAMA = "9";

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write("usage: node --conditions=@landline/source tools/unicode-tables.mjs FOLDER\n");
  process.exit(2);
}
const node = process.versions.unicode;
const confusablesText = read("confusables.txt");
const joiningText = read("DerivedJoiningType.txt");
const [copyright] = /©.*/.exec(confusablesText) ?? [];
const [, version] = /^# Version: (\d+\.\d+)/m.exec(confusablesText) ?? [];
const [, joiningVersion] = /^# DerivedJoiningType-(\d+\.\d+)/.exec(joiningText) ?? [];
if (version !== node || joiningVersion !== node) {
  process.stderr.write(`confusables ${version}, joining types ${joiningVersion}: Node has Unicode ${node}\n`);
  process.exit(1);
}

const viramas = new Set();
for (const [point, , , combiningClass] of rows(read("UnicodeData.txt"))) {
  if (combiningClass === VIRAMA) viramas.add(Number.parseInt(point, 16));
}

const joining = { L: new Set(), R: new Set(), D: new Set(), T: new Set() };
for (const [range, type] of rows(joiningText)) {
  const [first, last = first] = range.split("..").map((point) => Number.parseInt(point, 16));
  for (let point = first; point <= last; point += 1) joining[type]?.add(point);
}
// Marks are all of this type, and no name has a character of category Cf.
const transparent = new Set(
  [...joining.T].filter((point) => !/[\p{Mn}\p{Me}\p{Cf}]/u.test(String.fromCodePoint(point))),
);

const prototypes = new Map();
for (const [source, target] of rows(confusablesText)) prototypes.set(characters(source), characters(target));
// A capital I looks like an l, and a name that has one may be written with an i.
prototypes.set("i", prototypes.get("I"));
const needed = new Map();
for (const [source, target] of prototypes) {
  // Skeletons are made of decomposed characters, and case and compatibility forms are Node's.
  if (!/[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(source) || source.normalize("NFD") !== source) continue;
  const others = new Map(prototypes);
  others.delete(source);
  if (skeletonOf(source, others) !== skeletonOf(source, prototypes)) needed.set(source, target);
}

// As Unicode has them: what looks like one letter or digit of ASCII.
const ofAscii = [...prototypes].filter(([source, target]) => /^[a-z0-9]$/i.test(target) && !/[\0-\x7f]/.test(source));
writeFileSync(
  fileURLToPath(new URL("../test/fixtures/look-alikes.txt", import.meta.url)),
  `# Look-alikes of ASCII letters and digits (UTS 39, version ${version}). ${copyright} SPDX-License-Identifier: Unicode-3.0
${lines(new Map(ofAscii))}
`,
);

const file = fileURLToPath(new URL("../packages/server/src/core/unicode-tables.ts", import.meta.url));
writeFileSync(
  file,
  `/**
 * What Node does not know of Unicode. Written by \`tools/unicode-tables.mjs\` from UnicodeData.txt,
 * DerivedJoiningType.txt and confusables.txt; change that file, not this one.
 *
 * Derived from Unicode's data files, ${copyright} SPDX-License-Identifier: Unicode-3.0 (\`LICENSE-UNICODE\`).
 *
 * @module
 */

/** The version of Unicode that the tables are of. */
export const UNICODE_VERSION = "${version}";

/** Sets of characters, as a regular expression with the flag \`v\` has them between brackets: viramas. */
export const VIRAMAS: string = String.raw\`
${set(viramas)}\`.replaceAll("\\n", "");

/** Letters that join the one after them (Joining_Type L or D). */
export const JOINS_NEXT: string = String.raw\`
${set(new Set([...joining.L, ...joining.D]))}\`.replaceAll("\\n", "");

/** Letters that join the one before them (Joining_Type R or D). */
export const JOINS_PREVIOUS: string = String.raw\`
${set(new Set([...joining.R, ...joining.D]))}\`.replaceAll("\\n", "");

/** What joining passes over (Joining_Type T), beside marks. */
export const TRANSPARENT: string = String.raw\`
${set(transparent)}\`.replaceAll("\\n", "");

/**
 * The prototypes of UTS 39 with the characters that look like them, in hexadecimal: \`target+target:source,source\`.
 * What case and compatibility forms (NFKD) give by themselves is left out.
 */
export const CONFUSABLES: string = \`
${lines(needed)}
\`;
`,
);
process.stdout.write(`${file}: Unicode ${version}, ${needed.size} confusable characters\n`);

function read(name) {
  return readFileSync(join(folder, name), "utf8");
}

/** The fields of each line, without comments. */
function rows(text) {
  const plain = text.split("\n").map((line) => line.replace(/#.*/, "").trim());
  return plain.filter((line) => line !== "").map((line) => line.split(";").map((field) => field.trim()));
}

function characters(points) {
  return String.fromCodePoint(...points.split(" ").map((point) => Number.parseInt(point, 16)));
}

/** By target, the sources: `target:source,source`, in lines. */
function lines(targets) {
  const result = [];
  const groups = Map.groupBy(targets.keys(), (source) => targets.get(source));
  for (const [target, group] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const start = `${hex(target)}:`;
    let line = start;
    for (const source of group.sort((a, b) => a.codePointAt(0) - b.codePointAt(0))) {
      if (line.length + 7 > LINE_LENGTH_MAX) {
        result.push(line);
        line = start;
      }
      line += `${line === start ? "" : ","}${hex(source)}`;
    }
    result.push(line);
  }
  return result.join("\n");
}

function hex(text) {
  return Array.from(text, (character) => character.codePointAt(0).toString(16)).join("+");
}

/** The inside of a character class, in lines. */
function set(points) {
  const ranges = [];
  for (const point of [...points].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.[1] === point - 1) last[1] = point;
    else ranges.push([point, point]);
  }
  const parts = ranges.map(([first, last]) => {
    const start = `\\u{${first.toString(16)}}`;
    return first === last ? start : `${start}-\\u{${last.toString(16)}}`;
  });
  const wrapped = [""];
  for (const part of parts) {
    if (wrapped.at(-1).length + part.length > LINE_LENGTH_MAX) wrapped.push("");
    wrapped[wrapped.length - 1] += part;
  }
  return wrapped.join("\n");
}
