import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { bind } from "./mod.ts";

failOnLeaks();

const HOST = { host: "127.0.0.1" };

test("UdpSocket.trySend() sends to an address or to the peer", async () => {
  await using receiver = await bind(HOST);
  await using sender = await bind(HOST);
  assert.equal(sender.trySend("to an address", receiver.address), true);
  assert.equal(Buffer.from((await receiver.receive()).data).toString(), "to an address");
  await sender.connect(receiver.address);
  assert.equal(sender.trySend(Buffer.from("to the peer")), true);
  assert.equal(Buffer.from((await receiver.receive()).data).toString(), "to the peer");
  assert.equal(sender.trySend("to the peer by its address", receiver.address), true);
  assert.equal(Buffer.from((await receiver.receive()).data).toString(), "to the peer by its address");
});

test("UdpSocket.trySend() returns false, and does not throw, for datagrams that send() rejects", async () => {
  await using receiver = await bind(HOST);
  const sender = await bind(HOST);
  assert.equal(sender.trySend(Buffer.alloc(65_508), receiver.address), false);
  assert.equal(sender.trySend("x", { host: "::1", port: 9 }), false);
  assert.equal(sender.trySend("x", { host: "127.0.0.1", port: 0 }), false);
  await sender.close();
  assert.equal(sender.trySend("x", receiver.address), false);
});

test("UdpSocket.trySend() sends to cached names only", async () => {
  await using receiver = await bind(HOST);
  await using sender = await bind(HOST);
  const to = { host: "localhost", port: receiver.address.port };
  assert.equal(sender.trySend("unknown", to), false);
  await sender.send("looked up", to);
  assert.equal(sender.trySend("known", to), true);
  assert.equal(Buffer.from((await receiver.receive()).data).toString(), "looked up");
  assert.equal(Buffer.from((await receiver.receive()).data).toString(), "known");
});

test("UdpSocket.trySend() throws without bytes, without an address, or for another address than the peer's", async () => {
  await using receiver = await bind(HOST);
  await using sender = await bind(HOST);
  assert.throws(() => sender.trySend(7 as never, receiver.address), { name: "TypeError", message: /^data must be/ });
  await assert.rejects(sender.send([1, 2] as never, receiver.address), { name: "TypeError", message: /^data must be/ });
  assert.throws(() => sender.trySend("x", { host: "127.0.0.1", port: 65_536 }), RangeError);
  assert.throws(() => sender.trySend("x", { port: 9 } as never), { name: "TypeError", message: /^host must be/ });
  await assert.rejects(sender.send("x", { port: 9 } as never), { name: "TypeError", message: /^host must be/ });
  assert.throws(() => sender.trySend("x"), { name: "TypeError", message: /^to must be given/ });
  await sender.connect(receiver.address);
  assert.throws(() => sender.trySend("x", sender.address), { name: "TypeError", message: /^to must be left out/ });
});

test("UdpSocket.trySend() reports the refusal of an earlier datagram", async () => {
  const gone = await bind(HOST);
  await gone.close();
  await using sender = await bind(HOST);
  await sender.connect(gone.address);
  // The kernel reports the result of the first datagram on the second call.
  const refused = assert.rejects(sender.receive(), { code: "refused" });
  for (let i = 0; i < 10; i += 1) sender.trySend("anybody?");
  await refused;
});

test("UdpSocket.trySend() returns false while the socket moves to another peer", async () => {
  await using receiver = await bind(HOST);
  await using sender = await bind(HOST);
  await sender.connect(receiver.address);
  const moving = sender.connect(receiver.address);
  while (sender.trySend("x")) await Promise.resolve();
  await moving;
  assert.equal(sender.trySend("x"), true);
});

test("UdpSocket.trySend() returns false while 1,024 datagrams wait for room in the kernel", async () => {
  // A loopback interface always has room. So this option makes Node pass datagrams to the kernel only in its next turn.
  const program = `
    import { bind } from "@landline/sockets";
    await using socket = await bind({ host: "127.0.0.1" });
    let taken = 0;
    while (taken < 2_000 && socket.trySend("x", socket.address)) taken += 1;
    await socket.receive({ timeoutMs: 30_000 });
    console.log(taken, socket.trySend("x", socket.address));
  `;
  const args = ["--test-udp-no-try-send", "--conditions=@landline/source", "--input-type=module", "-e", program];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  assert.equal(stdout, "1024 true\n");
});
