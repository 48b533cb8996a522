import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What each program prints. */
const OUTPUT: Readonly<Record<string, string>> = {
  "examples/frames.ts": "hi\n",
  "examples/chat-bot.ts": "You said: hello\n",
};

test("examples/ has a known output for each program", () => {
  assert.deepEqual(globSync("examples/*.ts", { cwd: root }).sort(), Object.keys(OUTPUT).sort());
});

for (const [file, output] of Object.entries(OUTPUT)) {
  test(`${file} prints what it should and ends`, async () => {
    const args = ["--conditions=@landline/source", file];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: root, timeout: 30_000 });
    assert.equal(stdout, output);
    assert.equal(stderr, "");
  });
}
