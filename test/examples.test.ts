import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const LINES_MAX = 40;

/** The output of each program. */
const OUTPUT: Readonly<Record<string, string>> = {
  "examples/backpressure.ts": "32 MiB arrived\nnever more than 128 KiB stored by the writer: true\n",
  "examples/change-codec.ts": 'unknown command: hello\nOK\n"line\\nor line"\n',
  "examples/chat-bot.ts": "You said: hello\n",
  "examples/errors.ts":
    "address-in-use: Cannot listen on 127.0.0.1:PORT: the address is already in use (is another server running?)\n" +
    "reset: Connection with 127.0.0.1:PORT broke: connection reset by the peer\n" +
    "refused: Cannot connect to 127.0.0.1:PORT: connection refused (is the server running?)\n" +
    "RangeError: port must be 1 to 65535: 70000\n",
  "examples/event-handlers.ts": "hello 0\nhello 1\nhello 2\n3 connections\n",
  "examples/exact-reads.ts": "hello\nend-of-stream: 5 of 10 bytes\n",
  "examples/frames.ts": "hi\n",
  "examples/graceful-shutdown.ts": "working\ndone\n{ graceful: 1, forced: 0 }\n",
  "examples/http-get.ts":
    "200 application/json { path: '/hello?to=world' }\n404 application/json { path: '/missing' }\n",
  "examples/lines-protocol.ts": "apples 12\npears 3\nbye\n",
  "examples/start-tls.ts": "you said hello\nyou said STARTTLS\nyou said a secret\nCN=localhost\n",
  "examples/states.ts":
    "created -> connecting\n" +
    "connecting -> established\n" +
    "established -> half-closed-local (this side finished)\n" +
    "half-closed-local -> closing (the peer finished)\n" +
    "closing -> closed\n",
  "examples/tcp-echo.ts": "You said: hello\n",
  "examples/timeouts.ts": "timeout, and the connection is established\nhello\nthe user left\n",
  "examples/udp-echo.ts": "You said: hello\n",
};

test("every program in examples/ has an expected output", () => {
  const files = globSync("examples/*.ts", { cwd: root }).map((file) => file.replaceAll("\\", "/"));
  assert.deepEqual(files.sort(), Object.keys(OUTPUT).sort());
});

describe("examples/", { concurrency: availableParallelism() }, () => {
  for (const [file, output] of Object.entries(OUTPUT)) {
    test(`${file} prints the expected output and exits`, async () => {
      const args = ["--conditions=@landline/source", file];
      const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: root, timeout: 120_000 });
      assert.equal(stdout, output);
      assert.equal(stderr, "");
    });

    test(`${file} is short and says how to run it`, () => {
      const lines = readFileSync(join(root, file), "utf8").trimEnd().split(/\r?\n/);
      assert.ok(lines.length <= LINES_MAX, `${lines.length} lines`);
      assert.match(lines[0] ?? "", new RegExp(`^// \\S.* Run: npm run example ${file}$`));
    });
  }
});
