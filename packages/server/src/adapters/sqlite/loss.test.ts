import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";
import { failOnLeaks } from "../../../../../test/leaks.ts";
import { said } from "../../../../../test/suites/room-log-suite.ts";
import { RoomLogError } from "../../hub/mod.ts";
import { restoreBackup } from "./backup.ts";
import { SqliteRoomLog } from "./room-log.ts";

failOnLeaks();

const HEADER_BYTES = 32;
const FRAME_BYTES = 24 + 4_096;
const COMMITS = 4;
/** Bytes of the write-ahead log to flip: one in each field of its header, and others. */
const HEADER_FLIPS: readonly number[] = [0, 7, 10, 13, 18, 21, 24, 31];
const FLIPS = 10;

/** The result of a start on a folder. */
interface Start {
  readonly epoch: string;
  readonly count: number;
  readonly reported: readonly unknown[];
}

describe("SqliteRoomLog.open() after damage to a killed server's files", { timeout: 300_000 }, () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  let base: string;
  /** `killed`: the folder as `kill -9` leaves it. `later`: the same after one more commit. */
  let killed: string;
  let later: string;
  let epoch: string;
  let wal: Buffer;

  before(async () => {
    base = mkdtempSync(join(tmpdir(), "landline-loss-"));
    const folder = join(base, "log");
    killed = join(base, "killed");
    later = join(base, "later");
    const log = await SqliteRoomLog.open({ folder });
    for (let i = 0; i < COMMITS; i += 1) await log.append([said(`${i}`), said(`other ${i}`, { room: `room ${i}` })]);
    epoch = (await log.open("lobby")).position.epoch;
    cpSync(folder, killed, { recursive: true });
    await log.append([said("once more")]);
    cpSync(folder, later, { recursive: true });
    await log.close();
    wal = readFileSync(join(killed, "landline.db-wal"));
    assert.ok(wal.length > HEADER_BYTES + COMMITS * FRAME_BYTES);
  });
  after(() => rmSync(base, { recursive: true }));

  let copies = 0;
  const copyOf = (folder: string) => {
    copies += 1;
    const copy = join(base, `copy ${copies}`);
    cpSync(folder, copy, { recursive: true });
    return copy;
  };
  const start = async (folder: string): Promise<Start> => {
    const reported: unknown[] = [];
    const log = await SqliteRoomLog.open({ folder, onError: (error) => reported.push(error) });
    try {
      const { epoch } = (await log.open("lobby")).position;
      return { epoch, count: (await log.read("lobby", { limit: 100 })).entries.length, reported };
    } finally {
      await log.close();
    }
  };
  /** Everything must be there, or the loss must be reported. */
  const isNeverSilent = async (folder: string, what: string): Promise<Start | undefined> => {
    let found: Start;
    try {
      found = await start(folder);
    } catch (error) {
      assert.ok(error instanceof RoomLogError && error.code === "damaged", `${what}: ${error}`);
      return undefined;
    }
    if (found.reported.length === 0) {
      assert.deepEqual([found.count, found.epoch], [COMMITS, epoch], what);
    } else {
      assert.equal(found.reported.length, 1, what);
      assert.match(String(found.reported[0]), /landline\.db has lost data: .*missing/, what);
      assert.notEqual(found.epoch, epoch, what);
    }
    return found;
  };
  const asides = (folder: string) => readdirSync(folder).filter((name) => /^landline-damaged-.*\.db-wal$/.test(name));

  test("finds all entries and keeps the epoch without damage", async () => {
    assert.deepEqual(await start(copyOf(killed)), { epoch, count: COMMITS, reported: [] });
    assert.deepEqual(await start(copyOf(later)), { epoch, count: COMMITS + 1, reported: [] });
  });

  test("keeps the epoch when the last commit is torn at any byte", async () => {
    const whole = readFileSync(join(later, "landline.db-wal"));
    const lengths = [wal.length, wal.length + 1, wal.length + 24, whole.length - FRAME_BYTES, whole.length - 1];
    for (const length of new Set(lengths)) {
      const folder = copyOf(later);
      truncateSync(join(folder, "landline.db-wal"), length);
      cpSync(join(killed, "landline.last"), join(folder, "landline.last"));
      assert.deepEqual(await start(folder), { epoch, count: COMMITS, reported: [] }, `${length} bytes`);
    }
  });

  test(`reports every flipped byte of the write-ahead log (seed ${seed})`, async () => {
    let random = seed;
    const next = () => {
      random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fffffff;
      return random;
    };
    const flips = Array.from({ length: FLIPS }, () => HEADER_BYTES + (next() % (wal.length - HEADER_BYTES)));
    for (const at of [...HEADER_FLIPS, ...flips]) {
      const folder = copyOf(killed);
      const bytes = Buffer.from(wal);
      bytes[at] = (bytes[at] as number) ^ (1 << (next() % 8));
      writeFileSync(join(folder, "landline.db-wal"), bytes);
      const found = await isNeverSilent(folder, `byte ${at}, seed ${seed}`);
      if (found?.reported.length !== 1) continue;
      const [aside = ""] = asides(folder);
      assert.ok(readFileSync(join(folder, aside)).equals(bytes), `byte ${at}: a copy of the damaged log is kept`);
    }
  });

  test("reports a damaged write-ahead log also without a record of the last commit", async () => {
    for (const at of [0, HEADER_BYTES, HEADER_BYTES + 24 + 100, HEADER_BYTES + FRAME_BYTES + 16]) {
      const folder = copyOf(killed);
      rmSync(join(folder, "landline.last"));
      const bytes = Buffer.from(wal);
      bytes[at] = (bytes[at] as number) ^ 1;
      writeFileSync(join(folder, "landline.db-wal"), bytes);
      const found = await isNeverSilent(folder, `byte ${at}`);
      if (found !== undefined) assert.equal(found.reported.length, 1, `byte ${at}`);
    }
  });

  test("reports a write-ahead log that is truncated, empty, missing, or another one", async () => {
    const frames = (wal.length - HEADER_BYTES) / FRAME_BYTES;
    const edges = [0, 1, 2, frames >> 1, frames - 2, frames - 1].map((frame) => HEADER_BYTES + frame * FRAME_BYTES);
    let count = 0;
    for (const length of [0, 1, ...edges, ...edges.slice(-2).map((edge) => edge + 1_000)]) {
      const folder = copyOf(killed);
      truncateSync(join(folder, "landline.db-wal"), length);
      count += (await isNeverSilent(folder, `${length} bytes`))?.reported.length ?? 0;
    }
    assert.ok(count >= 4);
    const gone = copyOf(killed);
    rmSync(join(gone, "landline.db-wal"));
    assert.equal((await isNeverSilent(gone, "gone"))?.reported.length, 1);
    // The loss is reported once.
    assert.deepEqual((await start(gone)).reported, []);
    for (const bytes of [Buffer.alloc(wal.length), Buffer.from("no log at all".repeat(1_000))]) {
      const folder = copyOf(killed);
      writeFileSync(join(folder, "landline.db-wal"), bytes);
      assert.equal((await isNeverSilent(folder, "another"))?.reported.length, 1);
    }
  });

  test("reports a database replaced by an older copy", async () => {
    const old = copyOf(killed);
    await start(old);
    const newer = copyOf(old);
    const log = await SqliteRoomLog.open({ folder: newer });
    await log.append([said("newer")]);
    await log.close();
    cpSync(join(old, "landline.db"), join(newer, "landline.db"));
    const found = await isNeverSilent(newer, "an older copy");
    assert.deepEqual([found?.reported.length, found?.count], [1, COMMITS]);
  });

  test("keeps the epoch when another process opened and closed the database in between", async () => {
    const folder = copyOf(killed);
    const other = new DatabaseSync(join(folder, "landline.db"));
    other.exec("SELECT count(*) FROM entries");
    other.close();
    assert.equal(existsSync(join(folder, "landline.db-wal")), false);
    assert.deepEqual(await start(folder), { epoch, count: COMMITS, reported: [] });
  });

  test("keeps the epoch when the record of the last commit is missing, invalid, or of another log", async () => {
    for (const note of [undefined, "", "\0".repeat(64), `${"0".repeat(16)} 1 1000000\n`]) {
      const folder = copyOf(killed);
      rmSync(join(folder, "landline.last"));
      if (note !== undefined) writeFileSync(join(folder, "landline.last"), note);
      assert.deepEqual(await start(folder), { epoch, count: COMMITS, reported: [] }, String(note));
    }
  });

  test("refuses a truncated database, and names the file", async () => {
    const folder = copyOf(killed);
    await start(folder);
    const file = join(folder, "landline.db");
    const bytes = readFileSync(file);
    for (const length of [bytes.length / 2, bytes.length - 4_096, bytes.length - 1, 4_096, 1_000, 1]) {
      writeFileSync(file, bytes.subarray(0, length));
      const opened = SqliteRoomLog.open({ folder }).then((log) => log.close());
      await assert.rejects(
        opened,
        (error: RoomLogError) => {
          assert.match(error.code, /^(damaged|not-a-log)$/, `${length} bytes: ${error}`);
          assert.match(error.message, /^Cannot open .*: /);
          return true;
        },
        `${length} of ${bytes.length} bytes`,
      );
      assert.equal(readFileSync(file).length, length, "the file is unchanged");
    }
  });

  test("refuses a database with a page of another one", async () => {
    const folder = copyOf(killed);
    await start(folder);
    const file = join(folder, "landline.db");
    const bytes = readFileSync(file);
    for (let page = 1; page < bytes.length / 4_096; page += 1) {
      writeFileSync(file, Buffer.from(bytes).fill(0xa5, page * 4_096, (page + 1) * 4_096));
      const opened = SqliteRoomLog.open({ folder }).then((log) => log.close());
      await assert.rejects(
        opened,
        { code: "damaged", message: /the database is damaged; restore a backup/ },
        `page ${page}`,
      );
    }
  });

  test("refuses an empty or missing database when another file shows that it held messages", async () => {
    const file = (folder: string) => join(folder, "landline.db");
    for (const remove of [rmSync, (path: string) => truncateSync(path)]) {
      for (const keep of ["landline.db-wal", "landline.last"]) {
        const folder = copyOf(killed);
        remove(file(folder));
        const isWalKept = keep === "landline.db-wal";
        if (!isWalKept) rmSync(join(folder, "landline.db-wal"));
        const before = readdirSync(folder);
        const message = new RegExp(
          `landline\\.db: it is (empty|missing), but ${keep} beside it shows .*restore a backup`,
        );
        await assert.rejects(SqliteRoomLog.open({ folder }), { code: "damaged", message });
        assert.deepEqual(readdirSync(folder), before, "nothing is changed");
        // The advice in the error text works.
        rmSync(join(folder, "landline.db-wal"), { force: true });
        rmSync(join(folder, "landline.last"));
        assert.equal((await start(folder)).count, 0);
      }
    }
  });

  test("opens an empty database without a report when it never held messages", async () => {
    const folder = join(base, "fresh");
    assert.deepEqual((await start(folder)).reported, []);
    truncateSync(join(folder, "landline.db"));
    assert.deepEqual((await start(folder)).reported, []);
  });

  test("reports nothing after a restore", async () => {
    const backup = join(base, "backup.db");
    const log = await SqliteRoomLog.open({ folder: copyOf(killed) });
    await log.backup(backup);
    await log.close();
    const folder = copyOf(later);
    truncateSync(join(folder, "landline.db"));
    await restoreBackup(backup, folder);
    const found = await start(folder);
    assert.deepEqual([found.count, found.reported], [COMMITS, []]);
    assert.notEqual(found.epoch, epoch);
  });
});
