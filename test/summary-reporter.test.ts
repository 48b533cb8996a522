import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const REPORTER = fileURLToPath(new URL("../tools/summary-reporter.mjs", import.meta.url));
const TESTS = `
import { describe, test } from "node:test";
describe("a browser", { skip: "there is no Chromium" }, () => {
  test("opens", () => undefined);
  test("closes", () => undefined);
});
describe("a suite", () => {
  test("passes", () => undefined);
  test("fails", () => { throw new Error("no"); });
  test("is skipped", { skip: true }, () => undefined);
});
`;

test("the last line of npm test counts what passed, failed and was skipped, whole suites too", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "landline-summary-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "some.test.mjs");
  await writeFile(file, TESTS);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = spawnSync(process.execPath, ["--test", `--test-reporter=${REPORTER}`, file], {
    encoding: "utf8",
    env,
  });
  assert.deepEqual(stdout.trimEnd().split("\n"), [
    "skipped: the whole of a browser (there is no Chromium)",
    "skipped: is skipped (no reason given)",
    "1 passed, 1 failed, 2 skipped",
  ]);
});
