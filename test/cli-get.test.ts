import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { serve } from "@landline/sockets";
import { landline, landlineInShell, runLandline } from "./cli-process.ts";

/** Responses with an incomplete body, the error of each, and the content of the file. */
const CUT_OFF: readonly (readonly [answer: string, reason: RegExp, kept: string])[] = [
  ["Content-Length: 10\r\n\r\nhello", /the server finished after 5 of 10 body bytes/, "hello"],
  ["Content-Length: 10\r\n\r\n", /the server finished after 0 of 10 body bytes/, ""],
  ["Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nwor", /the server finished.*/, "hellowor"],
  ["Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n", /a bad chunk size/, "hello"],
];

test("get -o keeps the received part of an incomplete body and reports it", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "landline-get-"));
  for (const [index, [answer, reason, kept]] of CUT_OFF.entries()) {
    await using server = await serve({}, async (connection) => {
      await connection.readUntil("\r\n\r\n");
      await connection.write(`HTTP/1.1 200 OK\r\n${answer}`);
    });
    const url = `localhost:${server.address.port}`;
    const file = path.join(folder, String(index));
    const { code, stdout, stderr } = await runLandline(["get", "-o", file, url]);
    assert.deepEqual([code, stdout], [1, ""]);
    const text = `^landline: .*${reason.source}.*; ${file} has the first ${kept.length} bytes\n$`;
    assert.match(stderr, new RegExp(text));
    assert.equal(String(await readFile(file)), kept);
    const printed = await runLandline(["get", url]);
    assert.deepEqual([printed.code, printed.stdout], [1, kept]);
    assert.match(printed.stderr, new RegExp(`^landline: .*${reason.source}.*\n$`));
  }
  await rm(folder, { recursive: true });
});

test("get -o keeps the received part after an interrupt", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "landline-get-"));
  const file = path.join(folder, "x");
  await using server = await serve({}, async (connection, signal) => {
    await connection.readUntil("\r\n\r\n");
    await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    await connection.read({ signal });
  });
  const url = `localhost:${server.address.port}`;
  await using command = landline("get", "-o", file, url);
  const deadline = AbortSignal.timeout(60_000);
  while (String(await readFile(file).catch(() => "")) !== "hello") assert.ok(!deadline.aborted, "nothing was written");
  command.child.kill("SIGINT");
  assert.equal((await command.ended).code, 130);
  const slow = await runLandline(["get", "-m", "300ms", "-o", file, url]);
  assert.equal(slow.code, 1);
  assert.match(slow.stderr, /not done within 300 ms.*; .*x has the first 5 bytes\n$/);
  assert.equal(String(await readFile(file)), "hello");
  await rm(folder, { recursive: true });
});

test("get reports a failed write in one line", async () => {
  await using server = await serve({}, async (connection) => {
    await connection.readUntil("\r\n\r\n");
    await connection.write(`HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n${"x".repeat(300_000)}`);
  });
  const url = `localhost:${server.address.port}`;
  for (const [file, reason] of [
    ["/nope/x", "no such file or directory"],
    [tmpdir(), "illegal operation on a directory"],
    ["/dev/full", "no space left on device"],
    ["/dev/null/x", "not a directory"],
  ] as const) {
    const { code, stdout, stderr } = await runLandline(["get", "-o", file, url]);
    assert.deepEqual([code, stdout, stderr], [1, "", `landline: Cannot write ${file}: ${reason}\n`]);
  }
  for (const args of [["get", url], ["get", "-i", url], ["config"]]) {
    await using full = landlineInShell('"$@" >/dev/full', ...args);
    const { code, stderr } = await full.ended;
    assert.deepEqual([code, stderr], [1, "landline: Cannot write standard output: no space left on device\n"]);
    await using unread = landlineInShell('"$@" | true', ...args);
    const { stderr: quiet } = await unread.ended;
    assert.equal(quiet, "", "a closed output pipe is reported as an error");
  }
});

test("get refuses port 0 in one line, also in a redirect", async () => {
  await using server = await serve({}, async (connection) => {
    await connection.readUntil("\r\n\r\n");
    await connection.write("HTTP/1.1 302 Found\r\nLocation: http://localhost:0/\r\nContent-Length: 0\r\n\r\n");
  });
  const { code, stderr } = await runLandline(["get", `localhost:${server.address.port}`]);
  assert.equal(code, 1);
  assert.match(stderr, /^landline: .*\b0\b.*\n$/);
  const typed = await runLandline(["get", "http://localhost:0/"]);
  assert.equal(typed.code, 2);
  assert.match(
    typed.stderr,
    /^landline: Cannot use 'http:\/\/localhost:0\/' for url: a port is an integer from 1 to 65535\n/,
  );
});
