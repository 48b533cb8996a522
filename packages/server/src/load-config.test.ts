import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { DEFAULT_CONFIG, SETTINGS } from "./config.ts";
import { DEFAULT_LIMITS } from "./core/mod.ts";
import { ConfigError, type ConfigSources, DEFAULT_SETTINGS, loadConfig } from "./load-config.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "landline-config-"));
});
after(() => rm(folder, { recursive: true }));

async function file(text: string): Promise<string> {
  const path = join(folder, "settings.json");
  await writeFile(path, text);
  return path;
}

async function problems(sources: ConfigSources): Promise<readonly string[]> {
  const error = await loadConfig(sources).then(
    () => assert.fail("no mistake was found"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof ConfigError);
  return error.problems;
}

describe("loadConfig()", () => {
  test("returns the defaults without any source", async () => {
    const { config, settings, origins } = await loadConfig();
    assert.deepEqual(config, { ...DEFAULT_CONFIG, data: "./data", limits: DEFAULT_LIMITS });
    assert.deepEqual(settings, DEFAULT_SETTINGS);
    assert.deepEqual(origins.port, { from: "default", name: "default" });
  });

  test("has a default for every setting, and a setting for every default", () => {
    assert.deepEqual(Object.keys(SETTINGS).sort(), Object.keys(DEFAULT_SETTINGS).sort());
  });

  test("prefers flags, then the environment, then the file", async () => {
    const path = await file('{ "port": 1, "pingMs": "1m", "messageBytesMax": 1000, "hosts": ["a.test"] }');
    const { config, origins } = await loadConfig({
      flags: { port: "3", host: undefined },
      env: { LANDLINE_PORT: "2", LANDLINE_PING_MS: "30s", PATH: "/bin" },
      file: path,
    });
    assert.deepEqual([config.port, origins.port], [3, { from: "flag", name: "--port" }]);
    assert.deepEqual(
      [config.limits.pingMs, origins.pingMs],
      [30_000, { from: "environment", name: "LANDLINE_PING_MS" }],
    );
    assert.deepEqual([config.limits.messageBytesMax, origins.messageBytesMax], [1_000, { from: "file", name: path }]);
    assert.deepEqual([config.hosts, config.host], [["a.test"], "localhost"]);
  });

  test("ignores empty variables and those that are not settings", async () => {
    const { config } = await loadConfig({
      env: { LANDLINE_PORT: "", LANDLINE_CONFIG: "", LANDLINE_LONG: "1", OTHER: "x" },
    });
    assert.equal(config.port, 8083);
  });

  test("reads the file named by LANDLINE_CONFIG, unless a flag names another", async () => {
    const path = await file('{ "port": 1 }');
    assert.equal((await loadConfig({ env: { LANDLINE_CONFIG: path } })).config.port, 1);
    assert.equal((await loadConfig({ env: { LANDLINE_CONFIG: "/nowhere" }, file: path })).config.port, 1);
  });

  test("reads landline.json of the working directory, if it exists", async (context) => {
    await writeFile(join(folder, "landline.json"), '{ "port": 7 }');
    const home = process.cwd();
    context.after(() => process.chdir(home));
    process.chdir(folder);
    const { config, origins } = await loadConfig();
    assert.deepEqual([config.port, origins.port], [7, { from: "file", name: "landline.json" }]);
    await rm("landline.json");
    assert.equal((await loadConfig()).config.port, 8083);
  });

  test("lists every mistake with its source", async () => {
    const path = await file('{ "conectionsMax": 1, "pongMs": true, "limits": {}, "__proto__": 1 }');
    assert.deepEqual(
      await problems({
        flags: { port: "http" },
        env: { LANDLINE_PING_MS: "soon", LANDLINE_PINGMS: "1s", LANDLINE_PORT: "no" },
        file: path,
      }),
      [
        'Cannot use port "http" (from --port): not a port from 0 to 65535',
        'Cannot use pingMs "soon" (from LANDLINE_PING_MS): not a duration such as 30s',
        "Unknown setting LANDLINE_PINGMS (in the environment); did you mean LANDLINE_PING_MS?",
        'Cannot use port "no" (from LANDLINE_PORT): not a port from 0 to 65535',
        `Unknown setting conectionsMax (in ${path}); did you mean connectionsMax?`,
        `Cannot use pongMs true (from ${path}): not a duration such as 30s`,
        `Unknown setting limits (in ${path}); 'landline config' lists them all`,
        `Unknown setting __proto__ (in ${path}); 'landline config' lists them all`,
      ],
    );
  });

  test("names the mistake in a file", async () => {
    const path = await file('{\n  "port": 1,\n  pingMs: 2\n}');
    assert.deepEqual(await problems({ file: path }), [
      `Cannot read configuration ${path}: not JSON at line 3 column 3, before "p"`,
    ]);
    assert.deepEqual(await problems({ file: await file("[1]") }), [
      `Cannot read configuration ${path}: it is not a JSON object of settings`,
    ]);
    const none = join(folder, "none.json");
    for (const sources of [{ file: none }, { env: { LANDLINE_CONFIG: none } }]) {
      assert.deepEqual(await problems(sources), [`Cannot read configuration ${none}: there is no such file`]);
    }
    assert.deepEqual(await problems({ file: folder }), [
      `Cannot read configuration ${folder}: it is a folder, not a file`,
    ]);
  });

  test("refuses a frameBytesMax too small for a message and a topic, and names the larger need with its source", async () => {
    const env = { LANDLINE_FRAME_BYTES_MAX: "1KiB" };
    assert.deepEqual(await problems({ env, file: await file('{ "messageBytesMax": 2000 }') }), [
      "Cannot use frameBytesMax 1KiB (from LANDLINE_FRAME_BYTES_MAX): with messageBytesMax 2000" +
        ` (from ${join(folder, "settings.json")}) it must be at least 3KiB`,
    ]);
    const least = { frameBytesMax: "17408", messageBytesMax: "16KiB" };
    assert.equal((await loadConfig({ flags: least })).config.limits.frameBytesMax, 17_408);
    assert.equal((await problems({ flags: { ...least, frameBytesMax: "17407" } })).length, 1);
    assert.deepEqual(await problems({ flags: { frameBytesMax: "huge", messageBytesMax: "1MiB" } }), [
      'Cannot use frameBytesMax "huge" (from --frame-bytes-max): not a size such as 64KiB',
    ]);
  });

  test("suggests a name only if it is similar", async () => {
    assert.deepEqual(
      await problems({ env: { LANDLINE_FOO: "1", LANDLINE_PRT: "1" }, file: await file('{"prt": 1}') }),
      [
        "Unknown setting LANDLINE_FOO (in the environment); 'landline config' lists them all",
        "Unknown setting LANDLINE_PRT (in the environment); did you mean LANDLINE_PORT?",
        `Unknown setting prt (in ${join(folder, "settings.json")}); did you mean port?`,
      ],
    );
  });

  test("hasWrongFlag is set only for mistakes of the command line", async () => {
    const isFlags = (sources: ConfigSources) =>
      loadConfig(sources).then(
        () => assert.fail("no mistake was found"),
        (error: ConfigError) => error.hasWrongFlag,
      );
    assert.equal(await isFlags({ flags: { port: "x" } }), true);
    assert.equal(await isFlags({ file: join(folder, "none.json") }), true);
    assert.equal(await isFlags({ file: await file("{") }), false);
    assert.equal(await isFlags({ env: { LANDLINE_PORT: "x" } }), false);
    assert.equal(await isFlags({ env: { LANDLINE_CONFIG: join(folder, "none.json") } }), false);
  });
});
