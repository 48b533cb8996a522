/**
 * The suite that every `RoomLog` passes, for any storage.
 *
 * @module
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { AppendResult, Author, Entry, NewEntry, ReadOptions, RoomLog } from "../../packages/server/src/hub/mod.ts";
import { until } from "../until.ts";

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
      log.follow({
        entries: (entries) => followed.push([...entries]),
        lost: (room, reason) => assert.fail(`${room}: ${reason}`),
      });
    });
    afterEach(() => log.close());

    const append = async (...entries: readonly NewEntry[]): Promise<readonly AppendResult[]> => log.append(entries);
    const seqsOf = (entries: readonly Entry[]): readonly number[] => entries.map(({ seq }) => seq);
    const appendMany = async (count: number, room = "lobby"): Promise<readonly number[]> => {
      const results = await log.append(Array.from({ length: count }, (_, i) => said(`m${i}`, { room })));
      return results.map((result) => (result.type === "appended" ? result.seq : Number.NaN));
    };

    test("open() gives position 0 for a new room", async () => {
      const { position, state, stateSeq } = await log.open("lobby");
      assert.deepEqual([position.seq, [...state], stateSeq], [0, [], 0]);
      assert.equal(typeof position.epoch, "string");
      assert.notEqual(position.epoch, "");
      assert.deepEqual(await log.read("lobby", { limit: 10 }), { entries: [], more: false });
    });

    test("open() gives the position of the newest entry", async () => {
      const { epoch } = (await log.open("lobby")).position;
      const seqs = await appendMany(3);
      await log.release("lobby");
      assert.deepEqual((await log.open("lobby")).position, { epoch, seq: seqs[2] });
    });

    test("follow() reports that a text is JSON, and the text is stored", async () => {
      await log.open("lobby");
      const origin = "node.1";
      await append(said("[1.0]", { isJson: true, origin }), said('"text"', { origin }));
      const isJson = (entries: readonly Entry[]) => entries.map((entry) => entry.kind === "message" && entry.isJson);
      assert.deepEqual(isJson(followed.flat()), [true, undefined]);
      assert.deepEqual(
        followed.flat().map((entry) => entry.origin),
        [origin, origin],
      );
      const { entries } = await log.read("lobby", { limit: 10 });
      assert.deepEqual(isJson(entries), [undefined, undefined]);
      assert.deepEqual(entries.map(textOf), ["[1.0]", '"text"']);
    });

    test("each entry is appended or not on its own", async () => {
      await log.open("lobby");
      await append(said("a", { id: "1" }));
      const results = await append(
        said("b"),
        said("other", { id: "1" }),
        put("topic", "no", { room: "kitchen", expectState: 9 }),
        said("c", { room: "kitchen" }),
        said("d"),
      );
      assert.deepEqual(
        results.map(({ type }) => type),
        ["appended", "id-reused", "conflict", "appended", "appended"],
      );
      assert.deepEqual((await log.read("lobby", { limit: 9 })).entries.map(textOf), ["a", "b", "d"]);
      assert.deepEqual((await log.read("kitchen", { limit: 9 })).entries.map(textOf), ["c"]);
    });

    test("read() gives entries as appended, with rising seq and the seq of the previous entry", async () => {
      await log.open("lobby");
      const text = 'é 😀 \n"\\ \u0000 __proto__';
      const results = await append(said("one"), said(text, { from: "__proto__", id: "constructor" }), said(""));
      const { entries } = await log.read("lobby", { limit: 10 });
      assert.deepEqual(
        entries.map((entry) => [entry.room, entry.kind, entry.author, textOf(entry), entry.id]),
        [
          ["lobby", "message", { id: "id of Ada", name: "Ada" }, "one", undefined],
          ["lobby", "message", { id: "id of __proto__", name: "__proto__" }, text, "constructor"],
          ["lobby", "message", { id: "id of Ada", name: "Ada" }, "", undefined],
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
      assert.equal(entries[0]?.epoch, (await log.open("lobby")).position.epoch);
    });

    test("rooms with any names are independent", async () => {
      const rooms = ["a", "b", "__proto__", "constructor", "toString"];
      for (const room of rooms) await log.open(room);
      await log.append(rooms.map((room) => said(room, { room })));
      for (const room of rooms) {
        const { entries } = await log.read(room, { limit: 10 });
        assert.deepEqual(
          entries.map((entry) => [textOf(entry), entry.prev]),
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
          followed[0]?.map((entry) => [entry.room, textOf(entry)]),
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
        await append(said("one", { origin: "node.1" }), said("two"));
        assert.deepEqual(
          followed[0]?.map((entry) => entry.origin),
          ["node.1", undefined],
        );
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
        assert.deepEqual(followed.flat().map(textOf), ["again"]);
      });

      test("reports concurrent appends in call order", async () => {
        await log.open("lobby");
        await Promise.all(Array.from({ length: 50 }, (_, i) => append(said(`${i}`), said(`${i}b`))));
        const texts = followed.flat().map(textOf);
        assert.deepEqual(texts, Array.from({ length: 50 }, (_, i) => [`${i}`, `${i}b`]).flat());
        assert.deepEqual((await log.read("lobby", { limit: 200 })).entries.map(textOf), texts);
      });
    });

    describe("ids", () => {
      test("a repeated id with the same content is a duplicate with the first seq, and is not reported", async () => {
        await log.open("lobby");
        const [first] = await append(said("hi", { id: "1" }));
        const [again] = await append(said("hi", { id: "1" }));
        assert.deepEqual(again, { ...first, type: "duplicate" });
        assert.equal(followed.flat().length, 1);
        assert.equal((await log.read("lobby", { limit: 10 })).entries.length, 1);
      });

      test("a repeated id with other content is refused", async () => {
        await log.open("lobby");
        await append(said("hi", { id: "1" }));
        assert.deepEqual(await append(said("ho", { id: "1" })), [{ type: "id-reused" }]);
        assert.deepEqual((await log.read("lobby", { limit: 10 })).entries.map(textOf), ["hi"]);
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
        await append(...["a", "bbbb", "cccccccc", "d", "ee"].map((text) => said(text)));
        const read = async (options: Omit<ReadOptions, "limit">) => {
          const { entries, more } = await log.read("lobby", { limit: 10, ...options });
          return [entries.map((entry) => textOf(entry)[0]).join(""), more];
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

    describe("state", () => {
      const stateOf = async (room = "lobby") => [...(await log.open(room)).state].sort();
      const set = (changes: Readonly<Record<string, string>>, expectState?: number): NewEntry => ({
        ...put("", "", expectState === undefined ? {} : { expectState }),
        kind: "set",
        changes: new Map(Object.entries(changes)),
      });

      test("is the last value of each key, per room", async () => {
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

      test("changes in all keys of an entry at once; an empty value removes its key", async () => {
        await append(set({ "ban:bob": "spam", topic: "tea" }));
        await append(set({ "ban:bob": "", "ban:eve": "", name: "Lobby" }));
        assert.deepEqual(await stateOf(), [
          ["name", "Lobby"],
          ["topic", "tea"],
        ]);
      });

      test("and its stateSeq are those of the position that open() returns", async () => {
        const results = await append(said("a"), put("topic", "tea"), said("b"));
        const seqs = results.map((result) => (result.type === "appended" ? result.seq : Number.NaN));
        const { position, state, stateSeq } = await log.open("lobby");
        assert.deepEqual([position.seq, [...state], stateSeq], [seqs[2], [["topic", "tea"]], seqs[1]]);
        const opened = await Promise.all(
          Array.from({ length: 20 }, async (_, i) => {
            void append(said("x"), put("topic", `${i}`));
            return log.open("lobby");
          }),
        );
        const { entries } = await log.read("lobby", { limit: 100 });
        for (const { position, state, stateSeq } of opened) {
          const before = entries.filter(({ seq }) => seq <= position.seq);
          assert.equal(before.at(-1)?.seq, position.seq);
          const last = before.findLast(({ kind }) => kind === "set") as Entry;
          assert.deepEqual([stateSeq, state.get("topic")], [last.seq, textOf(last)]);
        }
      });

      test("that was returned does not change later", async () => {
        await append(put("topic", "tea"));
        const { state } = await log.open("lobby");
        await append(put("topic", "cake"));
        assert.deepEqual([...state], [["topic", "tea"]]);
      });

      test("entries are read and reported like other entries, with origin only for the follower", async () => {
        await log.open("lobby");
        const user = { id: "id of Bob", name: "Bob" };
        const kick: NewEntry = { room: "lobby", id: "2", kind: "kick", author: user, user, reason: "spam" };
        await append(said("hi"), set({ topic: "tea", name: "Lobby" }), { ...kick, origin: "node.1" });
        const { entries } = await log.read("lobby", { limit: 10 });
        assert.deepEqual(
          entries.map((entry) => [entry.kind, entry.kind === "set" ? [...entry.changes].sort() : "", entry.prev]),
          [
            ["message", "", 0],
            [
              "set",
              [
                ["name", "Lobby"],
                ["topic", "tea"],
              ],
              entries[0]?.seq,
            ],
            ["kick", "", entries[1]?.seq],
          ],
        );
        const [last] = entries.slice(-1);
        assert.deepEqual(last?.kind === "kick" && [last.user, last.reason, last.id], [user, "spam", "2"]);
        assert.deepEqual(
          followed.flat().map(({ origin: _, ...entry }) => entry),
          entries.map(({ origin: _, ...entry }) => entry),
        );
        assert.equal(followed.flat().at(-1)?.origin, "node.1");
      });

      test("a repeated id is compared by kind, keys and values, and does not change the state", async () => {
        await append(put("topic", "tea", { id: "1" }), put("topic", "cake"));
        const results = await append(
          put("topic", "tea", { id: "1" }),
          put("subject", "tea", { id: "1" }),
          said("tea", { id: "1" }),
          said('[["topic","tea"]]', { id: "1" }),
        );
        assert.deepEqual(
          results.map(({ type }) => type),
          ["duplicate", "id-reused", "id-reused", "id-reused"],
        );
        assert.deepEqual(await stateOf(), [["topic", "cake"]]);
      });

      test("an entry that expects another state is a conflict, and stores nothing", async () => {
        await log.open("lobby");
        const [first, second] = await append(
          put("topic", "tea", { expectState: 0 }),
          put("topic", "no", { expectState: 0 }),
        );
        assert.equal(first?.type, "appended");
        const stateSeq = first.type === "appended" ? first.seq : Number.NaN;
        assert.deepEqual(second, { type: "conflict", stateSeq });
        // Messages do not change the state.
        await append(said("hi"));
        const author = { id: "id of Ada", name: "Ada" };
        const kick = { room: "lobby", id: undefined, kind: "kick", author, user: author, reason: "" } as const;
        const results = await append(
          { ...kick, expectState: stateSeq + 1 },
          { ...kick, expectState: stateSeq },
          put("topic", "cake", { expectState: stateSeq }),
          put("topic", "late", { expectState: stateSeq }),
        );
        assert.deepEqual(
          results.map(({ type }) => type),
          ["conflict", "appended", "appended", "conflict"],
        );
        assert.deepEqual(await stateOf(), [["topic", "cake"]]);
        assert.equal(followed.flat().length, 4);
      });

      test("a duplicate is found before a conflict", async () => {
        await append(put("topic", "tea", { id: "1", expectState: 0 }));
        const results = await append(
          put("topic", "tea", { id: "1", expectState: 0 }),
          put("topic", "cake", { id: "1", expectState: 0 }),
        );
        assert.deepEqual(
          results.map(({ type }) => type),
          ["duplicate", "id-reused"],
        );
      });
    });

    test("release() of a room that is not open does nothing", async () => {
      await log.release("lobby");
      await log.open("lobby");
      await append(said("a"));
      assert.equal(followed.length, 1);
    });

    test("open() and release() act in call order", async () => {
      const calls = [
        log.open("lobby"),
        log.release("lobby"),
        log.open("lobby"),
        log.open("kitchen"),
        log.release("kitchen"),
      ];
      await Promise.all(calls);
      await append(said("lobby"), said("kitchen", { room: "kitchen" }));
      assert.deepEqual(followed.flat().map(textOf), ["lobby"]);
      await Promise.all([log.release("lobby"), log.open("lobby"), log.release("lobby")]);
      await append(said("closed"));
      assert.equal(followed.flat().length, 1);
    });

    test("append() after close() fails for each entry", async () => {
      await append(said("a"));
      await log.close();
      const results = await append(said("b"), said("c"));
      assert.deepEqual(
        results.map((result) => result.type === "failed" && result.error.code),
        ["closed", "closed"],
      );
    });

    test("append() of no entries gives no results", async () => {
      assert.deepEqual(await log.append([]), []);
      assert.deepEqual(followed, []);
    });
  });
}

/** The suite for logs of several nodes on the same rooms. The factory returns the logs of two nodes. */
export function sharedRoomLogSuite(name: string, factory: () => readonly [RoomLog, RoomLog]): void {
  describe(`${name} of two nodes`, () => {
    let logs: readonly [RoomLog, RoomLog];
    /** The entries that each node's follower got. */
    let followed: readonly [Entry[], Entry[]];
    beforeEach(() => {
      logs = factory();
      followed = [[], []];
      for (const i of [0, 1] as const) {
        logs[i].follow({ entries: (entries) => followed[i].push(...entries), lost: assert.fail });
      }
    });
    afterEach(() => Promise.all(logs.map((log) => log.close())));

    test("gives both the same entries, order, state and epoch, with the id of the connection", async () => {
      const opened = await Promise.all(logs.map((log) => log.open("lobby")));
      assert.deepEqual(opened[0], opened[1]);
      const appends = Array.from({ length: 50 }, async (_, i) => {
        const log = logs[i % 2] as RoomLog;
        await log.append([said(`${i}`, { id: `${i}`, origin: `node${i % 2}.1` }), put("topic", `${i}`)]);
      });
      await Promise.all(appends);
      await until(() => followed.every((entries) => entries.length === 100), "both nodes have all entries");
      const [first, second] = followed;
      assert.deepEqual(first, second);
      let prev = 0;
      for (const entry of first) {
        assert.equal(entry.prev, prev);
        if (entry.kind === "message") assert.equal(entry.origin, `node${Number(entry.text) % 2}.1`);
        prev = entry.seq;
      }
      const [a, b] = await Promise.all(logs.map((log) => log.open("lobby")));
      assert.deepEqual(a, b);
      assert.deepEqual(
        [a?.position.seq, a?.stateSeq, a?.state.get("topic")],
        [prev, prev, textOf(first.at(-1) as Entry)],
      );
    });

    test("follows on each node only the rooms that are open there", async () => {
      await logs[0].open("lobby");
      await logs[1].open("kitchen");
      await logs[0].append([said("in the lobby"), said("in the kitchen", { room: "kitchen" })]);
      await until(() => followed[1].length === 1, "the other node has the entry");
      assert.deepEqual([followed[0].map(textOf), followed[1].map(textOf)], [["in the lobby"], ["in the kitchen"]]);
      await logs[1].open("lobby");
      await logs[0].release("lobby");
      await logs[0].append([said("again")]);
      await until(() => followed[1].length === 2, "the other node has the entry");
      assert.deepEqual(followed[0].map(textOf), ["in the lobby"]);
    });

    test("finds ids and conflicts of the other node", async () => {
      const { stateSeq } = await logs[0].open("lobby");
      const sets = logs.map((log, i) => outcomes(log.append([put("name", `${i}`, { expectState: stateSeq })])));
      assert.deepEqual((await Promise.all(sets)).flat().sort(), ["appended", "conflict"]);
      await logs[0].append([said("hi", { id: "1" })]);
      assert.deepEqual(await outcomes(logs[1].append([said("hi", { id: "1" }), said("ho", { id: "1" })])), [
        "duplicate",
        "id-reused",
      ]);
    });

    test("works on one node after the other's log was closed", async () => {
      await logs[1].open("lobby");
      await logs[0].close();
      assert.deepEqual(await outcomes(logs[1].append([said("hi")])), ["appended"]);
      await until(() => followed[1].length === 1, "the entry has arrived");
    });
  });
}

/** Fields of an entry. `from` is the author's name. */
interface Fields {
  readonly room?: string;
  readonly id?: string;
  readonly origin?: string;
  readonly from?: string;
}

function author(name: string): Author {
  return { id: `id of ${name}`, name };
}

/** A change of one key in the lobby by Ada. */
export function put(
  key: string,
  value: string,
  { from = "Ada", expectState, ...fields }: Fields & { expectState?: number } = {},
): NewEntry {
  const changes = new Map([[key, value]]);
  const entry = { room: "lobby", id: undefined, kind: "set", author: author(from), changes, ...fields } as const;
  return expectState === undefined ? entry : { ...entry, expectState };
}

/** A message by Ada in the lobby. */
export function said(text: string, { from = "Ada", ...fields }: Fields & { isJson?: true } = {}): NewEntry {
  return { room: "lobby", id: undefined, kind: "message", author: author(from), text, ...fields };
}

/** The text of a message, or of the last value of a change. */
export function textOf(entry: NewEntry): string {
  if (entry.kind === "message") return entry.text;
  return entry.kind === "kick" ? entry.reason : ([...entry.changes.values()].at(-1) ?? "");
}

/** The type of each result; of a failed one, its error's code. */
export async function outcomes(results: Promise<readonly AppendResult[]>): Promise<readonly string[]> {
  return (await results).map((result) => (result.type === "failed" ? result.error.code : result.type));
}
