import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

test("no module outside of testing imports testing", () => {
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const sources = globSync("**/*.ts", { cwd }).filter((file) => !/^testing|\.test\.ts$/.test(file));
  assert.ok(sources.length > 10);
  assert.deepEqual(
    sources.filter((file) => /from ".*\btesting\//.test(readFileSync(`${cwd}/${file}`, "utf8"))),
    [],
  );
});
