import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { portOf } from "../../../../test/chat-server.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { turn, until } from "../../../../test/until.ts";
import { redirectNotes } from "../terminal/notes.ts";
import { Callers } from "./callers.ts";

failOnLeaks();

const BLOCK = new Uint8Array(65_536);
/** More than the kernel buffers for a caller that reads nothing, in blocks. */
const BLOCKS = 512;

test("Callers disconnects a caller that reads nothing, and sends everything to the others", {
  timeout: 120_000,
}, async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const notes: string[] = [];
  t.after(redirectNotes((text) => notes.push(text)));
  const callers = await Callers.listen({ host: "127.0.0.1", port: 0 });
  const port = portOf(callers.address);
  const silent = net.connect({ host: "127.0.0.1", port }).pause();
  silent.on("error", () => undefined);
  await once(silent, "connect");
  const reader = net.connect({ host: "127.0.0.1", port });
  let receivedBytes = 0;
  reader.on("data", (chunk) => {
    receivedBytes += chunk.length;
  });
  await until(() => notes.filter((text) => /^Connection from .*\d$/.test(text)).length === 2, "both have called");

  let blocks = 0;
  const written = (async () => {
    for (; blocks < BLOCKS; blocks += 1) await callers.write(BLOCK);
  })();
  // Nothing more is written when the silent caller's buffers are full.
  await until(async () => {
    const before = blocks;
    for (let turns = 0; turns < 20; turns += 1) await turn();
    return before === blocks && blocks > 0;
  }, "the silent caller holds the others up");
  assert.ok(blocks < BLOCKS, "the kernel buffered everything");
  // A caller that is merely slow stays: nothing ends before 30 seconds.
  t.mock.timers.tick(29_000);
  await turn();
  assert.equal(notes.length, 2, notes.join());
  t.mock.timers.tick(10_000);
  await written;
  await until(
    () => receivedBytes === BLOCKS * BLOCK.length,
    () => `${receivedBytes} bytes arrive`,
  );
  assert.match(notes[2] ?? "", /^Connection from .* ended: .* timed out: /);
  silent.destroy();
  reader.destroy();
  await callers.close();
  t.mock.timers.tick(10_000);
});
