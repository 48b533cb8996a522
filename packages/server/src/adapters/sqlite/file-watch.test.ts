import assert from "node:assert/strict";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, describe, test } from "node:test";
import { failOnLeaks } from "../../../../../test/leaks.ts";
import { said, textOf } from "../../../../../test/suites/room-log-suite.ts";
import { restoreBackup } from "./backup.ts";
import { firstValue } from "./database.ts";
import { SqliteRoomLog } from "./room-log.ts";

failOnLeaks();

const base = mkdtempSync(join(tmpdir(), "landline-watch-"));
after(() => rmSync(base, { recursive: true }));

const APPENDS_MAX = 50_000;

/** Appends until the log has stopped. Adds the acknowledged texts and returns the error. */
async function appendUntilRefused(log: SqliteRoomLog, texts: string[]): Promise<Error> {
  for (const end = texts.length + APPENDS_MAX; ; ) {
    assert.ok(texts.length < end, `no append is refused within ${APPENDS_MAX}`);
    const text = `${texts.length}`;
    const [result] = await log.append([said(text)]);
    if (result?.type === "failed") return result.error;
    // The commit under way when the log stops is `unknown`.
    if (result?.type === "appended") texts.push(text);
  }
}

/** Returns all texts in a folder's log, and what its start reported. */
async function stored(
  folder: string,
): Promise<{ readonly texts: readonly string[]; readonly reported: readonly unknown[] }> {
  const reported: unknown[] = [];
  const log = await SqliteRoomLog.open({ folder, onError: (error) => reported.push(error) });
  const texts: string[] = [];
  for (let more = true; more; ) {
    const page = await log.read("lobby", { after: texts.length, limit: 1_000 });
    texts.push(...page.entries.map(textOf));
    more = page.more;
  }
  await log.close();
  return { texts, reported };
}

const WAYS: readonly (readonly [string, (file: string) => void])[] = [
  ["is removed", (file) => rmSync(file)],
  ["is renamed", (file) => renameSync(file, `${file}.away`)],
  [
    "is replaced by a copy",
    (file) => {
      copyFileSync(file, `${file}.copy`);
      renameSync(`${file}.copy`, file);
    },
  ],
  [
    "is removed and created again",
    (file) => {
      rmSync(file);
      writeFileSync(file, "");
    },
  ],
];

describe("SqliteRoomLog with files removed or truncated while it runs", { timeout: 300_000 }, () => {
  let count = 0;
  const opened = async (folder = join(base, `log ${++count}`)) => {
    const reported: unknown[] = [];
    const log = await SqliteRoomLog.open({ folder, onError: (error) => reported.push(error) });
    const texts: string[] = [];
    for (let i = 0; i < 20; i += 1) {
      await log.append([said(`${i}`)]);
      texts.push(`${i}`);
    }
    return { folder, log, texts, reported };
  };

  for (const name of ["landline.db-wal", "landline.db-shm", "landline.lock", "landline.db"]) {
    for (const [way, take] of WAYS) {
      test(`stops and keeps all acknowledged entries when ${name} ${way}`, async () => {
        const { folder, log, texts, reported } = await opened();
        const refused = appendUntilRefused(log, texts);
        take(join(folder, name));
        assert.match(String(await refused), new RegExp(`stopped: .*${name} was removed or replaced; .*all messages`));
        assert.equal((reported[0] as { code?: string }).code, "failed");
        // Copy the folder as a process killed now would leave it.
        const left = join(base, `left ${++count}`);
        mkdirSync(left);
        for (const file of readdirSync(folder)) copyFileSync(join(folder, file), join(left, file));
        await log.close();
        if (name === "landline.db") {
          const rescued = readdirSync(left).find((file) => file.startsWith("landline-rescued-")) ?? "";
          await restoreBackup(join(left, rescued), left);
        }
        const found = await stored(left);
        assert.deepEqual([found.texts.slice(0, texts.length), found.reported], [texts, []]);
      });
    }
  }

  for (const name of ["landline.db-wal", "landline.db"]) {
    for (const left of [0, 0.5, 0.99]) {
      test(`stops when ${name} is cut to ${left} of its length, and the next start reports the loss`, async () => {
        const { folder, log, texts } = await opened();
        // Between two commits: a commit that is writing lengthens the file again, and only the next start finds the hole.
        const file = join(folder, name);
        const before = texts.length;
        truncateSync(file, Math.floor(statSync(file).size * left));
        assert.match(String(await appendUntilRefused(log, texts)), new RegExp(`stopped: .*${name} was cut short`));
        assert.ok(texts.length <= before + 1, "at most the commit under way was acknowledged");
        await log.close();
        const found = await stored(folder).catch((error) => error);
        if (found.code !== undefined) return assert.match(found.code, /^(damaged|not-a-log)$/);
        if (found.reported.length === 0) assert.deepEqual(found.texts.slice(0, texts.length), texts);
        else assert.match(String(found.reported), /has lost data/);
      });
    }
  }

  test("stops when its folder is moved, with all entries in the new place", async () => {
    const { folder, log, texts } = await opened();
    const refused = appendUntilRefused(log, texts);
    renameSync(folder, `${folder} moved`);
    assert.match(String(await refused), /stopped: .*landline\.db was removed or replaced/);
    await log.close();
    const found = await stored(`${folder} moved`);
    assert.deepEqual([found.texts.slice(0, texts.length), found.reported], [texts, []]);
  });

  test("notices a removed file without commits", async () => {
    const failed = Promise.withResolvers<unknown>();
    const folder = join(base, "idle");
    const log = await SqliteRoomLog.open({ folder, onError: failed.resolve });
    await log.append([said("0")]);
    rmSync(join(folder, "landline.db-wal"));
    assert.match(
      String(await failed.promise),
      /landline\.db-wal was removed or replaced; all messages are in .*landline\.db$/,
    );
    await log.close();
    assert.deepEqual((await stored(folder)).texts, ["0"]);
  });

  test("continues when other processes checkpoint, truncate the log, vacuum, or read", async () => {
    const { folder, log, texts, reported } = await opened();
    const other = new DatabaseSync(join(folder, "landline.db"), { timeout: 10_000 });
    for (const sql of ["PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(RESTART)", "SELECT 1"]) {
      firstValue(other, sql);
      for (let i = 0; i < 3; i += 1) {
        await log.append([said(`${texts.length}`)]);
        texts.push(`${texts.length}`);
      }
      firstValue(other, "PRAGMA wal_checkpoint(TRUNCATE)");
    }
    other.close();
    await log.append([said(`${texts.length}`)]);
    texts.push(`${texts.length}`);
    await log.close();
    assert.deepEqual(await stored(folder), { texts, reported });
    assert.deepEqual(reported, []);
  });
});
