import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { failOnLeaks } from "../../../../../test/leaks.ts";
import { outcomes, said, textOf } from "../../../../../test/suites/room-log-suite.ts";
import { searchAll } from "../../../../../test/suites/room-search-suite.ts";
import type { RoomLogError } from "../../hub/mod.ts";
import { SqliteRoomLog } from "./room-log.ts";

failOnLeaks();

/** A folder that a server of schema version 2 wrote. Two of its rooms have names that are the same now. */
const OLD = fileURLToPath(new URL("../../../../../test/fixtures/data-schema-2/landline.db", import.meta.url));

const base = mkdtempSync(join(tmpdir(), "landline-migration-"));
after(() => rmSync(base, { recursive: true }));

test("a folder of schema version 2 opens with its rooms, topics, ids and search, after a copy of the old database", async () => {
  copyFileSync(OLD, join(base, "landline.db"));
  const reported: RoomLogError[] = [];
  const log = await SqliteRoomLog.open({ folder: base, onError: (error) => reported.push(error as RoomLogError) });
  const [copy = "", ...others] = readdirSync(base).filter((name) => /^landline-v2-.*\.db$/.test(name));
  assert.deepEqual([others, readFileSync(join(base, copy)).length > 0], [[], true]);
  assert.deepEqual(
    reported.map(({ code }) => code),
    ["renamed"],
  );
  assert.match(reported[0]?.message ?? "", /has the same name as another room now; it was renamed to room-\d$/);

  const { position, state, stateSeq } = await log.open("lobby");
  const { entries } = await log.read("lobby", { limit: 9 });
  assert.deepEqual(
    entries.map((entry) => [entry.kind, entry.author.name, textOf(entry)]),
    [
      ["message", "Ada", "hello"],
      ["set", "Bob", "Plans"],
      ["set", "Bob", "Saturday"],
      ["message", "Bob", 'quotes " and \u0000 and 😀 上海'],
    ],
  );
  assert.deepEqual([...state], [["topic", "Saturday"]]);
  assert.equal(position.seq, 4);
  // At or after the newest change: it may be gone in a database that removes old entries.
  assert.ok(stateSeq >= 3 && stateSeq <= 4, `${stateSeq}`);
  const [first] = entries;
  const set = { room: "lobby", id: "t1", kind: "set", author: { id: "u", name: "bob" } } as const;
  assert.deepEqual(
    await outcomes(
      log.append([
        said("hello", { id: first?.id ?? "" }),
        { ...set, changes: new Map([["topic", "Saturday"]]) },
        { ...set, id: "new", changes: new Map([["name", "Lobby"]]), expectState: stateSeq },
        said("new"),
      ]),
    ),
    ["duplicate", "duplicate", "appended", "appended"],
  );
  assert.deepEqual((await searchAll(log, "上海")).map(textOf), ['quotes " and \u0000 and 😀 上海']);
  const texts = async (room: string) => (await log.read(room, { limit: 9 })).entries.map(textOf);
  const renamed = /room-\d$/.exec(reported[0]?.message ?? "")?.[0] ?? "";
  assert.deepEqual([await texts("\u01f0an"), await texts(renamed)].flat().sort(), ["in the one", "in the other"]);
  assert.deepEqual(await texts("stra\u00dfe"), ["street"]);
  await log.close();
});
