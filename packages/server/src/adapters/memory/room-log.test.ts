import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { put, roomLogSuite, said, sharedRoomLogSuite } from "../../../../../test/suites/room-log-suite.ts";
import { roomSearchSuite } from "../../../../../test/suites/room-search-suite.ts";
import { MemoryRoomLog } from "./room-log.ts";
import { MemoryRoomStore } from "./room-store.ts";

roomLogSuite("MemoryRoomLog", () => new MemoryRoomLog());
roomLogSuite("MemoryRoomLog beside another node's", () => {
  const store = new MemoryRoomStore();
  const other = new MemoryRoomLog(store);
  other.follow({ entries: () => undefined, lost: assert.fail });
  return new MemoryRoomLog(store);
});
sharedRoomLogSuite("MemoryRoomLog", () => {
  const store = new MemoryRoomStore();
  return [new MemoryRoomLog(store), new MemoryRoomLog(store)];
});
roomSearchSuite("MemoryRoomLog", async () => {
  const log = new MemoryRoomLog();
  return { log, search: log };
});

describe("MemoryRoomLog", () => {
  test("keeps a room's times from decreasing when the clock is set back", async () => {
    const times = [100, 50, 200];
    const log = new MemoryRoomLog(new MemoryRoomStore({ now: () => times.shift() ?? 0 }));
    await log.append([said("a"), said("b"), said("c")]);
    const { entries } = await log.read("lobby", { limit: 10 });
    assert.deepEqual(
      entries.map(({ at }) => at),
      [100, 100, 200],
    );
  });

  test("remembers the ids of an author that goes on writing, however many others write", async () => {
    const log = new MemoryRoomLog();
    const by = (name: string, id: string) => ({ ...said(id), id, author: { id: name, name } });
    await log.append([by("ada", "first")]);
    for (let i = 0; i < 4; i += 1) {
      await log.append(Array.from({ length: 400 }, (_, j) => by(`other${i}-${j}`, "x")));
      await log.append([by("ada", `later ${i}`)]);
    }
    const [first] = await log.append([by("ada", "first")]);
    assert.equal(first?.type, "duplicate");
    const [other] = await log.append([by("other0-0", "x")]);
    assert.equal(other?.type, "appended", "the author that has written nothing for longest is forgotten");
  });

  test("removes the oldest of very many entries and does not return them", async () => {
    const log = new MemoryRoomLog();
    await log.append(Array.from({ length: 20_000 }, (_, i) => said(`${i}`)));
    const { entries, more } = await log.read("lobby", { limit: 20_000 });
    assert.equal(entries.length, 10_000);
    assert.equal(entries[0]?.prev, 10_000);
    assert.equal(more, false);
    assert.deepEqual(await log.read("lobby", { before: 10_001, limit: 10 }), { entries: [], more: false });
    const { entries: missed } = await log.read("lobby", { after: 5, limit: 1 });
    assert.notEqual(missed[0]?.prev, 5);
  });

  test("forgets an author's ids past 1,024, and a room's authors past 1,024", async () => {
    const log = new MemoryRoomLog();
    await log.append(Array.from({ length: 2_048 }, (_, i) => said("x", { id: `${i}` })));
    const [first, second] = await log.append([said("y", { id: "1024" }), said("x", { id: "1023" })]);
    assert.equal(first?.type, "id-reused");
    assert.equal(second?.type, "appended");

    await log.append(Array.from({ length: 1_024 }, (_, i) => said("x", { id: "1", from: `user${i}` })));
    assert.equal((await log.append([said("x", { id: "2047" })]))[0]?.type, "appended");
  });

  test("removes the room that has been empty for longest, keeps open ones, and changes the epoch", async () => {
    const log = new MemoryRoomLog();
    const visit = async (room: string) => {
      const { position } = await log.open(room);
      await log.append([said("hi", { room })]);
      return position;
    };
    const { epoch } = await visit("open");
    await visit("first");
    await log.release("first");
    for (let i = 0; i < 9_999; i += 1) {
      await visit(`room${i}`);
      await log.release(`room${i}`);
    }
    assert.equal((await log.open("first")).position.seq, 1);
    await log.release("first");
    // The 10,001st empty room evicts the one that has been empty for longest, which is no longer `first`.
    await visit("last");
    await log.release("last");
    assert.deepEqual((await log.open("first")).position, { epoch, seq: 1 });
    assert.deepEqual((await log.open("open")).position, { epoch, seq: 1 });
    const { position: forgotten } = await log.open("room0");
    assert.equal(forgotten.seq, 0);
    assert.notEqual(forgotten.epoch, epoch);
    await log.append([said("again", { room: "room0" })]);
    assert.deepEqual((await log.read("room0", { limit: 1 })).entries[0]?.epoch, forgotten.epoch);
  });

  test("removes the older half of the largest rooms, with their ids, when the entries exceed bytesMax", async () => {
    // 256 bytes for each entry, and two for each UTF-16 unit.
    const log = new MemoryRoomLog(new MemoryRoomStore({ bytesMax: 100_000 }));
    const append = async (text: string, id: string, room = "lobby") =>
      (await log.append([said(text, { id, room })]))[0];
    const count = async (room = "lobby") => (await log.read(room, { limit: 1_000 })).entries.length;
    await append("small", "1", "kitchen");
    for (let i = 0; i < 47; i += 1) await append("x".repeat(900), `${i}`);
    assert.equal(await count(), 47);
    await append("x".repeat(900), "47");
    await append("x".repeat(900), "48");
    assert.equal(await count(), 24);
    assert.equal(await count("kitchen"), 1);
    assert.equal((await append("x".repeat(900), "48"))?.type, "duplicate");
    assert.equal((await append("y", "23"))?.type, "appended");
    // Also if every room is small.
    for (let i = 0; i < 2_000; i += 1) await append("x", "1", `room${i}`);
    let left = 0;
    for (let i = 0; i < 2_000; i += 1) left += await count(`room${i}`);
    assert.ok(left >= 200 && left <= 400, `${left}`);
    assert.equal((await log.open("room0")).position.seq, 1);
  });

  test("entriesMax and ageMs remove older entries with their ids, and keep the state and the numbers", async () => {
    let now = 1_000;
    const log = new MemoryRoomLog(new MemoryRoomStore({ entriesMax: 10, ageMs: 100, now: () => now }));
    await log.append([put("topic", "tea"), ...Array.from({ length: 18 }, (_, i) => said(`${i}`, { id: `${i}` }))]);
    assert.equal((await log.read("lobby", { limit: 100 })).entries.length, 19);
    await log.append([said("18", { id: "18" })]);
    assert.equal((await log.read("lobby", { limit: 100 })).entries.length, 10);
    now = 1_100;
    await log.append([said("late")]);
    assert.equal((await log.search("lobby", "18", { limit: 100 })).entries.length, 1);
    now = 1_101;
    const { entries } = await log.read("lobby", { limit: 100 });
    assert.deepEqual([entries.length, entries[0]?.seq, entries[0]?.prev], [1, 21, 20]);
    assert.deepEqual((await log.search("lobby", "18", { limit: 100 })).entries, []);
    assert.equal((await log.append([said("again", { id: "18" })]))[0]?.type, "appended");
    assert.deepEqual([...(await log.open("lobby")).state], [["topic", "tea"]]);
    now = 10_000;
    assert.deepEqual(await log.read("lobby", { limit: 100 }), { entries: [], more: false });
    assert.equal((await log.open("lobby")).position.seq, 22);
  });

  test("ignores a time that is far ahead of the clock", async () => {
    const times = [1_209_600_000, 604_800_000, 604_799_999];
    const log = new MemoryRoomLog(new MemoryRoomStore({ now: () => times.shift() ?? 0 }));
    await log.append([said("a"), said("b"), said("c")]);
    const { entries } = await log.read("lobby", { limit: 10 });
    assert.deepEqual(
      entries.map(({ at }) => at),
      [1_209_600_000, 1_209_600_000, 604_799_999],
    );
  });
});
