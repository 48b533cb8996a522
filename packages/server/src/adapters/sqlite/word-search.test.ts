import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { migrate } from "./schema.ts";
import { WordIndex } from "./word-index.ts";
import { WordSearch } from "./word-search.ts";

/** A database with one room that has these texts, indexed. */
function indexed(texts: Iterable<readonly [number, string]>) {
  const db = new DatabaseSync(":memory:");
  migrate(db, "", new Date());
  db.exec("INSERT INTO rooms (name) VALUES ('one'); BEGIN");
  const insert = db.prepare("INSERT INTO entries (place, at, kind, author, body) VALUES ((1 << 35) | ?, 0, 0, 'A', ?)");
  for (const [seq, text] of texts) insert.run(seq, text);
  db.exec("COMMIT");
  const words = new WordIndex(db, "disk");
  words.add(1);
  while (words.step());
  return db;
}

const ALL = { before: 2 ** 35, limit: 1_000, charactersMax: Number.POSITIVE_INFINITY };
const BLOCK = 8_192;

describe("WordSearch", () => {
  const seqs = [1, BLOCK - 1, BLOCK, BLOCK + 1, 10 * BLOCK, 10 * BLOCK + 5];
  const texts = seqs.map((seq) => [seq, `tea number${seq} 1x0x2`] as const);
  const found = (search: WordSearch, query: string, range = {}) => {
    const { rows, before } = search.search(1, query, { ...ALL, ...range });
    return { seqs: rows.map(([seq]) => seq), before };
  };

  test("finds words and prefixes in all blocks, newest first", () => {
    const search = new WordSearch(indexed(texts), () => 0);
    const newestFirst = seqs.toReversed();
    for (const query of ["tea", "te", "1x0x2 tea", "1x0", "t"]) {
      assert.deepEqual(found(search, query), { seqs: newestFirst, before: undefined }, query);
    }
    assert.deepEqual(found(search, `number${BLOCK} te`).seqs, [BLOCK]);
    assert.deepEqual(found(search, "tea", { before: BLOCK + 1 }).seqs, [BLOCK, BLOCK - 1, 1]);
    assert.deepEqual(found(search, "0x2").seqs, []);
    assert.deepEqual(new WordSearch(indexed([])).search(2, "tea", ALL), { rows: [] });
  });

  test("stops at its limits, or after a block when its time is over, and returns where to continue", () => {
    const db = indexed(texts);
    const search = new WordSearch(db, () => 0);
    assert.deepEqual(found(search, "tea", { limit: 3 }), { seqs: seqs.toReversed().slice(0, 3), before: BLOCK + 1 });
    assert.deepEqual(found(search, "tea", { charactersMax: 1 }), { seqs: [10 * BLOCK + 5], before: 10 * BLOCK + 5 });
    let now = 0;
    const slow = new WordSearch(db, () => now++ * 1_000);
    const slices: (readonly number[])[] = [];
    for (let before: number | undefined = ALL.before; before !== undefined; ) {
      const slice = found(slow, "tea", { before });
      slices.push(slice.seqs);
      before = slice.before;
    }
    assert.equal(slices.length, 11);
    assert.deepEqual(
      slices.filter((each) => each.length > 0),
      [
        [10 * BLOCK + 5, 10 * BLOCK],
        [BLOCK + 1, BLOCK],
        [BLOCK - 1, 1],
      ],
    );
  });

  test("finds every letter and digit on its own", () => {
    const letters: string[] = [];
    for (let point = 0; point <= 0x10ffff; point += 1) {
      const letter = String.fromCodePoint(point);
      // Ideographs and syllables are many and similar, so only some are tested.
      const isOneOfMany = /[\p{Script=Han}\p{Script=Hangul}\p{Script=Tangut}\p{Co}]/u.test(letter) && point % 97 !== 0;
      if (/[\p{L}\p{N}]/u.test(letter) && !isOneOfMany) letters.push(letter);
    }
    // Each stands between other letters, which must not match.
    const search = new WordSearch(
      indexed(letters.flatMap((letter, i) => [[2 * i + 1, letter] as const, [2 * i + 2, "!? ж"]])),
    );
    const lost = letters.filter((letter, i) => {
      const { seqs: own } = found(search, letter, { before: 2 * i + 3, limit: 1 });
      return letter.toLowerCase() !== "ж" && own[0] !== 2 * i + 1;
    });
    assert.deepEqual(lost, []);
  });
});
