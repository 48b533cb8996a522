import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { arrivals } from "../../../../test/datagram-sockets.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { idle, until } from "../../../../test/until.ts";
import type { SocketError } from "../errors.ts";
import { bind, type Datagram, type UdpSocket } from "./mod.ts";

failOnLeaks();

const HOST = { host: "127.0.0.1" };

/** Collects datagrams and resolves when there are this many. */
function collector(): {
  handle: (socket: UdpSocket, datagram: Datagram) => void;
  texts: (n: number) => Promise<string[]>;
} {
  const texts: string[] = [];
  return {
    handle: (_socket, { data }) => void texts.push(Buffer.from(data).toString()),
    texts: async (count) => {
      await until(
        () => texts.length >= count,
        () => `${count} datagrams, not ${texts.length}`,
      );
      return texts;
    },
  };
}

/** A socket with exactly these datagrams in its queue. */
async function storing(...texts: readonly string[]): Promise<UdpSocket> {
  const socket = await bind({ ...HOST, queueMax: texts.length });
  for (const text of ["dropped", ...texts]) await socket.send(text, socket.address);
  await until(() => socket.dropped === 1, `${texts.length + 1} datagrams to have come`);
  return socket;
}

test("UdpSocket.handle() delivers queued datagrams first, then new ones", async () => {
  await using receiver = await storing("one", "two");
  await using sender = await bind(HOST);
  const { handle, texts } = collector();
  receiver.handle({ datagram: handle });
  assert.deepEqual(await texts(2), ["one", "two"]);
  await sender.send("three", receiver.address);
  assert.deepEqual(await texts(3), ["one", "two", "three"]);
});

test("UdpSocket.handle() and receive() exclude each other with busy", async () => {
  await using socket = await bind(HOST);
  const received = socket.receive();
  assert.throws(() => socket.handle({ datagram: () => undefined }), {
    code: "busy",
    message: /a receive is waiting$/,
  });
  await socket.send("x", socket.address);
  await received;
  socket.handle({ datagram: () => undefined });
  await assert.rejects(socket.receive(), { code: "busy", message: /read by its handlers$/ });
  await assert.rejects(Array.fromAsync(socket), { code: "busy" });
});

test("UdpSocket.handle() called again replaces the handlers", async () => {
  await using socket = await bind(HOST);
  const [first, second] = [collector(), collector()];
  socket.handle({ datagram: first.handle });
  await socket.send("a", socket.address);
  assert.deepEqual(await first.texts(1), ["a"]);
  socket.handle({ datagram: second.handle });
  await socket.send("b", socket.address);
  assert.deepEqual(await second.texts(1), ["b"]);
  assert.deepEqual(await first.texts(1), ["a"]);
});

test("UdpSocket.handle() does not deliver answers to requests", async () => {
  await using server = await bind(HOST);
  await using client = await bind(HOST);
  server.handle({ datagram: (socket, { data, from }) => void socket.trySend(`re: ${Buffer.from(data)}`, from) });
  const { handle, texts } = collector();
  client.handle({ datagram: handle });
  const { data } = await client.request("hello", server.address);
  assert.equal(Buffer.from(data).toString(), "re: hello");
  await server.send("news", client.address);
  assert.deepEqual(await texts(1), ["news"]);
});

test("UdpSocket.handle() passes the error of a handler to error() and stays open", async () => {
  await using socket = await bind(HOST);
  const errors: SocketError[] = [];
  const { promise: reported, resolve: report } = Promise.withResolvers<void>();
  socket.handle({
    datagram: async (_socket, { data }) => {
      if (data.length === 1) throw new Error("one byte");
      await Promise.resolve();
      throw new Error("more bytes");
    },
    error: (from, error) => {
      assert.equal(from, socket);
      if (errors.push(error) === 2) report();
    },
  });
  await socket.send("1", socket.address);
  await socket.send("22", socket.address);
  await reported;
  assert.deepEqual(
    errors.map(({ code, operation, cause }) => [code, operation, (cause as Error).message]),
    [
      ["system", "datagram", "one byte"],
      ["system", "datagram", "more bytes"],
    ],
  );
  assert.match(String(errors[0]?.message), /^The datagram handler of 127\.0\.0\.1:\d+ failed: one byte$/);
  assert.equal(socket.state, "bound");
});

test("UdpSocket.handle() without error(), or with one that throws, warns at most once per second", async () => {
  const warnings: Error[] = [];
  const collect = (warning: Error): void => void warnings.push(warning);
  process.on("warning", collect);
  try {
    await using silent = await bind(HOST);
    let calls = 0;
    silent.handle({
      datagram: () => {
        calls += 1;
        throw new Error("not handled");
      },
    });
    for (let i = 0; i < 5; i += 1) await silent.send("x", silent.address);
    await until(
      () => calls === 5,
      () => `5 calls of the handler, not ${calls}`,
    );
    await idle();
    assert.deepEqual(
      warnings.map(({ message }) => message.replace(/.*: /, "")),
      ["not handled"],
    );

    for (const isLate of [false, true]) {
      await using failing = await bind(HOST);
      failing.handle({
        datagram: () => {
          throw new Error("first");
        },
        error: () => {
          if (isLate) return Promise.reject(new Error("late"));
          throw new Error("second");
        },
      });
      const warned = once(process, "warning");
      await failing.send("x", failing.address);
      assert.equal((await warned)[0].message, isLate ? "late" : "second");
    }
  } finally {
    process.off("warning", collect);
  }
});

test("UdpSocket.handle() passes a refusal on a connected socket to error()", async () => {
  const gone = await bind(HOST);
  await gone.close();
  await using client = await bind(HOST);
  await client.connect(gone.address);
  const { promise, resolve } = Promise.withResolvers<SocketError>();
  client.handle({ datagram: () => undefined, error: (_socket, error) => resolve(error) });
  await client.send("anybody?");
  assert.equal((await promise).code, "refused");
});

test("UdpSocket.handle() passes an earlier refusal to error()", async () => {
  const gone = await bind(HOST);
  await gone.close();
  await using client = await bind(HOST);
  await client.connect(gone.address);
  await client.send("anybody?");
  await arrivals();
  const errors: string[] = [];
  client.handle({ datagram: () => undefined, error: (_socket, { code }) => void errors.push(code) });
  await until(() => errors.length > 0, "the refusal to be reported");
  assert.deepEqual(errors, ["refused"]);
});

test("UdpSocket.handle() calls close() last", async () => {
  const socket = await bind(HOST);
  const calls: string[] = [];
  socket.handle({
    datagram: () => void calls.push("datagram"),
    close: (from) => void calls.push(`close ${from.state}`),
  });
  await socket.close();
  await idle();
  assert.deepEqual(calls, ["close closed"]);
  assert.throws(() => socket.handle({ datagram: () => undefined }), { code: "closed" });
});

test("UdpSocket.handle() called in a handler delivers the rest to the new handlers, and nothing after close()", async () => {
  for (const isClosing of [false, true]) {
    await using socket = await storing("1", "2", "3");
    const calls: string[] = [];
    const note =
      (name: string) =>
      (_: UdpSocket, { data }: Datagram) =>
        void calls.push(`${name} ${data}`);
    socket.handle({
      datagram: (from, datagram) => {
        note("first")(from, datagram);
        if (isClosing) void from.close();
        else from.handle({ datagram: note("second") });
      },
    });
    assert.deepEqual(calls, isClosing ? ["first 1"] : ["first 1", "second 2", "second 3"]);
    await socket.close();
    if (!isClosing) await assert.rejects(socket.receive(), { code: "closed" });
  }
});

test("UdpSocket.handle() contains a handler that throws a value without a text", async () => {
  await using socket = await bind(HOST);
  const { promise, resolve } = Promise.withResolvers<SocketError>();
  socket.handle({
    datagram: () => {
      throw Object.create(null);
    },
    error: (_, error) => resolve(error),
  });
  await socket.send("x", socket.address);
  assert.match((await promise).message, /failed: \[object Object\]$/);
});
