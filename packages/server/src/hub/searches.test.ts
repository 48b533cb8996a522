import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MessageEntry } from "./ports/room-log.ts";
import type { Found, RoomSearch, SearchOptions } from "./ports/room-search.ts";
import { Searches } from "./searches.ts";

const NOTHING: Found = { entries: [] };

/** A port that calls the function for each step. */
function port(step: (query: string, options: SearchOptions) => Promise<Found>): RoomSearch {
  return { search: (_room, query, options) => step(query, options) };
}

/** A port that takes as many steps for a query as the number at its end says, and records each step. */
function stepped(begun: string[]): RoomSearch {
  return port(async (query, { before = Number(query.at(-1)) }) => {
    begun.push(query);
    return { entries: [], before: before > 1 ? before - 1 : undefined };
  });
}

const find = (searches: Searches, asker: string, query: string) =>
  searches.search(asker, "lobby", query, { limit: 10 });

function entry(seq: number): MessageEntry {
  return {
    room: "lobby",
    epoch: "e",
    seq,
    prev: seq - 1,
    id: undefined,
    at: 0,
    author: { id: "u1", name: "Ada" },
    kind: "message",
    text: "tea",
  };
}

describe("Searches", () => {
  test("continues each step where the last one ended, and returns the newest matches, oldest first", async () => {
    const asked: SearchOptions[] = [];
    const steps = [
      { entries: [entry(9), entry(7)], before: 7 },
      { entries: [], before: 5 },
      { entries: [entry(3), entry(2)], before: 2 },
    ];
    const searches = new Searches(
      port(async (_query, options) => {
        asked.push(options);
        return steps[asked.length - 1] as Found;
      }),
    );
    const page = await searches.search("a", "lobby", "tea", { before: 10, limit: 3, charactersMax: 100 });
    assert.deepEqual([page.entries.map(({ seq }) => seq), page.more], [[3, 7, 9], true]);
    assert.deepEqual(asked, [
      { before: 10, limit: 4, charactersMax: 100 },
      { before: 7, limit: 2, charactersMax: 100 },
      { before: 5, limit: 2, charactersMax: 100 },
    ]);
  });

  test("has no more when the port has no more, and stops at charactersMax", async () => {
    const searches = new Searches(port(async () => ({ entries: [entry(3), entry(2), entry(1)] })));
    const search = async (limit: number, charactersMax?: number) => {
      const page = await searches.search("a", "lobby", "tea", { limit, charactersMax });
      return [page.entries.map(({ seq }) => seq), page.more];
    };
    assert.deepEqual(await search(3), [[1, 2, 3], false]);
    assert.deepEqual(await search(2), [[2, 3], true]);
    assert.deepEqual(await search(0), [[], true]);
    assert.deepEqual(await search(3, 6), [[2, 3], true]);
    assert.deepEqual(await search(3, 1), [[3], true]);
  });

  test("takes one step at a time, and continues after one that fails", async () => {
    const begun: string[] = [];
    const first = Promise.withResolvers<Found>();
    const searches = new Searches(
      port((query) => {
        begun.push(query);
        if (query === "1") return first.promise;
        return query === "2" ? Promise.reject(new Error("failed")) : Promise.resolve(NOTHING);
      }),
    );
    const settled = Promise.allSettled(["1", "2", "3"].map((query) => find(searches, "a", query)));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(begun, ["1"]);
    first.resolve(NOTHING);
    assert.deepEqual(
      (await settled).map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    assert.deepEqual(begun, ["1", "2", "3"]);
  });

  test("gives turns to the askers, and to the searches of each", async () => {
    const begun: string[] = [];
    const searches = new Searches(stepped(begun));
    await Promise.all([
      find(searches, "first", "0"),
      ...["a3", "a2", "a1", "b1", "c2"].map((query) => find(searches, query.slice(0, 1), query)),
    ]);
    assert.deepEqual(begun, ["0", "a3", "b1", "c2", "a2", "c2", "a1", "a3", "a2", "a3"]);
  });

  test("rejects with `timeout` after 5 s, and takes no step of a search that timed out", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const slow = Promise.withResolvers<Found>();
    const begun: string[] = [];
    const searches = new Searches(
      port((query) => {
        begun.push(query);
        return slow.promise;
      }),
    );
    const first = assert.rejects(find(searches, "a", "1"), { code: "timeout" });
    t.mock.timers.tick(1);
    const second = assert.rejects(find(searches, "a", "2"), { code: "timeout" });
    t.mock.timers.tick(4_999);
    await first;
    t.mock.timers.tick(1);
    await second;
    slow.resolve(NOTHING);
    await find(searches, "a", "3");
    assert.deepEqual(begun, ["1", "3"]);
  });

  test("rejects with `busy` past 64 searches: the new one, or the newest of an asker with more", async () => {
    const slow = Promise.withResolvers<Found>();
    const searches = new Searches(port(() => slow.promise));
    const waiting = Array.from({ length: 64 }, () => find(searches, "a", "tea"));
    const last = assert.rejects(waiting.pop() as Promise<unknown>, { code: "busy" });
    await assert.rejects(find(searches, "a", "one more"), { code: "busy" });
    const other = find(searches, "b", "other");
    await last;
    slow.resolve(NOTHING);
    await other;
    await Promise.all(waiting);
    await find(searches, "a", "again");
  });
});
