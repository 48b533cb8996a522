import assert from "node:assert/strict";
import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import { test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { connectUdp } from "./udp-peer.ts";

failOnLeaks();

test("connectUdp() looks the name up within timeoutMs, and not after an abort", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { promise: isAsked, resolve } = Promise.withResolvers<void>();
  const { lookup } = dns as unknown as { lookup: (host: string, ...rest: unknown[]) => void };
  t.mock.method(dns, "lookup", (host: string, ...rest: unknown[]) => {
    if (host === "slow.test") resolve();
    else lookup(host, ...rest);
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const timedOut = assert.rejects(connectUdp({ host: "slow.test", port: 8081 }, { timeoutMs: 2_000 }), {
    code: "timeout",
  });
  await isAsked;
  t.mock.timers.tick(2_000);
  await timedOut;

  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(connectUdp({ host: "slow.test", port: 8081 }, { signal }), /enough/);
});
