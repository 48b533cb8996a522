import assert from "node:assert/strict";
import { test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { bind } from "./bind.ts";

failOnLeaks();

const HOST = { host: "127.0.0.1" };

test("bind() sets the sizes of the kernel's buffers", async () => {
  await using small = await bind({ ...HOST, receiveBufferBytes: 16_384, sendBufferBytes: 16_384 });
  await using large = await bind({ ...HOST, receiveBufferBytes: 65_536, sendBufferBytes: 65_536 });
  assert.ok(small.receiveBufferBytes >= 16_384);
  assert.ok(large.receiveBufferBytes > small.receiveBufferBytes);
  assert.ok(large.sendBufferBytes > small.sendBufferBytes);
  await small.close();
  assert.throws(() => small.receiveBufferBytes, { code: "closed" });
  assert.throws(() => small.sendBufferBytes, { code: "closed" });
});

test("bind() allows broadcasts only with broadcast true", { skip: process.platform !== "linux" }, async () => {
  await using receiver = await bind({ host: "0.0.0.0" });
  const to = { host: "127.255.255.255", port: receiver.address.port };
  await using without = await bind(HOST);
  await assert.rejects(without.send("x", to), { code: "permission" });
  await using sender = await bind({ ...HOST, broadcast: true });
  await sender.send("to all", to);
  assert.equal(Buffer.from((await receiver.receive({ timeoutMs: 5_000 })).data).toString(), "to all");
});

test("bind() with ipv6Only lets another socket use the port on IPv4", async (t) => {
  const six = await bind({ host: "::", ipv6Only: true }).catch((error: Error) => t.skip(`no IPv6: ${error.message}`));
  if (six === undefined) return;
  await using first = six;
  await using second = await bind({ host: "0.0.0.0", port: first.address.port });
  assert.equal(second.address.port, first.address.port);
});

test("bind() with ttl still reaches this machine", async () => {
  await using receiver = await bind(HOST);
  await using sender = await bind({ ...HOST, ttl: 1, multicastTtl: 255, multicastLoopback: true });
  await sender.send("x", receiver.address);
  assert.equal((await receiver.receive()).data.length, 1);
});

test("bind() rejects options out of range", async () => {
  for (const ttl of [0, 256, 1.5, Number.NaN]) await assert.rejects(bind({ ...HOST, ttl }), RangeError);
  for (const multicastTtl of [-1, 256]) await assert.rejects(bind({ ...HOST, multicastTtl }), RangeError);
  for (const bytes of [0, -1, 2 ** 31]) {
    await assert.rejects(bind({ ...HOST, receiveBufferBytes: bytes }), RangeError);
    await assert.rejects(bind({ ...HOST, sendBufferBytes: bytes }), RangeError);
  }
});

test("bind() leaves nothing open when an option cannot be set", async () => {
  await assert.rejects(bind({ ...HOST, multicastInterface: "nope77" }), {
    code: "address-not-available",
    message: "Cannot set multicastInterface: no interface nope77 with an IPv4 address",
  });
});

test("UdpSocket.send() in a loop loses nothing to a receiver in the same process", async () => {
  await using receiver = await bind({ ...HOST, queueMax: 10_000 });
  await using sender = await bind(HOST);
  for (let i = 0; i < 5_000; i += 1) await sender.send("x", receiver.address);
  for (let i = 0; i < 5_000; i += 1) await receiver.receive({ timeoutMs: 30_000 });
  assert.equal(receiver.dropped, 0);
});
