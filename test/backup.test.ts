import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ChatClient } from "@landline/client";
import { tcpLink } from "@landline/client/tcp";
import { type CliProcess, landlineIn } from "./cli-process.ts";

describe("the rooms in a folder", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "landline-data-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const landline = (...args: readonly string[]): CliProcess => landlineIn({ cwd: folder }, ...args);

  /** Runs a server on the folder while `use` uses its rooms. */
  async function serving<T>(use: (client: ChatClient) => Promise<T>): Promise<T> {
    await using server = landline("serve", "--host", "127.0.0.1", "--port", "0");
    const [, port] = await server.until(/127\.0\.0\.1:(\d+)\/ +chat and web page/);
    await using client = new ChatClient(tcpLink({ host: "127.0.0.1", port: Number(port) }), { username: "ada" });
    await client.connect();
    const result = await use(client);
    await client.close();
    server.child.kill("SIGTERM");
    assert.equal((await server.ended).code, 0);
    return result;
  }

  const say = (text: string) =>
    serving(async (client) => {
      const joined = await client.join("lobby");
      await client.chat("lobby", text);
      return joined;
    });
  const textsIn = (client: ChatClient): Promise<readonly (string | undefined)[]> =>
    client
      .history("lobby")
      .then(({ entries }) => entries.flatMap((entry) => ("message" in entry ? [entry.message] : [])));

  test("survive a restart in ./data, readable by this user only", async () => {
    const first = await say("one");
    const second = await say("two");
    assert.equal(second.position?.epoch, first.position?.epoch);
    assert.deepEqual(
      await serving(async (client) => {
        await client.join("lobby");
        return textsIn(client);
      }),
      ["one", "two"],
    );
    assert.ok(existsSync(join(folder, "data", "landline.db")));
  });

  test("landline backup and restore restore the rooms with a new epoch", async () => {
    const { position } = await say("one");
    const backup = landline("backup", "rooms.db");
    assert.deepEqual(await backup.ended, { code: 0, stdout: "wrote rooms.db\n", stderr: "" });
    await say("two");

    const restored = await landline("restore", "rooms.db").ended;
    assert.equal(restored.code, 0);
    assert.match(restored.stdout, /^restored rooms\.db into \.\/data\nthe previous rooms are in \S+\n$/);
    const after = await serving(async (client) => {
      const joined = await client.join("lobby");
      return { joined, texts: await textsIn(client) };
    });
    assert.deepEqual(after.texts, ["one"]);
    assert.notEqual(after.joined.position?.epoch, position?.epoch);
    assert.equal(
      readdirSync(join(folder, "data")).filter((name) => !/^landline.(db|lock|last|guests)$/.test(name)).length,
      1,
    );
  });

  test("landline backup works beside a running server and overwrites no file", async () => {
    await serving(async (client) => {
      await client.join("lobby");
      await client.chat("lobby", "while it runs");
      assert.equal((await landline("backup", "rooms.db").ended).code, 0);
      const again = await landline("backup", "rooms.db").ended;
      assert.deepEqual([again.code, again.stderr], [1, "landline: Cannot back up: rooms.db exists already\n"]);
      const busy = await landline("restore", "rooms.db").ended;
      assert.equal(busy.code, 1);
      assert.match(busy.stderr, /^landline: Cannot open \.\/data: another server is running on it\n$/);
      await client.chat("lobby", "it still does");
    });
  });

  test("landline serve rejects a folder in use and a file that is not a log", async () => {
    await serving(async () => {
      const second = await landline("serve", "--port", "0").ended;
      assert.deepEqual(
        [second.code, second.stderr],
        [1, "landline: Cannot open ./data: another server is running on it\n"],
      );
    });
    writeFileSync(
      join(folder, "data", "landline.db"),
      "this is no database, but long enough to look like something".repeat(100),
    );
    const damaged = await landline("serve", "--port", "0").ended;
    assert.equal(damaged.code, 1);
    assert.match(damaged.stderr, /^landline: Cannot open .\/data: the file is not a database\n$/);
    const missing = await landline("restore", "nothing.db").ended;
    assert.deepEqual([missing.code, missing.stdout], [1, ""]);
    assert.match(missing.stderr, /^landline: Cannot .*nothing\.db.*\n$/);
  });

  test("landline serve, backup and restore name the problem with a path", async () => {
    await say("one");
    writeFileSync(join(folder, "afile"), "");
    const cases: readonly (readonly [readonly string[], string])[] = [
      [["serve", "--port", "0", "--data", "afile"], "Cannot open afile: it is a file, not a folder"],
      [["backup", "none/rooms.db"], "Cannot back up to none/rooms.db: there is no folder none"],
      [["backup", "--data", "none", "rooms.db"], "Cannot back up none: there is no landline.db"],
      [["restore", "none.db"], "Cannot restore none.db: there is no file none.db"],
    ];
    for (const [args, text] of cases) {
      const { code, stdout, stderr } = await landline(...args).ended;
      assert.deepEqual([code, stdout, stderr], [1, "", `landline: ${text}\n`]);
    }
  });
});
