import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import { failOnLeaks } from "../../../../../test/leaks.ts";
import { usersSuite } from "../../../../../test/suites/users-suite.ts";
import { MemoryUsers } from "../memory/mod.ts";
import { SqliteGuests } from "./mod.ts";

failOnLeaks("file");

let folder: string;
let file: string;
let reported: unknown[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "landline-guests-"));
  file = join(folder, "landline.guests");
  reported = [];
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  assert.deepEqual(reported, []);
});

function open(): Promise<SqliteGuests> {
  return SqliteGuests.open(folder, (error) => reported.push(error));
}

/** Returns what the file holds after a start. */
async function stored(): Promise<{ readonly session: object; readonly read: object }> {
  const guests = await open();
  const tables = [guests.load("session"), guests.load("read")].map((table) => Object.fromEntries(table));
  await guests.close();
  return { session: tables[0] as object, read: tables[1] as object };
}

describe("SqliteGuests", () => {
  test("keeps the last value of each key of each table", async () => {
    assert.deepEqual(await stored(), { session: {}, read: {} });
    const guests = await open();
    guests.set("session", "a", { rooms: ["lobby"] });
    guests.set("session", "a", { rooms: ["lobby", "\u0000\ud83d\ude00'"] });
    guests.set("session", "b", 1);
    guests.set("session", "b", undefined);
    guests.set("session", "never", undefined);
    guests.set("read", "a", { epoch: "e", seq: 2 });
    await guests.close();
    assert.deepEqual(await stored(), {
      session: { a: { rooms: ["lobby", "\u0000\ud83d\ude00'"] } },
      read: { a: { epoch: "e", seq: 2 } },
    });
    const again = await open();
    again.set("session", "a", undefined);
    await again.close();
    assert.deepEqual(await stored(), { session: {}, read: { a: { epoch: "e", seq: 2 } } });
  });

  test("keeps more values than one transaction takes", async () => {
    const guests = await open();
    for (let i = 0; i < 2_500; i += 1) guests.set("session", `${i}`, i);
    await guests.close();
    assert.equal(Object.keys((await stored()).session).length, 2_500);
  });

  test("has a file that only this user can read", async () => {
    const guests = await open();
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await guests.close();
  });

  for (const [what, damage] of [
    ["that is no database", () => writeFileSync(file, "x".repeat(10_000))],
    ["that is cut", () => truncateSync(file, 3_000)],
    ["with overwritten pages", () => writeFileSync(file, readFileSync(file).fill(0xff, 4_096))],
    [
      "of another version",
      () => {
        const db = new DatabaseSync(file);
        db.exec("PRAGMA user_version = 99");
        db.close();
      },
    ],
  ] as const) {
    test(`replaces a file ${what}`, async () => {
      const guests = await open();
      for (let i = 0; i < 500; i += 1) guests.set("session", `${i}`, "x".repeat(100));
      await guests.close();
      damage();
      const next = await open();
      assert.equal(next.load("session").size, 0);
      next.set("session", "new", 1);
      await next.close();
      assert.deepEqual((await stored()).session, { new: 1 });
    });
  }

  test("returns undefined for a row that is not JSON, and the other rows", async () => {
    const guests = await open();
    for (const key of ["good", "bad"]) guests.set("session", key, 1);
    await guests.close();
    const db = new DatabaseSync(file);
    db.exec("UPDATE guest SET value = '{bad' WHERE key = 'bad'");
    db.close();
    assert.deepEqual((await stored()).session, { good: 1, bad: undefined });
  });

  test("keeps nothing where it cannot write, and does not fail", async () => {
    rmSync(folder, { recursive: true });
    const guests = await open();
    assert.equal(guests.load("session").size, 0);
    guests.set("session", "a", 1);
    await guests.close();
    guests.set("session", "b", 1);
  });
});

usersSuite("MemoryUsers with SqliteGuests", async (nodes) => {
  const guests = await open();
  class StoredUsers extends MemoryUsers {
    override async close(): Promise<void> {
      await guests.close();
    }
  }
  const users = new StoredUsers({ storage: guests });
  return Array.from({ length: nodes }, () => users);
});

test("MemoryUsers keeps read positions over a restart, and forgets those of guests that ended", async () => {
  const guests = await open();
  const users = new MemoryUsers({ storage: guests });
  await users.markRead("ada", "lobby", { epoch: "e", seq: 3 });
  await users.markRead("ada", "a b", { epoch: "e", seq: 4 });
  await users.markRead("bob", "lobby", { epoch: "e", seq: 5 });
  await users.forget("bob");
  await guests.close();
  const again = await open();
  const restored = new MemoryUsers({ storage: again });
  assert.deepEqual(await restored.readPosition("ada", "lobby"), { epoch: "e", seq: 3 });
  assert.deepEqual(await restored.readPosition("ada", "a b"), { epoch: "e", seq: 4 });
  assert.equal(await restored.readPosition("bob", "lobby"), undefined);
  await again.close();
});

test("MemoryUsers drops positions that are damaged", async () => {
  const guests = await open();
  const damaged = [null, 1, "x", [], {}, { epoch: "e" }, { epoch: 1, seq: 1 }, { epoch: "e", seq: -1 }];
  for (const [i, value] of damaged.entries()) guests.set("read", `ada ${i}`, value);
  guests.set("read", "noroom", { epoch: "e", seq: 1 });
  guests.set("read", "ada lobby", { epoch: "e", seq: 2 });
  await guests.close();
  const again = await open();
  const users = new MemoryUsers({ storage: again });
  assert.deepEqual(await users.readPosition("ada", "lobby"), { epoch: "e", seq: 2 });
  await again.close();
  assert.deepEqual((await stored()).read, { "ada lobby": { epoch: "e", seq: 2 } });
});
