import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { bind, type Connection, connect, listen, serve } from "@landline/sockets";
import {
  type CliProcess,
  landline,
  landlineInShell,
  landlineOnTerminal,
  landlineProgram,
  onTerminal,
  python,
  runLandline,
} from "./cli-process.ts";
import { skipWithoutPython } from "./programs.ts";

const skip = skipWithoutPython();

async function passed(ms: number): Promise<void> {
  await once(AbortSignal.timeout(ms), "abort");
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

/** Runs `landline connect` to a peer. */
async function connectTo(peer: (connection: Connection) => Promise<void>): Promise<CliProcess> {
  const listener = await listen();
  const command = landline("connect", "localhost", String(listener.address.port));
  void talkTo(listener.accept(), peer).finally(() => listener.close());
  return command;
}

/** Runs `landline listen`, and connects the peer to it. */
async function listenTo(peer: (connection: Connection) => Promise<void>): Promise<CliProcess> {
  const command = landline("listen", "0");
  const [, port] = await command.until(/Listening on \S+:(\d+)/, "stderr");
  void talkTo(connect({ port: Number(port) }), peer);
  return command;
}

/** Runs the peer. Ignores its errors: the command's output shows them. */
async function talkTo(opening: Promise<Connection>, peer: (connection: Connection) => Promise<void>): Promise<void> {
  const connection = await opening;
  await peer(connection).catch(() => undefined);
  await connection.close();
}

const UDP_ECHO = `
import socket
phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
phone.bind(("localhost", 0))
print(phone.getsockname()[1])
while True:
    data, sender = phone.recvfrom(1024)
    phone.sendto(("UDP Echo: " + data.decode("utf-8")).encode("utf-8"), sender)
`;

for (const [name, start] of [
  ["connect", connectTo],
  ["listen", listenTo],
] as const) {
  test(`${name} sends all of its input to a peer that has finished and still reads`, async () => {
    for (const [length, slowness] of [
      [0, "fast"],
      [20_000_000, "fast"],
      [300_000, "slow"],
      [5, "late"],
      [3_000_000, "late"],
    ] as const) {
      const received = Promise.withResolvers<number>();
      await using command = await start(async (peer) => {
        await peer.write("before");
        peer.closeWrite();
        if (slowness === "late") await command.until(/before/);
        let count = 0;
        for await (const chunk of peer) {
          count += chunk.length;
          // The command must wait for a slow reader without limit. A close would give up after 500 ms.
          if (slowness === "slow" && count < 100_000) await Promise.race([command.ended, passed(700)]);
        }
        received.resolve(count);
      });
      if (slowness === "late") await command.until(/before/);
      command.child.stdin.end(Buffer.alloc(length, "x"));
      assert.equal(await received.promise, length, `${length} ${slowness}`);
      const { code, stdout, stderr } = await command.ended;
      assert.deepEqual({ code, stdout }, { code: 0, stdout: "before" }, stderr);
    }
  });

  test(`${name} exits with 1 when the peer disconnects before the end of the input`, async () => {
    for (const [length, ending] of [
      [20_000_000, (peer: Connection) => peer.detach().socket.destroy()],
      [20_000_000, (peer: Connection) => peer.reset()],
      [5, (peer: Connection) => peer.reset()],
    ] as const) {
      const isGone = Promise.withResolvers<void>();
      await using command = await start(async (peer) => {
        await peer.write("before");
        peer.closeWrite();
        await command.until(/before/);
        ending(peer);
        isGone.resolve();
      });
      await command.until(/before/);
      await isGone.promise;
      command.child.stdin.end(Buffer.alloc(length, "x"));
      const { code, stdout, stderr } = await command.ended;
      assert.deepEqual({ code, stdout }, { code: 1, stdout: "before" }, `${ending} ${length}`);
      assert.match(lastLine(stderr), /^landline: .*reset by the peer$/);
    }
  });

  test(`${name} exits with 1 when a peer that has finished resets on the last input`, async () => {
    const isGone = Promise.withResolvers<void>();
    await using command = await start(async (peer) => {
      await peer.write("before");
      peer.closeWrite();
      await peer.readExactly(1);
      peer.reset();
      await peer.closed;
      isGone.resolve();
    });
    await command.until(/before/);
    command.child.stdin.write("x");
    await isGone.promise;
    command.child.stdin.end();
    const { code, stdout, stderr } = await command.ended;
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "before" });
    assert.match(lastLine(stderr), /^landline: .*reset by the peer$/);
  });

  test(`${name} reads on after its input ends, and exits with 0 when the peer closes`, async () => {
    await using command = await start(async (peer) => {
      await peer.readExactly(5);
      await peer.write("after");
      await peer.close();
    });
    command.child.stdin.end("hello");
    const { code, stdout } = await command.ended;
    assert.deepEqual({ code, stdout }, { code: 0, stdout: "after" });
  });
}

test("connect exits when the peer closes while its input is a terminal", { skip }, async () => {
  await using server = await serve({}, (connection) => connection.write("bye"));
  const program = landlineProgram("connect", "localhost", String(server.address.port));
  await using client = onTerminal("sh", "-c", '"$@" | cat', "sh", ...program);
  const { code, stdout } = await client.ended;
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "bye" });
});

test("connect --udp sends each read of binary input as one datagram, and prints datagrams unchanged", async () => {
  const binary = Buffer.from(Array.from({ length: 1_024 }, (_, value) => value % 256));
  const inputs = [binary, Buffer.from("\n"), Buffer.from("a\nb\n\nc"), Buffer.alloc(4_000, "\n"), Buffer.from([0])];
  await using server = await bind({ host: "127.0.0.1" });
  const client = landline("connect", "--udp", "--wait", "200ms", "127.0.0.1", String(server.address.port));
  client.child.stdout.setEncoding("latin1");
  for (const input of inputs) {
    client.type(input);
    const { data, from } = await server.receive({ timeoutMs: 10_000 });
    assert.deepEqual(Buffer.from(data), input);
    await server.send(data, from);
  }
  client.child.stdin.end();
  const { code, stdout, stderr } = await client.ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.equal(stdout, Buffer.concat(inputs).toString("latin1"));
});

test("connect --udp splits a read longer than a datagram, and refuses such a line with --lines", async () => {
  await using server = await bind({ host: "127.0.0.1" });
  const args = ["connect", "--udp", "--wait", "0", "127.0.0.1", String(server.address.port)];
  const file = path.join(await mkdtemp(path.join(tmpdir(), "landline-cli-")), "long");
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, value) => (value * 7) % 256));
  await writeFile(file, bytes);
  await using client = landlineInShell(`exec "$@" < '${file}'`, ...args);
  const received: Uint8Array[] = [];
  while (Buffer.concat(received).length < bytes.length) {
    received.push((await server.receive({ timeoutMs: 10_000 })).data);
  }
  assert.deepEqual(Buffer.concat(received), bytes);
  assert.equal((await client.ended).code, 0);
  const { code, stderr } = await runLandline([...args, "--lines"], Buffer.alloc(70_000, "x"));
  assert.deepEqual(
    { code, stderr },
    { code: 1, stderr: "landline: Cannot send a line of more than 65507 bytes in a datagram\n" },
  );
  await rm(path.dirname(file), { recursive: true });
});

test("connect --udp sends typed lines without their line feed to the tutorial's server", {
  skip,
}, async () => {
  await using server = python(UDP_ECHO);
  const [port = ""] = await server.until(/\d+/);
  await using client = landlineOnTerminal("connect", "--udp", "localhost", port);
  await client.until(/exit\): /);
  client.type("QUIT\r");
  await client.until(/UDP Echo: QUIT\r\n/);
  client.type("quit\r");
  assert.equal((await client.ended).code, 0);
});
