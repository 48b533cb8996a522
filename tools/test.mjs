// Runs all tests, or those in the given files. With --long, tests that repeat rounds run all rounds. The last line counts
// the tests that passed, failed and were skipped.
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const isLong = process.argv[2] === "--long";
const given = process.argv.slice(isLong ? 3 : 2);
const files =
  given.length > 0 ? given : globSync(["packages/*/src/**/*.test.ts", "test/*.test.ts"], { cwd: root }).sort();
const folder = mkdtempSync(join(tmpdir(), "landline-test-"));
const summary = join(folder, "summary");

const { status } = spawnSync(
  process.execPath,
  [
    "--conditions=@landline/source",
    "--test",
    // Catches only tests that hang: a busy machine needs several times the usual time.
    `--test-timeout=${isLong ? 1_200_000 : 300_000}`,
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    `--test-reporter=${new URL("summary-reporter.mjs", import.meta.url).href}`,
    `--test-reporter-destination=${summary}`,
    ...files,
  ],
  { cwd: root, stdio: "inherit", env: { ...process.env, ...(isLong ? { LANDLINE_LONG: "1" } : {}) } },
);
const line = readFileSync(summary, "utf8");
rmSync(folder, { recursive: true });
process.stdout.write(line);
process.exit(status ?? 1);
