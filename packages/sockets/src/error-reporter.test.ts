import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { ErrorReporter } from "./error-reporter.ts";
import { SocketError } from "./errors.ts";

interface Warning extends Error {
  readonly code?: string;
  readonly detail?: string;
}

async function warningOf(report: () => void): Promise<Warning> {
  const warned = once(process, "warning");
  report();
  return (await warned)[0] as Warning;
}

test("ErrorReporter warns with the stack of what a handler threw", async () => {
  const cause = new TypeError("no such thing");
  const error = new SocketError("system", "The data handler failed: no such thing", { cause });
  const warning = await warningOf(() => new ErrorReporter(undefined).report(error));
  assert.deepEqual([warning.name, warning.message, warning.code], ["SocketError", error.message, "system"]);
  assert.equal(warning.detail, cause.stack);
  const plain = await warningOf(() => new ErrorReporter(undefined).report(cause));
  assert.deepEqual([plain.name, plain.message, plain.detail], ["TypeError", "no such thing", cause.stack]);
});

test("ErrorReporter warns without a stack when no handler threw", async () => {
  const cause = Object.assign(new Error("bad hello"), { stack: "Error: 404D:error:0A0000EB" });
  const error = new SocketError("tls", "Cannot accept TLS: bad hello", { cause });
  assert.equal((await warningOf(() => new ErrorReporter(undefined).report(error))).detail, undefined);
  const refused = new SocketError("refused", "Cannot connect");
  assert.equal((await warningOf(() => new ErrorReporter(undefined).report(refused))).detail, undefined);
});

test("ErrorReporter calls the function every time, and warns when it throws or rejects", async () => {
  const reported: Error[] = [];
  const reporter = new ErrorReporter((error) => void reported.push(error));
  for (let i = 0; i < 3; i += 1) reporter.report(new Error(String(i)));
  assert.equal(reported.length, 3);
  const throwing = new ErrorReporter(() => {
    throw Object.create(null);
  });
  assert.equal((await warningOf(() => throwing.report(new Error()))).message, "[object Object]");
  const odd = Object.assign(new Error("odd"), { name: 5, message: Object.create(null) });
  assert.equal((await warningOf(() => new ErrorReporter(undefined).report(odd))).message, "[object Error]");
  const late = new ErrorReporter(() => Promise.reject(new Error("late")) as never);
  assert.equal((await warningOf(() => late.report(new Error()))).message, "late");
});
