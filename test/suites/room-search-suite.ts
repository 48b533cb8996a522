/**
 * The suite that every `RoomSearch` passes, for any storage.
 *
 * @module
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type {
  AppendResult,
  Entry,
  NewEntry,
  RoomLog,
  RoomSearch,
  SearchOptions,
} from "../../packages/server/src/hub/mod.ts";
import { type SearchText, searchTexts, shouldFind } from "../search-texts.ts";
import { fc } from "../seed.ts";
import { put, said, textOf } from "./room-log-suite.ts";

/** Creates an empty log and the search over it. The suite closes the log. */
export type RoomSearchFactory = () => Promise<{ readonly log: RoomLog; readonly search: RoomSearch }>;

export function roomSearchSuite(name: string, factory: RoomSearchFactory): void {
  describe(`${name} as a RoomSearch`, () => {
    let log: RoomLog;
    let search: RoomSearch;

    beforeEach(async () => {
      ({ log, search } = await factory());
    });
    afterEach(() => log.close());

    const append = (...entries: readonly NewEntry[]): Promise<readonly AppendResult[]> => log.append(entries);
    const found = async (query: string) => (await searchAll(search, query)).map(textOf);

    test("finds the entries with all words, oldest first, ignoring case and accents", async () => {
      await append(said("Crème brûlée"), said("brulee, no creme"), said("creme"), said("ice cream"));
      assert.deepEqual(await found("CREME brûlée"), ["Crème brûlée", "brulee, no creme"]);
      assert.deepEqual(await found("brulee creme"), ["Crème brûlée", "brulee, no creme"]);
      assert.deepEqual(await found("creme cake"), []);
    });

    test("treats the last word as a prefix, and the others as whole words", async () => {
      await append(said("good morning"), said("goodness"), said("morning good"), said("mor goods"));
      assert.deepEqual(await found("goo"), ["good morning", "goodness", "morning good", "mor goods"]);
      assert.deepEqual(await found("good mor"), ["good morning", "morning good"]);
      assert.deepEqual(await found("mor good"), ["mor goods"]);
    });

    test("does not find words inside others, entries of other rooms, or entries that are not messages", async () => {
      await append(said("unwell"), said("well", { room: "kitchen" }), put("topic", "well"), said("well"));
      assert.deepEqual(await found("well"), ["well"]);
    });

    test("finds any part of a text in a script without spaces, one character too", async () => {
      await append(
        said("我在上海滩喝茶"),
        said("海上"),
        said("スーパーでラーメンを買う"),
        said("ฉันกินข้าว"),
        said("手机iPhone17号"),
      );
      for (const query of ["上海", "上海滩", "茶", "海滩 喝茶", "在上"])
        assert.deepEqual(await found(query), ["我在上海滩喝茶"]);
      assert.deepEqual(await found("上"), ["我在上海滩喝茶", "海上"]);
      assert.deepEqual(await found("海 上"), ["我在上海滩喝茶", "海上"]);
      assert.deepEqual(await found("滩上"), []);
      for (const query of ["ラーメン", "パー", "ー", "買"]) assert.equal((await found(query)).length, 1, query);
      for (const query of ["กิน", "ข้าว", "ก"]) assert.equal((await found(query)).length, 1, query);
      for (const query of ["iphone", "机 iphone17", "号"]) assert.equal((await found(query)).length, 1, query);
    });

    test("finds emoji, with a variation selector or without", async () => {
      await append(said("tea🍵👍🏽"), said("love ❤\ufe0f"), said("❤ 👩‍💻 🇩🇪🇫🇷"), said("press 1\ufe0f⃣ or Ⓜ\ufe0f"));
      const cases: readonly (readonly [string, readonly number[]])[] = [
        ["🍵", [0]],
        ["👍🏽 tea", [0]],
        ["👍", [0]],
        ["👍 tea", []],
        ["👍🏿", []],
        ["❤", [1, 2]],
        ["❤\ufe0f", [1, 2]],
        ["❤\ufe0e", [1, 2]],
        ["👩‍💻", [2]],
        ["👩", [2]],
        ["💻", []],
        ["🇫🇷", [2]],
        ["🇪🇫", []],
        ["1\u20e3 or", [3]],
        ["Ⓜ", [3]],
      ];
      const bodies = (await log.read("lobby", { limit: 9 })).entries.map(textOf);
      for (const [query, expected] of cases)
        assert.deepEqual(
          await found(query),
          expected.map((i) => bodies[i]),
          query,
        );
    });

    test("compares letters without case, ß as ss", async () => {
      await append(said("Straße"), said("STRASSE"), said("STRAẞE"));
      for (const query of ["strasse", "Straße", "STRAẞE", "strass"])
        assert.equal((await found(query)).length, 3, query);
      await append(said("ΟΔΟΣ"), said("ﬁn"), said("İstanbul"), said("Жизнь"));
      for (const query of ["οδος", "οδοσ", "FIN", "istanbul", "ЖИЗНЬ"]) {
        assert.equal((await found(query)).length, 1, query);
      }
    });

    test("ignores characters that nobody sees, which do not split words", async () => {
      await append(said("super\u00adcali"), said("می\u200cخواهم"), said("\u2067שלום\u2069"), said("ok\ufe0fay\u200d"));
      for (const query of [
        "supercali",
        "su\u200bper\u00adca",
        "میخواهم",
        "می\u200cخواهم",
        "שלום",
        "okay",
        "\u200eokay",
      ]) {
        assert.equal((await found(query)).length, 1, JSON.stringify(query));
      }
      assert.deepEqual(await found("cali"), []);
    });

    test("finds what was appended before the call", async () => {
      for (let i = 0; i < 20; i += 1) {
        await append(said(`tea ${i}`));
        assert.deepEqual(await found(`tea ${i}`), [`tea ${i}`]);
      }
    });

    test("accepts any text as a query, and as a message", async () => {
      await append(said('C++ (and "C") AND NOT col:on*'), said("日本語 안녕 привет"), said("nul\u0000nul \ud800"));
      for (const query of ["", " ", '"', "***", "( ) : ^ - +", "'", "\u0000", "\ud800", "😀", "%", "_"]) {
        assert.deepEqual(await found(query), [], query);
      }
      const [first, second] = ['C++ (and "C") AND NOT col:on*', "日本語 안녕 привет"];
      const queries = [
        '"c"',
        "c++",
        "and* (not",
        "NOT col:",
        "AND",
        "NEAR on",
        "NEAR(on c)",
        "c ^col",
        "col:on",
        "-c",
        "c_",
        "c%",
      ];
      for (const query of queries) assert.deepEqual(await found(query), query.startsWith("NEAR") ? [] : [first], query);
      for (const query of ["日本", "안", "안녕", "ПРИ"]) assert.deepEqual(await found(query), [second], query);
      assert.equal((await found("nul\u0000nu")).length, 1);
      assert.deepEqual(await found("c ".repeat(100_000)), [first]);
    });

    test("finds words of any length, of which the first 256 characters of a query count", async () => {
      const long = "x".repeat(10_000);
      await append(said(`${long}a`), said("茶".repeat(5_000)), said(`${"y".repeat(200)} ${"z".repeat(200)}`));
      assert.deepEqual(await found(long), [`${long}a`]);
      assert.deepEqual(await found("茶".repeat(10_000)), ["茶".repeat(5_000)]);
      assert.equal((await found(`${"y".repeat(200)} ${"z".repeat(55)} no such word`)).length, 1);
      assert.deepEqual(await found(`${"y".repeat(199)} z`), []);
    });

    test("looks at 30 marks in a row, which take little time in any order", async () => {
      const marks = (count: number) => "\u0316\u0301".repeat(count / 2);
      await append(said(`ж${marks(8_000)} tea`), said(`ж${marks(28)} tea`));
      assert.deepEqual(await found(`ж${marks(28)} tea`), [`ж${marks(28)} tea`]);
      assert.deepEqual(await found(`ж${marks(30)} tea`), [`ж${marks(8_000)} tea`]);
      assert.deepEqual(await found(`ж${marks(90)} tea`), [`ж${marks(8_000)} tea`]);
    });

    test("finds what a simple reference finds in random texts of many scripts", async () => {
      const texts = fc.sample(searchTexts(12), 300);
      const results = await append(...texts.map(({ text }) => said(text)));
      const seqs = results.map((result) => (result.type === "appended" ? result.seq : Number.NaN));
      for (const query of fc.sample(searchTexts(3), 100)) {
        const expected = seqs.filter((_, i) => shouldFind(texts[i] as SearchText, query));
        const entries = await searchAll(search, query.text);
        assert.deepEqual(
          entries.map(({ seq }) => seq),
          expected,
          JSON.stringify(query.text),
        );
      }
    });

    test("gives the newest matches up to the limit, and where to continue", async () => {
      const results = await append(...Array.from({ length: 5 }, (_, i) => said(`m${i} tea`)));
      const seqs = results.map((result) => (result.type === "appended" ? result.seq : Number.NaN));
      /** The indexes of the entries that the steps find, and where to continue. A busy machine takes more steps. */
      const step = async ({ limit, charactersMax = Number.POSITIVE_INFINITY, ...options }: SearchOptions) => {
        const all: Entry[] = [];
        let { before } = options;
        let characters = 0;
        do {
          const bounds = { limit: limit - all.length, charactersMax: charactersMax - characters };
          const found = await search.search("lobby", "tea", { before, ...bounds });
          assert.ok(found.entries.length <= bounds.limit);
          all.push(...found.entries);
          for (const entry of found.entries) characters += textOf(entry).length;
          before = found.before;
        } while (before !== undefined && all.length < limit && characters <= charactersMax);
        return [all.map(({ seq }) => seqs.indexOf(seq)), before === undefined ? undefined : seqs.indexOf(before)];
      };
      assert.deepEqual(await step({ limit: 2 }), [[4, 3], 3]);
      assert.deepEqual(await step({ limit: 2, before: seqs[3] as number }), [[2, 1], 1]);
      assert.deepEqual(await step({ limit: 2, before: seqs[1] as number }), [[0], undefined]);
      assert.deepEqual(await step({ limit: 9, charactersMax: 12 }), [[4, 3, 2], 2]);
      assert.deepEqual(await step({ limit: 9, before: 0 }), [[], undefined]);
      assert.deepEqual(await step({ limit: 9, before: 2 ** 53 - 1 }), [[4, 3, 2, 1, 0], undefined]);
      const { entries } = await search.search("lobby", "m0", { limit: 1 });
      assert.deepEqual(entries, (await log.read("lobby", { limit: 1, before: seqs[1] as number })).entries);
    });
  });
}

/** Takes all steps of a search. Returns the entries, oldest first. */
export async function searchAll(search: RoomSearch, query: string, room = "lobby"): Promise<readonly Entry[]> {
  const all: Entry[] = [];
  let before: number | undefined;
  do {
    const found = await search.search(room, query, { before, limit: 1_000 });
    assert.ok(found.before === undefined || found.before < (before ?? Number.POSITIVE_INFINITY), "the step goes on");
    all.push(...found.entries);
    before = found.before;
  } while (before !== undefined);
  return all.reverse();
}
