/**
 * The suite that every `RoomLog` passes, for any storage.
 *
 * @module
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type {
  AppendResult,
  ChatEntry,
  Entry,
  NewEntry,
  ReadOptions,
  RoomLog,
  SetEntry,
} from "../../packages/server/src/hub/mod.ts";

/** Creates an empty log. The suite closes it. */
export type RoomLogFactory = () => RoomLog | Promise<RoomLog>;

/** How many ids are remembered for each author and room. */
const IDS_MAX = 1_024;

export function roomLogSuite(name: string, factory: RoomLogFactory): void {
  describe(`${name} as a RoomLog`, () => {
    let log: RoomLog;
    /** One item for each call of the listener. */
    let followed: Entry[][];

    beforeEach(async () => {
      log = await factory();
      followed = [];
      log.follow((entries) => followed.push([...entries]));
    });
    afterEach(() => log.close());

    const append = async (...entries: readonly NewEntry[]): Promise<readonly AppendResult[]> => log.append(entries);
    const seqsOf = (entries: readonly Entry[]): readonly number[] => entries.map(({ seq }) => seq);
    const appendMany = async (count: number, room = "lobby"): Promise<readonly number[]> => {
      const results = await log.append(Array.from({ length: count }, (_, i) => said(`m${i}`, { room })));
      return results.map((result) => (result.type === "appended" ? result.seq : Number.NaN));
    };

    test("open() gives position 0 for a new room", async () => {
      const position = await log.open("lobby");
      assert.equal(position.seq, 0);
      assert.equal(typeof position.epoch, "string");
      assert.notEqual(position.epoch, "");
      assert.deepEqual(await log.read("lobby", { limit: 10 }), { entries: [], more: false });
    });

    test("open() gives the position of the newest entry", async () => {
      const { epoch } = await log.open("lobby");
      const seqs = await appendMany(3);
      await log.release("lobby");
      assert.deepEqual(await log.open("lobby"), { epoch, seq: seqs[2] });
    });

    test("follow() reports that a body is JSON, and the body is stored", async () => {
      await log.open("lobby");
      const origin = {};
      await append(said("[1.0]", { isJson: true, origin }), said('"text"', { origin }));
      const isJson = (entries: readonly Entry[]) => entries.map((entry) => entry.kind === "chat" && entry.isJson);
      assert.deepEqual(isJson(followed.flat()), [true, undefined]);
      assert.deepEqual(
        followed.flat().map((entry) => entry.origin === origin),
        [true, true],
      );
      const { entries } = await log.read("lobby", { limit: 10 });
      assert.deepEqual(isJson(entries), [undefined, undefined]);
      assert.deepEqual(
        entries.map(({ body }) => body),
        ["[1.0]", '"text"'],
      );
    });

    test("read() gives entries as appended, with rising seq and the seq of the previous entry", async () => {
      await log.open("lobby");
      const body = 'é 😀 \n"\\ \u0000 __proto__';
      const results = await append(said("one"), said(body, { from: "__proto__", id: "constructor" }), said(""));
      const { entries } = await log.read("lobby", { limit: 10 });
      assert.deepEqual(
        entries.map(({ room, kind, from, body: text, id }) => [room, kind, from, text, id]),
        [
          ["lobby", "chat", "Ada", "one", undefined],
          ["lobby", "chat", "__proto__", body, "constructor"],
          ["lobby", "chat", "Ada", "", undefined],
        ],
      );
      let prev = 0;
      for (const [i, entry] of entries.entries()) {
        assert.ok(entry.seq > prev);
        assert.equal(entry.prev, prev);
        prev = entry.seq;
        const result = results[i];
        assert.deepEqual(result, { type: "appended", seq: entry.seq, at: entry.at });
        assert.equal(Number.isSafeInteger(entry.at), true);
      }
      assert.ok(entries.every(({ at }, i) => i === 0 || at >= (entries[i - 1] as Entry).at));
      assert.equal(new Set(entries.map(({ epoch }) => epoch)).size, 1);
      assert.equal(entries[0]?.epoch, (await log.open("lobby")).epoch);
    });

    test("rooms with any names are independent", async () => {
      const rooms = ["a", "b", "__proto__", "constructor", "toString"];
      for (const room of rooms) await log.open(room);
      await log.append(rooms.map((room) => said(room, { room })));
      for (const room of rooms) {
        const { entries } = await log.read(room, { limit: 10 });
        assert.deepEqual(
          entries.map(({ body, prev }) => [body, prev]),
          [[room, 0]],
        );
      }
    });

    describe("follow()", () => {
      test("reports all entries of one append in one call, in order, before append() resolves", async () => {
        await log.open("lobby");
        await log.open("kitchen");
        const appended = append(said("one"), said("two", { room: "kitchen" }), said("three"));
        let callsBefore: number | undefined;
        await appended.then(() => {
          callsBefore = followed.length;
        });
        assert.equal(callsBefore, 1);
        assert.deepEqual(
          followed[0]?.map(({ room, body }) => [room, body]),
          [
            ["lobby", "one"],
            ["kitchen", "two"],
            ["lobby", "three"],
          ],
        );
        const { entries } = await log.read("lobby", { limit: 10 });
        assert.deepEqual(
          followed[0]?.filter(({ room }) => room === "lobby").map(({ origin: _, ...entry }) => entry),
          entries.map(({ origin: _, ...entry }) => entry),
        );
      });

      test("reports the origin of an append, which is not stored", async () => {
        await log.open("lobby");
        const origin = { mark: true };
        await append(said("one", { origin }), said("two"));
        assert.deepEqual(
          followed[0]?.map((entry) => entry.origin),
          [origin, undefined],
        );
        assert.equal(followed[0]?.[0]?.origin, origin);
        const { entries } = await log.read("lobby", { limit: 10 });
        assert.deepEqual(
          entries.map((entry) => entry.origin),
          [undefined, undefined],
        );
      });

      test("reports entries of open rooms only, until release(), and again after open()", async () => {
        await log.open("lobby");
        await append(said("closed", { room: "kitchen" }));
        await log.release("lobby");
        await append(said("released"));
        await log.open("lobby");
        await append(said("again"));
        assert.deepEqual(
          followed.flat().map(({ body }) => body),
          ["again"],
        );
      });

      test("reports concurrent appends in call order", async () => {
        await log.open("lobby");
        await Promise.all(Array.from({ length: 50 }, (_, i) => append(said(`${i}`), said(`${i}b`))));
        const bodies = followed.flat().map(({ body }) => body);
        assert.deepEqual(bodies, Array.from({ length: 50 }, (_, i) => [`${i}`, `${i}b`]).flat());
        assert.deepEqual(
          (await log.read("lobby", { limit: 200 })).entries.map(({ body }) => body),
          bodies,
        );
      });
    });

    describe("ids", () => {
      test("a repeated id with the same body is a duplicate with the first seq, and is not reported", async () => {
        await log.open("lobby");
        const [first] = await append(said("hi", { id: "1" }));
        const [again] = await append(said("hi", { id: "1" }));
        assert.deepEqual(again, { ...first, type: "duplicate" });
        assert.equal(followed.flat().length, 1);
        assert.equal((await log.read("lobby", { limit: 10 })).entries.length, 1);
      });

      test("a repeated id with another body is refused", async () => {
        await log.open("lobby");
        await append(said("hi", { id: "1" }));
        assert.deepEqual(await append(said("ho", { id: "1" })), [{ type: "id-reused" }]);
        assert.deepEqual(
          (await log.read("lobby", { limit: 10 })).entries.map(({ body }) => body),
          ["hi"],
        );
      });

      test("repeated ids within one append are found, in its order", async () => {
        await log.open("lobby");
        const results = await append(
          said("a", { id: "1" }),
          said("a", { id: "1" }),
          said("b", { id: "1" }),
          said("c", { id: "2" }),
        );
        assert.deepEqual(
          results.map(({ type }) => type),
          ["appended", "duplicate", "id-reused", "appended"],
        );
        assert.equal(followed.length, 1);
        assert.equal(followed[0]?.length, 2);
      });

      test("an append with only duplicates is not reported", async () => {
        await log.open("lobby");
        await append(said("a", { id: "1" }));
        await append(said("a", { id: "1" }));
        assert.equal(followed.length, 1);
      });

      test("belong to one author and one room", async () => {
        await log.open("lobby");
        const types = async (...entries: readonly NewEntry[]) => (await log.append(entries)).map(({ type }) => type);
        assert.deepEqual(
          await types(
            said("a", { id: "1" }),
            said("b", { id: "1", from: "Bob" }),
            said("c", { id: "1", room: "kitchen" }),
            said("d", { id: "1", from: "__proto__" }),
            said("e", { id: "__proto__" }),
          ),
          ["appended", "appended", "appended", "appended", "appended"],
        );
        // Names are compared by key.
        assert.deepEqual(await types(said("a", { id: "1", from: "ADA" })), ["duplicate"]);
        const spellings = ["J\u030can", "J\u030cAN", "\u01f0an"].map((from) => said("a", { id: "1", from }));
        assert.deepEqual(await types(...spellings), ["appended", "duplicate", "duplicate"]);
      });

      test("entries without an id are never duplicates", async () => {
        await log.open("lobby");
        await append(said("a"), said("a"));
        assert.equal((await log.read("lobby", { limit: 10 })).entries.length, 2);
      });

      test(`the last ${IDS_MAX} of an author are remembered, also after release() and open()`, async () => {
        await log.open("lobby");
        await log.append(Array.from({ length: IDS_MAX }, (_, i) => said(`m${i}`, { id: `${i}` })));
        await append(said("other", { id: "other", from: "Bob" }));
        await log.release("lobby");
        await log.open("lobby");
        const [oldest, newest] = await append(said("m0", { id: "0" }), said("m", { id: `${IDS_MAX - 1}` }));
        assert.equal(oldest?.type, "duplicate");
        assert.equal(newest?.type, "id-reused");
      });
    });

    describe("read()", () => {
      const cases: readonly (readonly [
        string,
        { after?: number; before?: number; limit: number },
        number[],
        boolean,
      ])[] = [
        ["the newest", { limit: 3 }, [7, 8, 9], true],
        ["all", { limit: 10 }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], false],
        ["more than there are", { limit: 11 }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], false],
        ["none", { limit: 0 }, [], true],
        ["before an entry", { before: 5, limit: 2 }, [3, 4], true],
        ["before an entry to the first", { before: 2, limit: 2 }, [0, 1], false],
        ["before the first", { before: 0, limit: 2 }, [], false],
        ["after an entry, the oldest", { after: 5, limit: 2 }, [6, 7], true],
        ["after an entry to the last", { after: 7, limit: 2 }, [8, 9], false],
        ["after the last", { after: 9, limit: 2 }, [], false],
        ["between two", { after: 2, before: 6, limit: 10 }, [3, 4, 5], false],
        ["between two, the oldest", { after: 2, before: 6, limit: 2 }, [3, 4], true],
        ["between two neighbours", { after: 2, before: 3, limit: 2 }, [], false],
        ["between two in the wrong order", { after: 6, before: 2, limit: 2 }, [], false],
      ];
      for (const [what, { after, before, limit }, expected, more] of cases) {
        test(`gives ${what}, oldest first, and whether there are more`, async () => {
          await log.open("lobby");
          const seqs = await appendMany(10);
          await appendMany(3, "kitchen");
          const page = await log.read("lobby", {
            limit,
            ...(after === undefined ? {} : { after: seqs[after] as number }),
            ...(before === undefined ? {} : { before: seqs[before] as number }),
          });
          assert.deepEqual(
            seqsOf(page.entries),
            expected.map((index) => seqs[index]),
          );
          assert.equal(page.more, more);
        });
      }

      test("gives at most charactersMax characters, but at least one entry, and whether there are more", async () => {
        await log.open("lobby");
        await append(...["a", "bbbb", "cccccccc", "d", "ee"].map((body) => said(body)));
        const read = async (options: Omit<ReadOptions, "limit">) => {
          const { entries, more } = await log.read("lobby", { limit: 10, ...options });
          return [entries.map(({ body }) => body[0]).join(""), more];
        };
        assert.deepEqual(await read({ charactersMax: 16 }), ["abcde", false]);
        assert.deepEqual(await read({ charactersMax: 15 }), ["bcde", true]);
        assert.deepEqual(await read({ charactersMax: 10 }), ["de", true]);
        assert.deepEqual(await read({ charactersMax: 1 }), ["e", true]);
        assert.deepEqual(await read({ charactersMax: 12, after: 0 }), ["ab", true]);
        assert.deepEqual(await read({ charactersMax: 13, after: 0 }), ["abc", true]);
        assert.deepEqual(
          await log.read("lobby", { limit: 2, charactersMax: 10 }),
          await log.read("lobby", { limit: 2 }),
        );
        assert.equal((await log.read("lobby", { limit: 1, charactersMax: 10 })).entries.length, 1);
      });

      test("accepts bounds between, before and after the entries", async () => {
        await log.open("lobby");
        const seqs = await appendMany(3);
        const last = seqs[2] as number;
        const read = async (bounds: { after?: number; before?: number }) =>
          seqsOf((await log.read("lobby", { ...bounds, limit: 10 })).entries);
        assert.deepEqual(await read({ after: 0 }), seqs);
        assert.deepEqual(await read({ before: last + 1 }), seqs);
        assert.deepEqual(await read({ before: 2 ** 53 - 1 }), seqs);
        assert.deepEqual(await read({ after: 2 ** 53 - 1 }), []);
        assert.deepEqual(await read({ before: 0 }), []);
      });

      test("gives the same entries whether the room is open or not", async () => {
        await log.open("lobby");
        await appendMany(3);
        const open = await log.read("lobby", { limit: 10 });
        await log.release("lobby");
        assert.deepEqual(await log.read("lobby", { limit: 10 }), open);
      });

      test("a returned page does not change later", async () => {
        await log.open("lobby");
        await appendMany(2);
        const { entries } = await log.read("lobby", { limit: 10 });
        const copy = structuredClone(entries);
        await appendMany(2);
        assert.deepEqual(entries, copy);
      });
    });

    describe("state()", () => {
      const stateOf = async (room = "lobby") => [...(await log.state(room))].sort();

      test("gives the last value of each key, per room", async () => {
        assert.deepEqual(await stateOf(), []);
        await append(put("topic", "tea"), put("op:ada", "yes"), said("hi"), put("topic", "cake"));
        await append(put("topic", "wine", { room: "kitchen" }), put("__proto__", "a name like any other"));
        assert.deepEqual(await stateOf(), [
          ["__proto__", "a name like any other"],
          ["op:ada", "yes"],
          ["topic", "cake"],
        ]);
        assert.deepEqual(await stateOf("kitchen"), [["topic", "wine"]]);
        assert.deepEqual(await stateOf("Topic"), []);
      });

      test("an empty value removes the key", async () => {
        await append(put("ban:bob", "spam"), put("topic", "tea"));
        await append(put("ban:bob", ""), put("ban:eve", ""));
        assert.deepEqual(await stateOf(), [["topic", "tea"]]);
      });

      test("a returned state does not change later", async () => {
        await append(put("topic", "tea"));
        const state = await log.state("lobby");
        await append(put("topic", "cake"));
        assert.deepEqual([...state], [["topic", "tea"]]);
      });

      test("state entries are read and reported like other entries", async () => {
        await log.open("lobby");
        await append(said("hi"), put("topic", "tea", { id: "1" }));
        const { entries } = await log.read("lobby", { limit: 10 });
        assert.deepEqual(
          entries.map((entry) => [entry.kind, entry.kind === "set" ? entry.key : undefined, entry.body, entry.prev]),
          [
            ["chat", undefined, "hi", 0],
            ["set", "topic", "tea", entries[0]?.seq],
          ],
        );
        assert.deepEqual(followed, [entries]);
        assert.equal("key" in (entries[0] as Entry), false);
      });

      test("a repeated id is compared by key and value, and does not change the state", async () => {
        await append(put("topic", "tea", { id: "1" }), put("topic", "cake"));
        const results = await append(
          put("topic", "tea", { id: "1" }),
          put("subject", "tea", { id: "1" }),
          said("tea", { id: "1" }),
        );
        assert.deepEqual(
          results.map(({ type }) => type),
          ["duplicate", "id-reused", "id-reused"],
        );
        assert.deepEqual(await stateOf(), [["topic", "cake"]]);
      });
    });

    test("release() of a room that is not open does nothing", async () => {
      await log.release("lobby");
      await log.open("lobby");
      await append(said("a"));
      assert.equal(followed.length, 1);
    });

    test("append() of no entries gives no results", async () => {
      assert.deepEqual(await log.append([]), []);
      assert.deepEqual(followed, []);
    });
  });
}

/** A state change in the lobby by Ada. */
export function put(key: string, body: string, fields: Partial<Omit<SetEntry, "kind">> = {}): NewEntry {
  return { room: "lobby", id: undefined, kind: "set", key, from: "Ada", body, ...fields };
}

/** An entry by Ada in the lobby. */
export function said(body: string, fields: Partial<Omit<ChatEntry, "kind">> = {}): NewEntry {
  return { room: "lobby", id: undefined, kind: "chat", from: "Ada", body, ...fields };
}
