import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { idle, until } from "../../../../test/until.ts";
import { bind } from "./bind.ts";
import { NameCache } from "./name-cache.ts";

failOnLeaks();

const ACTION = (): string => "Cannot send to it.test:1";

/** A lookup that counts its calls and returns these addresses. */
function answers(...addresses: string[]): { lookup: LookupFunction; count: () => number } {
  let calls = 0;
  const lookup: LookupFunction = (_host, _options, done) => {
    calls += 1;
    const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    setImmediate(() => done(null, found));
  };
  return { lookup, count: () => calls };
}

test("NameCache looks up a name once in 5 seconds", async (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const { lookup, count } = answers("127.0.0.1");
  const names = new NameCache(4, lookup);
  assert.deepEqual(await Promise.all([names.addresses("it.test", ACTION), names.addresses("it.test", ACTION)]), [
    ["127.0.0.1"],
    ["127.0.0.1"],
  ]);
  now = 4_999;
  assert.deepEqual(names.known("it.test", ACTION), ["127.0.0.1"]);
  assert.equal(count(), 1);
  now = 5_000;
  assert.equal(names.known("it.test", ACTION), undefined);
  await names.addresses("it.test", ACTION);
  assert.equal(count(), 2);
});

test("NameCache caches 256 names", async () => {
  const { lookup, count } = answers("127.0.0.1");
  const names = new NameCache(4, lookup);
  for (let i = 0; i < 257; i += 1) await names.addresses(`${i}.test`, ACTION);
  assert.equal(names.size, 256);
  assert.equal(names.known("0.test", ACTION), undefined);
  assert.deepEqual(names.known("1.test", ACTION), ["127.0.0.1"]);
  assert.equal(count(), 257);
});

test("NameCache does not cache a failure", async () => {
  let fails = true;
  const names = new NameCache(4, (_host, _options, done) => {
    if (fails) done(Object.assign(new Error("no"), { code: "EAI_AGAIN" }), []);
    else done(null, [{ address: "127.0.0.1", family: 4 }]);
  });
  await assert.rejects(names.addresses("it.test", ACTION), { code: "name-lookup-failed" });
  assert.equal(names.size, 0);
  fails = false;
  assert.deepEqual(await names.addresses("it.test", ACTION), ["127.0.0.1"]);
});

test("NameCache returns addresses of its family, and names the family in its error", async () => {
  const both = answers("::1", "127.0.0.1").lookup;
  assert.deepEqual(await new NameCache(4, both).addresses("it.test", ACTION), ["127.0.0.1"]);
  assert.deepEqual(await new NameCache(6, both).addresses("it.test", ACTION), ["::1"]);
  const names = new NameCache(4, answers("::1").lookup);
  await assert.rejects(names.addresses("it.test", ACTION), {
    code: "name-not-found",
    message: "Cannot send to it.test:1: the name has no IPv4 address, and the socket is IPv4",
  });
  await assert.rejects(
    names.addresses("::1", () => "Cannot send to [::1]:1"),
    {
      code: "name-not-found",
      message: "Cannot send to [::1]:1: it is not an IPv4 address, and the socket is IPv4",
    },
  );
});

test("NameCache of a dual-stack socket returns IPv4 addresses in IPv6 form when there are no others", async () => {
  const of = (...addresses: string[]): NameCache => new NameCache(6, answers(...addresses).lookup, true);
  assert.deepEqual(of().known("127.0.0.1", ACTION), ["::ffff:127.0.0.1"]);
  assert.deepEqual(of().known("::1", ACTION), ["::1"]);
  const names = of();
  // The last address is cached separately.
  for (const host of ["127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1", "127.0.0.2"]) {
    assert.deepEqual(names.known(host, ACTION), [host.startsWith("::") ? host : `::ffff:${host}`]);
  }
  assert.deepEqual(await of("127.0.0.1", "::1").addresses("it.test", ACTION), ["::1"]);
  assert.deepEqual(await of("127.0.0.1", "127.0.0.2").addresses("it.test", ACTION), [
    "::ffff:127.0.0.1",
    "::ffff:127.0.0.2",
  ]);
  await assert.rejects(of().addresses("it.test", ACTION), { code: "name-not-found" });
});

test("UdpSocket.send() looks up a name once for a loop of sends", async () => {
  const { lookup, count } = answers("127.0.0.1");
  await using receiver = await bind({ host: "127.0.0.1" });
  await using sender = await bind({ host: "127.0.0.1", lookup });
  for (let i = 0; i < 10; i += 1) await sender.send("x", { host: "it.test", port: receiver.address.port });
  assert.equal(count(), 1);
});

test("UdpSocket.send() sends nothing when aborted or timed out during the lookup", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using receiver = await bind({ host: "127.0.0.1" });
  const answer: (() => void)[] = [];
  const lookup: LookupFunction = (_host, _options, done) => {
    answer.push(() => done(null, [{ address: "127.0.0.1", family: 4 }]));
  };
  await using sender = await bind({ host: "127.0.0.1", lookup });
  const to = { host: "slow.test", port: receiver.address.port };
  const controller = new AbortController();
  const aborted = assert.rejects(sender.send("aborted", to, { signal: controller.signal }), /enough/);
  const late = assert.rejects(sender.send("late", to, { timeoutMs: 50 }), { code: "timeout" });
  const connecting = assert.rejects(sender.connect(to, { signal: controller.signal }), /enough/);
  await until(() => answer.length > 0, "the name to be looked up");
  controller.abort(new Error("enough"));
  t.mock.timers.tick(50);
  await Promise.all([aborted, late, connecting]);
  await assert.rejects(sender.send("x", to, { signal: controller.signal }), /enough/);
  for (const give of answer) give();
  await idle();
  assert.equal(sender.remote, undefined);
  await sender.send("good", to, { signal: new AbortController().signal });
  assert.equal(Buffer.from((await receiver.receive()).data).toString(), "good");
});

test("UdpSocket.close() rejects a send() that is looking up a name at once", async () => {
  const lookedUp: string[] = [];
  const socket = await bind({ host: "127.0.0.1", lookup: (host) => void lookedUp.push(host) });
  const to = { host: "never.test", port: 1 };
  const rejections = [socket.send("x", to), socket.connect(to), socket.request("x", to)].map((one) =>
    assert.rejects(one, { code: "closed" }),
  );
  await until(() => lookedUp.length > 0, "the name to be looked up");
  await socket.close();
  await Promise.all(rejections);
});
