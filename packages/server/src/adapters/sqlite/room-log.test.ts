import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, afterEach, describe, test } from "node:test";
import type { Worker } from "node:worker_threads";
import { failOnLeaks } from "../../../../../test/leaks.ts";
import { outcomes, put, roomLogSuite, said, textOf } from "../../../../../test/suites/room-log-suite.ts";
import { roomSearchSuite, searchAll } from "../../../../../test/suites/room-search-suite.ts";
import { until } from "../../../../../test/until.ts";
import { nameKey } from "../../core/mod.ts";
import type { Entry, RoomLogError, RoomLogErrorCode } from "../../hub/mod.ts";
import { type Internals, SqliteRoomLog, type SqliteRoomLogOptions } from "./room-log.ts";
import { MIGRATIONS, migrate } from "./schema.ts";

failOnLeaks();

const base = mkdtempSync(join(tmpdir(), "landline-log-"));
after(() => rmSync(base, { recursive: true }));
const newFolder = () => mkdtempSync(join(base, "log-"));

for (const durability of ["disk", "process"] as const) {
  roomLogSuite(`SqliteRoomLog (${durability})`, () => SqliteRoomLog.open({ folder: newFolder(), durability }));
}
roomSearchSuite("SqliteRoomLog", async () => {
  const log = await SqliteRoomLog.open({ folder: newFolder() });
  return { log, search: log };
});

describe("SqliteRoomLog", () => {
  const logs: SqliteRoomLog[] = [];
  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.close().catch(() => undefined)));
  });

  const open = async (folder: string, options: Partial<SqliteRoomLogOptions> = {}, internals: Internals = {}) => {
    const log = await SqliteRoomLog.open({ folder, ...options }, internals);
    logs.push(log);
    return log;
  };
  const bodies = (entries: readonly Entry[]) => entries.map(textOf);
  const rejects = (promise: Promise<unknown>, code: RoomLogErrorCode) => assert.rejects(promise, { code });

  describe("across a restart", () => {
    test("keeps entries, state, positions and the epoch", async () => {
      const folder = newFolder();
      const first = await open(folder);
      await first.append([said("one", { id: "1" }), put("topic", "tea"), said("two")]);
      const before = await first.read("lobby", { limit: 10 });
      const opened = await first.open("lobby");
      await first.close();
      const second = await open(folder);
      assert.deepEqual(await second.read("lobby", { limit: 10 }), before);
      assert.deepEqual(await second.open("lobby"), opened);
      assert.deepEqual([...opened.state], [["topic", "tea"]]);
      await second.append([said("three")]);
      const { entries } = await second.read("lobby", { limit: 1 });
      assert.deepEqual([entries[0]?.seq, entries[0]?.prev], [opened.position.seq + 1, opened.position.seq]);
    });

    test("knows the ids of many authors, written or not", async () => {
      const folder = newFolder();
      const first = await open(folder);
      // More than fit the cache.
      for (let author = 0; author < 12; author += 1) {
        await first.append(
          Array.from({ length: 1_024 }, (_, i) => said(`m${i}`, { id: `${i}`, from: `user${author}` })),
        );
      }
      await until(() => rowsOf(folder, "SELECT count(*) FROM ids") > 0, "the background work is done");
      await first.append([said("late", { id: "late" })]);
      await first.close();
      const second = await open(folder);
      for (const from of ["user0", "USER5", "user11"]) {
        const repeated = [
          said("m0", { id: "0", from }),
          said("m", { id: "1023", from }),
          said("new", { id: "x", from }),
        ];
        assert.deepEqual(
          (await second.append(repeated)).map(({ type }) => type),
          ["duplicate", "id-reused", "appended"],
        );
      }
      assert.equal((await second.append([said("late", { id: "late" })]))[0]?.type, "duplicate");
    });

    test("keeps both rooms of an older version that now share a name, and reports it", async () => {
      const folder = newFolder();
      const file = join(folder, "landline.db");
      const db = new DatabaseSync(file);
      migrate(db, file, new Date(), MIGRATIONS.slice(0, 2));
      db.exec(`INSERT INTO rooms (name) VALUES ('h\u0331ome'), ('\u1e96ome');
        INSERT INTO meta VALUES ('epoch', 'old');
        INSERT INTO entries (place, at, kind, author, body) VALUES
          ((1 << 35) | 1, 0, 0, 'Ada', 'in the one'), ((2 << 35) | 1, 0, 0, 'Ada', 'in the other')`);
      db.close();
      const reported: unknown[] = [];
      const log = await open(folder, { onError: (error) => reported.push(error) });
      assert.deepEqual(
        reported.map((error) => [(error as RoomLogError).code, (error as RoomLogError).message]),
        [["renamed", 'The room "\u1e96ome" has the same name as another room now; it was renamed to room-1']],
      );
      assert.deepEqual(bodies((await log.read("room-1", { limit: 9 })).entries), ["in the one"]);
      assert.deepEqual(bodies((await log.read(nameKey("H\u0331OME"), { limit: 9 })).entries), ["in the other"]);
      assert.notEqual((await log.open("room-1")).position.epoch, "old");
      await log.close();
      await open(folder, { onError: (error) => reported.push(error) });
      assert.equal(reported.length, 1);
    });

    test("keeps a room's times from decreasing when the clock is set back", async () => {
      const folder = newFolder();
      const first = await open(folder, { now: () => 5_000 });
      await first.append([said("one")]);
      await first.close();
      const times = [4_000, 3_000, 6_000];
      const second = await open(folder, { now: () => times.shift() ?? 0 });
      for (const text of ["two", "three", "four"]) await second.append([said(text)]);
      const { entries } = await second.read("lobby", { limit: 10 });
      assert.deepEqual(
        entries.map(({ at }) => at),
        [5_000, 5_000, 5_000, 6_000],
      );
    });

    test("ignores a time that is far ahead of the clock", async () => {
      const folder = newFolder();
      const first = await open(folder, { now: () => 1_209_600_000 });
      await first.append([said("one")]);
      await first.close();
      const times = [604_800_000, 604_799_999, 604_800_005];
      const second = await open(folder, { now: () => times.shift() ?? 0 });
      for (const text of ["two", "three", "four"]) await second.append([said(text)]);
      const { entries } = await second.read("lobby", { limit: 10 });
      assert.deepEqual(
        entries.map(({ at }) => at),
        [1_209_600_000, 1_209_600_000, 604_799_999, 604_800_005],
      );
    });

    test("finds messages whether they are indexed or not, and indexes those that the last run did not", async () => {
      const folder = newFolder();
      const first = await open(folder);
      await first.append(Array.from({ length: 6_000 }, (_, i) => said(`tea ${i}`, { room: `room${i % 3}` })));
      const found = async (log: SqliteRoomLog) => {
        const [entry, ...others] = await searchAll(log, "tea 5998", "room1");
        assert.deepEqual([entry === undefined ? "" : textOf(entry), others], ["tea 5998", []]);
      };
      await found(first);
      await first.close();
      const indexed = "SELECT count(*) FROM rooms WHERE words_seq = 1536";
      const second = await open(folder);
      await until(() => rowsOf(folder, indexed) === 3, "the background work is done");
      await found(second);
      await second.append([said("tea 5998", { room: "room1" })]);
      assert.equal((await searchAll(second, "tea 5998", "room1")).length, 2);
    });

    test("changes the epoch only after a reboot with durability `process`", async () => {
      const epochs = async (durability: "disk" | "process", boots: readonly string[], isClean: boolean) => {
        const folder = newFolder();
        const seen = new Set<string>();
        for (const boot of boots) {
          let writer: Worker | undefined;
          const onThread = (_: string, worker: Worker) => {
            writer = worker;
          };
          const log = await open(folder, { durability, onError: () => undefined }, { boot, onThread });
          seen.add((await log.open("lobby")).position.epoch);
          if (!isClean) await writer?.terminate();
          await log.close();
        }
        return seen.size;
      };
      assert.equal(await epochs("process", ["a", "b"], false), 2);
      assert.equal(await epochs("process", ["a", "a"], false), 1);
      assert.equal(await epochs("process", ["a", "b"], true), 1);
      assert.equal(await epochs("disk", ["a", "b"], false), 1);
      assert.equal(await epochs("process", ["at 1000", "at 1003"], false), 1);
      assert.equal(await epochs("process", ["at 1000", "at 1030"], false), 2);
    });
  });

  test("is accessible for this user only, uses WAL mode, and leaves one database file", async () => {
    const folder = join(newFolder(), "deep", "folder");
    const log = await open(folder);
    await log.append([said("one")]);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    for (const name of readdirSync(folder)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
    assert.equal(rowsOf(folder, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    assert.equal(rowsOf(folder, "SELECT application_id FROM pragma_application_id"), 0x4c4e444c);
    await log.close();
    assert.deepEqual(readdirSync(folder), ["landline.db", "landline.last", "landline.lock"]);
  });

  test("open() rejects with `in-use` until the other log is closed", async () => {
    const folder = newFolder();
    const first = await open(folder);
    await rejects(open(folder), "in-use");
    await rejects(open(folder), "in-use");
    await first.append([said("one")]);
    await first.close();
    const second = await open(folder);
    assert.deepEqual(bodies((await second.read("lobby", { limit: 10 })).entries), ["one"]);
  });

  test("open() refuses another program's database and does not change it", async () => {
    const folder = newFolder();
    const other = new DatabaseSync(join(folder, "landline.db"), { timeout: 10_000 });
    other.exec("CREATE TABLE theirs (a)");
    other.close();
    await rejects(open(folder), "not-a-log");
    assert.equal(rowsOf(folder, "SELECT count(*) FROM theirs"), 0);
    assert.equal(rowsOf(folder, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"), 1);
  });

  test("append() commits all or nothing on a full disk, and succeeds when there is space", async () => {
    const folder = newFolder();
    const followed: Entry[] = [];
    const log = await open(folder, { onError: () => undefined }, { pagesMax: 60 });
    await log.open("lobby");
    log.follow({ entries: (entries) => followed.push(...entries), lost: assert.fail });
    await log.append([said("small", { id: "1" })]);
    const large = "x".repeat(100_000);
    assert.deepEqual(await outcomes(log.append([said("first", { id: "2" }), said(large), said(large), said(large)])), [
      "storage-full",
      "storage-full",
      "storage-full",
      "storage-full",
    ]);
    assert.deepEqual(await outcomes(log.append([said(large, { id: "2" }), said(large), said(large)])), [
      "storage-full",
      "storage-full",
      "storage-full",
    ]);
    const [appended, repeated] = await log.append([said("after", { id: "2" }), said("small", { id: "1" })]);
    assert.deepEqual([appended?.type, repeated?.type], ["appended", "duplicate"]);
    const { entries } = await log.read("lobby", { limit: 10 });
    assert.deepEqual(bodies(entries), ["small", "after"]);
    assert.deepEqual(bodies(followed), ["small", "after"]);
    assert.equal(entries[1]?.prev, entries[0]?.seq);
  });

  test("append() rejects with `busy` past its limits, and commits what it accepted", async () => {
    const log = await open(newFolder(), { waitingEntriesMax: 3, waitingCharactersMax: 10_000 });
    const taken = [log.append([said("a"), said("b")]), log.append([said("c")])];
    assert.deepEqual(await outcomes(log.append([said("d")])), ["busy"]);
    await Promise.all(taken);
    // An empty queue accepts a call of any size.
    await log.append([said("e"), said("f"), said("g"), said("h")]);
    const large = log.append([said("x".repeat(20_000))]);
    assert.deepEqual(await outcomes(log.append([said("i")])), ["busy"]);
    await large;
    assert.equal((await log.read("lobby", { limit: 100 })).entries.length, 8);
  });

  test("append() resolves when the listener throws, and reports the error", async () => {
    const errors: unknown[] = [];
    const log = await open(newFolder(), { onError: (error) => errors.push(error) });
    const failure = new Error("listener");
    const entries = () => {
      throw failure;
    };
    log.follow({ entries, lost: assert.fail });
    await log.open("lobby");
    await log.append([said("one")]);
    assert.deepEqual(errors, [failure]);
  });

  test("follow() delivers what is stored, with lone surrogates replaced", async () => {
    const log = await open(newFolder());
    const followed: Entry[] = [];
    log.follow({ entries: (entries) => followed.push(...entries), lost: assert.fail });
    await log.open("lobby");
    await log.append([said("half \ud83d", { id: "\ud83d" }), put("\ud83d", "\ude00")]);
    const { entries } = await log.read("lobby", { limit: 10 });
    assert.deepEqual(
      entries,
      followed.map(({ origin: _, ...entry }) => entry),
    );
    assert.equal((await log.append([said("half \ud83d", { id: "\ud83d" })]))[0]?.type, "duplicate");
  });

  test("read() returns at most 1,000 entries, and sets more", async () => {
    const log = await open(newFolder());
    await log.append(Array.from({ length: 1_001 }, (_, i) => said(`${i}`)));
    const page = await log.read("lobby", { limit: 5_000 });
    assert.deepEqual([page.entries.length, page.more], [1_000, true]);
  });

  test("close() commits queued entries, and rejects later calls with `closed`", async () => {
    const folder = newFolder();
    const log = await open(folder);
    const appends = Array.from({ length: 20 }, (_, i) => log.append([said(`${i}`)]));
    await Promise.all([log.close(), log.close()]);
    await Promise.all(appends);
    assert.deepEqual(await outcomes(log.append([said("late")])), ["closed"]);
    await rejects(log.open("lobby"), "closed");
    await rejects(log.read("lobby", { limit: 1 }), "closed");
    await rejects(log.search("lobby", "late", { limit: 1 }), "closed");
    await rejects(log.backup(join(folder, "backup.db")), "closed");
    const { entries } = await (await open(folder)).read("lobby", { limit: 100 });
    assert.equal(entries.length, 20);
  });

  test("close() rejects with `timeout` when its signal is aborted, whatever a thread waits for", async () => {
    const folder = newFolder();
    const log = await open(folder);
    await log.append([said("one")]);
    const other = new DatabaseSync(join(folder, "landline.db"), { timeout: 10_000 });
    other.exec("BEGIN IMMEDIATE");
    const waiting = outcomes(log.append([said("two")]));
    const abort = new AbortController();
    const closed = rejects(log.close({ signal: abort.signal }), "timeout");
    abort.abort();
    await closed;
    other.close();
    assert.deepEqual(await waiting, ["unknown"]);
    const next = await open(folder);
    assert.deepEqual((await next.read("lobby", { limit: 10 })).entries.map(textOf), ["one"]);
    await next.close({ signal: AbortSignal.timeout(60_000) });
  });

  describe("when a thread ends", () => {
    test("a commit under way is `unknown`, all other calls fail with `failed`, which is reported once", async () => {
      const errors: unknown[] = [];
      const folder = newFolder();
      let writer: Worker | undefined;
      const onThread = (name: string, worker: Worker) => {
        if (name === "writer") writer = worker;
      };
      const log = await open(folder, { onError: (error) => errors.push(error) }, { onThread });
      await log.append([said("one")]);
      // A lock of another connection blocks the commit until the thread is told to end.
      const other = new DatabaseSync(join(folder, "landline.db"), { timeout: 10_000 });
      other.exec("BEGIN IMMEDIATE");
      const committing = outcomes(log.append([said("two"), said("three")]));
      await Promise.resolve();
      const queued = outcomes(log.append([said("later")]));
      const rejected = rejects(log.open("lobby"), "failed");
      const ended = writer?.terminate();
      other.close();
      await Promise.all([rejected, ended]);
      assert.deepEqual([await committing, await queued], [["unknown", "unknown"], ["failed"]]);
      assert.deepEqual(await outcomes(log.append([said("four")])), ["failed"]);
      await rejects(log.read("lobby", { limit: 1 }), "failed");
      assert.deepEqual(
        errors.map((error) => (error as { code?: string }).code),
        ["failed"],
      );
      await log.close();
      const { entries } = await (await open(folder)).read("lobby", { limit: 10 });
      assert.deepEqual(entries.map(textOf), ["one"]);
    });

    test("the writer ends when its database is removed or replaced, and acknowledges nothing that would be lost", async () => {
      for (const replacement of [undefined, "another"]) {
        const folder = newFolder();
        const failed = Promise.withResolvers<unknown>();
        const log = await open(folder, { onError: failed.resolve });
        await log.append([said("one")]);
        rmSync(join(folder, "landline.db"));
        if (replacement !== undefined) writeFileSync(join(folder, "landline.db"), replacement);
        assert.match(String(await failed.promise), /stopped: .*landline\.db was removed or replaced/);
        assert.deepEqual(await outcomes(log.append([said("two")])), ["failed"]);
        await log.close();
      }
    });

    test("a reader's pending calls are rejected with `failed`, and the next call starts a new thread", async () => {
      const errors: unknown[] = [];
      const threads: Worker[] = [];
      const onThread = (_: string, worker: Worker) => void threads.push(worker);
      const log = await open(newFolder(), { onError: (error) => errors.push(error) }, { onThread });
      await log.append([said("tea")]);
      await log.read("lobby", { limit: 1 });
      await log.search("lobby", "tea", { limit: 1 });
      const ended = threads.slice(1).map((worker) => worker.terminate());
      await Promise.all([...ended, rejects(log.read("lobby", { limit: 1 }), "failed")]);
      assert.equal((await log.read("lobby", { limit: 1 })).entries.length, 1);
      assert.equal((await log.search("lobby", "tea", { limit: 1 })).entries.length, 1);
      assert.equal(errors.length, 2);
      assert.equal(threads.length, 5);
    });
  });

  describe("keep", () => {
    test("entriesMax removes the oldest entries, and a position before them shows a gap", async () => {
      const folder = newFolder();
      const log = await open(folder, { keep: { entriesMax: 100 } });
      await log.append([put("topic", "tea"), said("first", { id: "1" })]);
      await log.append(
        Array.from({ length: 3_000 }, (_, i) => said(`tea ${i}`, { id: `tea${i}`, from: `user${i % 7}` })),
      );
      await until(() => rowsOf(folder, "SELECT count(*) FROM entries") === 100, "the background work is done");
      const { entries, more } = await log.read("lobby", { after: 2, limit: 1_000 });
      assert.deepEqual([entries.length, entries[0]?.prev, more], [100, 2_902, false]);
      assert.deepEqual(await log.read("lobby", { before: 2_903, limit: 10 }), { entries: [], more: false });
      assert.equal((await log.read("lobby", { after: 2_902, limit: 1 })).entries[0]?.prev, 2_902);
      assert.deepEqual([...(await log.open("lobby")).state], [["topic", "tea"]]);
      assert.deepEqual(bodies(await searchAll(log, "tea")), bodies(entries));
      await until(() => rowsOf(folder, "SELECT count(*) FROM blocks") <= 1, "the background work is done");
      assert.equal(rowsOf(folder, "SELECT count(*) FROM ids") <= 100, true);
      // An id of a removed entry counts as new.
      assert.equal((await log.append([said("first", { id: "1" })]))[0]?.type, "appended");
      assert.equal((await log.append([said("first", { id: "1" })]))[0]?.type, "duplicate");
    });

    test("ageMs can empty a room, which then continues its numbers", async () => {
      const folder = newFolder();
      let now = Date.now() - 7_200_000;
      const first = await open(folder, { now: () => now });
      await first.append([said("one"), said("two")]);
      await first.append([said("other", { room: "kitchen" })]);
      await first.close();
      now = Date.now();
      const second = await open(folder, { keep: { ageMs: 3_600_000 }, now: () => now - 5_400_000 });
      await until(() => rowsOf(folder, "SELECT count(*) FROM entries") === 0, "the background work is done");
      assert.deepEqual(await second.read("lobby", { limit: 10 }), { entries: [], more: false });
      assert.equal((await second.open("lobby")).position.seq, 2);
      await second.append([said("three")]);
      await second.close();
      const third = await open(folder, { now: () => 0 });
      const { entries } = await third.read("lobby", { after: 1, limit: 10 });
      assert.deepEqual([entries[0]?.seq, entries[0]?.prev], [3, 2]);
    });
  });
});

/** Reads a number from the database, beside the log. */
function rowsOf(folder: string, sql: string): number {
  const db = new DatabaseSync(join(folder, "landline.db"), { readOnly: true, timeout: 1_000 });
  try {
    return Object.values(db.prepare(sql).get() ?? {})[0] as number;
  } finally {
    db.close();
  }
}
