import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { said, textOf } from "../../../../test/suites/room-log-suite.ts";
import { MemoryRoomLog } from "../adapters/memory/mod.ts";
import { missedEntries } from "./recovery.ts";

describe("missedEntries()", () => {
  test("detects that the log removed entries after the position", async () => {
    const log = new MemoryRoomLog();
    // The log keeps only the newest 10,000 entries.
    await log.append(Array.from({ length: 20_000 }, (_, i) => said(`${i + 1}`)));
    const { position: until } = await log.open("lobby");
    const after = (seq: number) => missedEntries(log, "lobby", until, { epoch: until.epoch, seq }, { limit: 20_000 });
    assert.deepEqual([(await after(10_000)).recovered, (await after(10_000)).entries.length], [true, 10_000]);
    assert.deepEqual([(await after(9_999)).recovered, (await after(9_999)).entries.length], [false, 10_000]);
    assert.equal((await after(20_000)).recovered, true);
    assert.equal((await after(20_001)).recovered, false);
  });

  test("returns the reason when entries are missing", async () => {
    const log = new MemoryRoomLog();
    await log.append(Array.from({ length: 20_000 }, (_, i) => said(`${i + 1}`)));
    const { position: until } = await log.open("lobby");
    const reason = async (seq: number, limit: number, epoch = until.epoch) =>
      (await missedEntries(log, "lobby", until, { epoch, seq }, { limit })).reason;
    const bounds = { limit: 3, charactersMax: 10 };
    assert.equal(
      (await missedEntries(log, "lobby", until, { epoch: until.epoch, seq: 19_998 }, bounds)).reason,
      undefined,
    );
    const cut = await missedEntries(log, "lobby", until, { epoch: until.epoch, seq: 19_997 }, bounds);
    assert.deepEqual([cut.reason, cut.entries.map(({ seq }) => seq)], ["too-many", [19_999, 20_000]]);
    assert.equal(await reason(19_998, 2), undefined);
    assert.equal(await reason(19_997, 2), "too-many");
    assert.equal(await reason(9_999, 20_000), "too-old");
    assert.equal(await reason(20_001, 2), "ahead");
    assert.equal(await reason(20_000, 2, "another"), "log-changed");
  });

  test("returns no entry after `until`", async () => {
    const log = new MemoryRoomLog();
    await log.append([said("1"), said("2")]);
    const { position: until } = await log.open("lobby");
    await log.append([said("3")]);
    const texts = async (seq: number | undefined, limit: number) => {
      const after = seq === undefined ? undefined : { epoch: until.epoch, seq };
      const { entries, recovered, more } = await missedEntries(log, "lobby", until, after, { limit });
      return [entries.map(textOf), recovered, more];
    };
    assert.deepEqual(await texts(undefined, 10), [["1", "2"], undefined, false]);
    assert.deepEqual(await texts(undefined, 0), [[], undefined, true]);
    assert.deepEqual(await texts(0, 10), [["1", "2"], true, false]);
    assert.deepEqual(await texts(1, 10), [["2"], true, true]);
    assert.deepEqual(await texts(2, 10), [[], true, true]);
    assert.deepEqual(await texts(2, 0), [[], true, true]);
    assert.deepEqual(await texts(3, 10), [["1", "2"], false, false]);
  });
});
