import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { roomLogSuite, said } from "../../../../../test/suites/room-log-suite.ts";
import { MemoryRoomLog } from "./room-log.ts";

roomLogSuite("MemoryRoomLog", () => new MemoryRoomLog());

describe("MemoryRoomLog", () => {
  test("keeps the order of a room when its clock jumps back", async () => {
    const times = [100, 50, 200];
    const log = new MemoryRoomLog(() => times.shift() ?? 0);
    await log.append([said("a"), said("b"), said("c")]);
    const { entries } = await log.read("lobby", { limit: 10 });
    assert.deepEqual(
      entries.map(({ at }) => at),
      [100, 100, 200],
    );
  });

  test("forgets the oldest of very many entries, and offers none that it has not", async () => {
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

  test("forgets an author's ids above 1024, half of twice as many at once, and the authors above 1024", async () => {
    const log = new MemoryRoomLog();
    await log.append(Array.from({ length: 2_048 }, (_, i) => said("x", { id: `${i}` })));
    const [first, second] = await log.append([said("y", { id: "1024" }), said("x", { id: "1023" })]);
    assert.equal(first?.type, "id-reused");
    assert.equal(second?.type, "appended");

    await log.append(Array.from({ length: 1_024 }, (_, i) => said("x", { id: "1", from: `user${i}` })));
    assert.equal((await log.append([said("x", { id: "2047" })]))[0]?.type, "appended");
  });

  test("forgets the longest empty of too many rooms, but no open one, and their positions hold no more", async () => {
    const log = new MemoryRoomLog();
    const visit = async (room: string) => {
      const position = await log.open(room);
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
    assert.equal((await log.open("first")).seq, 1);
    await log.release("first");
    // The last of 10,001 empty rooms: the longest empty one goes, which is no longer the first.
    await visit("last");
    await log.release("last");
    assert.deepEqual(await log.open("first"), { epoch, seq: 1 });
    assert.deepEqual(await log.open("open"), { epoch, seq: 1 });
    const forgotten = await log.open("room0");
    assert.equal(forgotten.seq, 0);
    assert.notEqual(forgotten.epoch, epoch);
    await log.append([said("again", { room: "room0" })]);
    assert.deepEqual((await log.read("room0", { limit: 1 })).entries[0]?.epoch, forgotten.epoch);
  });
});
