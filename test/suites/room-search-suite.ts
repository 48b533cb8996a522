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
import { put, said } from "./room-log-suite.ts";

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
    const found = async (query: string) => (await searchAll(search, query)).map(({ body }) => body);

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

    test("accepts any text as a query", async () => {
      await append(said('C++ (and "C") AND NOT col:on*'), said("日本語 안녕 привет"));
      for (const query of ["", " ", '"', "***", "( ) : ^ - +", "'", "\u0000", "\ud800", "😀"]) {
        assert.deepEqual(await found(query), [], query);
      }
      const [first, second] = ['C++ (and "C") AND NOT col:on*', "日本語 안녕 привет"];
      for (const query of ['"c"', "c++", "and* (not", "NOT col:", "AND", "NEAR on", "c ^col", "col:on", "-c"]) {
        assert.deepEqual(await found(query), query.startsWith("NEAR") ? [] : [first], query);
      }
      for (const query of ["日本", "안", "안녕", "ПРИ"]) assert.deepEqual(await found(query), [second], query);
      assert.deepEqual(await found("c ".repeat(100_000)), [first]);
    });

    test("gives the newest matches up to the limit, and where to continue", async () => {
      const results = await append(...Array.from({ length: 5 }, (_, i) => said(`m${i} tea`)));
      const seqs = results.map((result) => (result.type === "appended" ? result.seq : Number.NaN));
      /** The indexes of the entries that the steps find, until `limit` of them are found. */
      const step = async (options: SearchOptions) => {
        const { entries, before } = await search.search("lobby", "tea", options);
        return [entries.map(({ seq }) => seqs.indexOf(seq)), before === undefined ? undefined : seqs.indexOf(before)];
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

/** Takes all steps of a search of the lobby. Returns the entries, oldest first. */
export async function searchAll(search: RoomSearch, query: string): Promise<readonly Entry[]> {
  const all: Entry[] = [];
  let before: number | undefined;
  do {
    const found = await search.search("lobby", query, { before, limit: 1_000 });
    assert.ok(found.before === undefined || found.before < (before ?? Number.POSITIVE_INFINITY), "the step goes on");
    all.push(...found.entries);
    before = found.before;
  } while (before !== undefined);
  return all.reverse();
}
