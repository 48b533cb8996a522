import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { searchTexts, shouldFind } from "../../../../../test/search-texts.ts";
import { fc } from "../../../../../test/seed.ts";
import { hasWords, queryWords } from "../../hub/mod.ts";
import { firstValue } from "./database.ts";
import { migrate } from "./schema.ts";
import { WordIndex } from "./word-index.ts";
import { type SearchRange, WordSearch } from "./word-search.ts";

/** A clock that stands still, so that a step ends only at its limits. */
const STOPPED = () => 0;
const BLOCK = 512;
const ALL = { before: 2 ** 35, limit: 1_000, charactersMax: Number.POSITIVE_INFINITY };

/** A database whose rooms have these texts. Full blocks are indexed. */
function filled(...rooms: readonly (readonly string[])[]) {
  const db = new DatabaseSync(":memory:");
  migrate(db, "", new Date());
  db.exec("BEGIN");
  const insert = db.prepare("INSERT INTO entries (place, at, kind, author, body) VALUES ((? << 35) | ?, 0, 0, 'A', ?)");
  for (const [i, texts] of rooms.entries()) {
    db.prepare("INSERT INTO rooms (name) VALUES (?)").run(`room ${i}`);
    for (const [at, text] of texts.entries()) insert.run(i + 1, at + 1, text);
  }
  db.exec("COMMIT");
  const index = new WordIndex(db, "disk");
  for (const i of rooms.keys()) index.add(i + 1);
  while (index.step());
  return db;
}

/** The `seq` of the entries that one step finds in the room, and where to continue. */
function step(search: WordSearch, query: string, range: Partial<SearchRange> = {}, no = 1) {
  const { rows, before } = search.search(no, query, { ...ALL, ...range });
  return { seqs: rows.map(([seq]) => seq), before };
}

describe("WordSearch", () => {
  const texts = Array.from({ length: 2 * BLOCK + 10 }, (_, i) => `tea number${i + 1} of ${i % 100}`);
  const db = filled(texts);

  test("finds words and prefixes in all blocks and in the entries after them, newest first", () => {
    assert.equal(firstValue(db, "SELECT words_seq FROM rooms"), 2 * BLOCK);
    const search = new WordSearch(db, STOPPED);
    const every = texts.map((_, i) => i + 1).toReversed();
    for (const query of ["tea", "te", "of tea", "tea numb"]) {
      assert.deepEqual(step(search, query, { limit: 2_000 }), { seqs: every, before: undefined }, query);
    }
    for (const seq of [1, 2, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1, texts.length]) {
      assert.deepEqual(step(search, `number${seq} te`).seqs, [seq]);
    }
    assert.deepEqual(
      step(search, "of 7 te", { limit: 2_000 }).seqs,
      every.filter((seq) => seq % 100 === 8),
    );
    assert.deepEqual(step(search, "tea", { before: 3 }).seqs, [2, 1]);
    assert.deepEqual(step(search, "tea", { before: BLOCK + 2, limit: 2 }), { seqs: [BLOCK + 1, BLOCK], before: BLOCK });
    for (const query of ["umber1", "tea coffee", "", "number2000"])
      assert.deepEqual(step(search, query).seqs, [], query);
    assert.deepEqual(step(search, "tea", {}, 2), { seqs: [], before: undefined });
  });

  test("a step ends at its limits, or after one look when its time is over, and says where to continue", () => {
    let now = 0;
    const slow = new WordSearch(db, () => now++ * 1_000);
    const fast = new WordSearch(db, STOPPED);
    for (const [search, range] of [
      [slow, {}],
      [fast, { limit: 3 }],
      [fast, { charactersMax: 1 }],
    ] as const) {
      const seqs: number[] = [];
      let steps = 0;
      for (let before: number | undefined = ALL.before; before !== undefined; steps += 1) {
        const taken = step(search, "of 7", { before, ...range });
        seqs.push(...taken.seqs);
        before = taken.before;
      }
      assert.deepEqual(seqs, step(fast, "of 7").seqs);
      assert.ok(steps > 3, `${steps} steps`);
    }
  });

  test("looks at the room's own entries and blocks only", () => {
    let looks = 0;
    const search = new WordSearch(filled(texts, ["coffee", "cocoa"], texts), () => {
      looks += 1;
      return 0;
    });
    assert.deepEqual(step(search, "t", {}, 2).seqs, []);
    assert.equal(looks, 3);
  });

  test("one look reads a bounded number of words, also in a room of long texts of unlike words", () => {
    const long = Array.from({ length: 40 }, (_, i) =>
      Array.from({ length: 2_730 }, (_, at) => (i * 2_730 + at).toString(36).padStart(5, "t")).join(" "),
    );
    const rooms = filled(long);
    const search = new WordSearch(rooms, STOPPED);
    assert.deepEqual(step(search, (2_730 * 5).toString(36).padStart(5, "t")).seqs, [6]);
    assert.equal(step(search, "t").seqs.length, 40);
    const most = firstValue(rooms, "SELECT max(words) FROM (SELECT count(*) AS words FROM words GROUP BY block)");
    assert.ok(Number(most) <= 2 * 2_730, `a block of ${most} words`);
  });

  test("finds every letter and digit on its own, indexed or not", () => {
    const letters: string[] = [];
    for (let point = 0; point <= 0x10ffff; point += 1) {
      const letter = String.fromCodePoint(point);
      // Ideographs and syllables are many and similar, so only some are tested.
      const isOneOfMany = /[\p{Script=Han}\p{Script=Hangul}\p{Script=Tangut}\p{Co}]/u.test(letter) && point % 97 !== 0;
      // Hangul fillers and Khmer vowels that nobody sees.
      const isSeen = !/\p{DI}/u.test(letter);
      if (/[\p{L}\p{N}]/u.test(letter) && isSeen && !isOneOfMany) letters.push(letter);
    }
    const search = new WordSearch(filled(letters.flatMap((letter) => [letter, "!? ж"])), STOPPED);
    const lost = letters.filter((letter, i) => {
      const { seqs: own } = step(search, letter, { before: 2 * i + 3, limit: 1 });
      return (letter.toLowerCase() !== "ж" && own[0] !== 2 * i + 1) || !hasWords(letter, queryWords(letter));
    });
    assert.deepEqual(lost, []);
  });

  test("finds in the index what the rules find in the texts, for random texts of many scripts", () => {
    const property = fc.property(
      fc.array(searchTexts(12), { minLength: 20, maxLength: 20 }),
      fc.array(searchTexts(3), { minLength: 20, maxLength: 20 }),
      (all, queries) => {
        const bodies = all.map(({ text }) => text);
        const search = new WordSearch(filled([...bodies, ...Array(BLOCK - bodies.length).fill("")], bodies), STOPPED);
        for (const query of queries) {
          const expected = [...all.keys()]
            .filter((i) => shouldFind(all[i] as (typeof all)[0], query))
            .map((i) => i + 1);
          const inRules = [...all.keys()].filter((i) => hasWords(bodies[i] as string, queryWords(query.text)));
          assert.deepEqual(
            inRules.map((i) => i + 1),
            expected,
            JSON.stringify([query.text, bodies]),
          );
          for (const no of [1, 2]) assert.deepEqual(step(search, query.text, {}, no).seqs.reverse(), expected);
        }
      },
    );
    fc.assert(property, { numRuns: 50 });
  });

  test("finds in the index what the rules find in the texts, for any Unicode text", () => {
    const anyText = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }));
    const property = fc.property(
      fc.array(anyText, { minLength: 20, maxLength: 20 }),
      fc.array(fc.tuple(fc.nat(19), fc.nat(9), fc.nat(9)), { minLength: 20, maxLength: 20 }),
      (bodies, cuts) => {
        const stored = bodies.map((body) => body.toWellFormed());
        const search = new WordSearch(filled([...stored, ...Array(BLOCK - stored.length).fill("")]), STOPPED);
        for (const [i, from, length] of cuts) {
          const query = (bodies[i] as string).slice(from, from + length);
          const expected = [...bodies.keys()].filter((at) => hasWords(bodies[at] as string, queryWords(query)));
          assert.deepEqual(
            step(search, query).seqs.reverse(),
            expected.map((at) => at + 1),
            JSON.stringify([query, bodies]),
          );
        }
      },
    );
    fc.assert(property, { numRuns: 50 });
  });
});
