import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SETUP = fileURLToPath(new URL("../tools/setup.mjs", import.meta.url));
const isWindows = process.platform === "win32";

test("tools/setup.mjs runs npm without a shell, and does nothing the second time", { skip: isWindows }, (t) => {
  const root = mkdtempSync(join(tmpdir(), "landline-setup-"));
  t.after(() => rmSync(root, { recursive: true }));
  for (const name of ["bin", "node_modules", "tools", "packages/web", "packages/client/src", "packages/protocol/src"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  mkdirSync(join(root, "packages/server/web"), { recursive: true });
  writeFileSync(join(root, "packages/server/web/index.html"), "");
  cpSync(SETUP, join(root, "tools/setup.mjs"));
  // Stands in for npm: prints its arguments.
  writeFileSync(join(root, "bin/npm"), '#!/bin/sh\necho "npm $*"\n');
  chmodSync(join(root, "bin/npm"), 0o755);
  const { npm_execpath: _, ...rest } = process.env;
  const env = { ...rest, PATH: `${join(root, "bin")}${delimiter}${rest.PATH}` };
  const run = () => spawnSync(process.execPath, [join(root, "tools/setup.mjs")], { env, encoding: "utf8" });

  const first = run();
  assert.equal(first.status, 0);
  assert.deepEqual(first.stderr.trimEnd().split("\n"), [
    "landline: installing packages",
    "npm ci --no-audit --no-fund --loglevel=error",
    "landline: building the web page",
    "npm run --silent build:web",
  ]);
  assert.equal(run().stderr, "");
});
