import assert from "node:assert/strict";
import { test } from "node:test";
import { SocketError } from "@landline/sockets";
import { CommandFailed, describeError } from "./exit.ts";
import { orOtherPort } from "./other-port.ts";

const inUse = new SocketError("address-in-use", "Cannot listen on localhost:1: in use");

async function textOf(option?: string): Promise<string> {
  const error = await orOtherPort(Promise.reject(inUse), option).catch((error: unknown) => error);
  assert.ok(error instanceof CommandFailed);
  assert.equal(error.cause, inUse);
  return describeError(error);
}

test("orOtherPort() says how to choose another port, as the command was called", async () => {
  const saved = process.env.npm_lifecycle_event;
  try {
    process.env.npm_lifecycle_event = "npx";
    assert.equal(await textOf("--port"), `${inUse.message}; use --port to choose another, 0 takes a free one`);
    assert.equal(await textOf(), `${inUse.message}; give another port, 0 takes a free one`);
    process.env.npm_lifecycle_event = "start";
    assert.match(await textOf("--tcp"), /; use npm start -- --tcp N to choose another/);
  } finally {
    if (saved === undefined) delete process.env.npm_lifecycle_event;
    else process.env.npm_lifecycle_event = saved;
  }
});

test("orOtherPort() passes on what was opened, and other errors", async () => {
  assert.equal(await orOtherPort(Promise.resolve(7), "--port"), 7);
  const denied = new SocketError("permission", "Cannot listen");
  await assert.rejects(orOtherPort(Promise.reject(denied), "--port"), denied);
});
