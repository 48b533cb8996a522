/** Every wait settles when its socket closes, breaks or is detached, by either side. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { connectionPair } from "../../../test/connection-pair.ts";
import { failOnLeaks } from "../../../test/leaks.ts";
import { turn, until } from "../../../test/until.ts";
import { framed } from "./codec/framed.ts";
import { lines } from "./codec/lines.ts";
import { SocketError } from "./errors.ts";
import type { Connection } from "./tcp/connection.ts";
import { listen } from "./tcp/listen.ts";
import { memoryPair } from "./testing/mod.ts";
import { bind } from "./udp/bind.ts";
import { webStreams } from "./web-streams.ts";

failOnLeaks();

const fixture = (name: string): Buffer => readFileSync(new URL(`../../../test/fixtures/${name}`, import.meta.url));
const cert = fixture("localhost-cert.pem");
const FLOOD = Buffer.alloc(32 * 1024 * 1024);

/** Starts waits on one connection; each returns its result. */
const WAITS: Record<string, (connection: Connection) => Promise<unknown>> = {
  "read()": (connection) => connection.read(),
  "read({ timeoutMs })": (connection) => connection.read({ timeoutMs: 100_000 }),
  "readExactly()": (connection) => connection.readExactly(1),
  "readUntil()": (connection) => connection.readUntil("\n"),
  "for await": async (connection) => {
    for await (const _ of connection);
  },
  "a Web stream's read()": (connection) => webStreams(connection).readable.getReader().read(),
  "Framed.next()": (connection) => framed(connection, lines()).next(),
  "Framed.next({ timeoutMs })": (connection) => framed(connection, lines()).next({ timeoutMs: 100_000 }),
  "Framed.read()": (connection) => framed(connection, lines()).read(),
  "for await of a Framed": async (connection) => {
    for await (const _ of framed(connection, lines()));
  },
  "Framed.batches()": async (connection) => {
    for await (const _ of framed(connection, lines()).batches());
  },
  "Framed.next() after changeCodec()": (connection) => framed(connection, lines()).changeCodec(lines()).next(),
  "read() after release()": (connection) => framed(connection, lines()).release().read(),
  "Framed.next() with a part of a frame": async (connection) => {
    connection.unread(Buffer.from("no line"));
    return await framed(connection, lines()).next();
  },
};

const WRITE_WAITS: Record<string, (connection: Connection) => Promise<unknown>> = {
  "write()": (connection) => {
    connection.send(FLOOD);
    return connection.write("x");
  },
  "flush()": (connection) => {
    connection.send(FLOOD);
    return connection.flush();
  },
  "a Web stream's write()": (connection) => {
    connection.send(FLOOD);
    return webStreams(connection).writable.getWriter().write("x");
  },
};

/** Ways to end a connection, and the code that its waits reject with. */
const TAKERS: Record<string, { take: (connection: Connection, peer: Connection) => unknown; code: string }> = {
  "close()": { take: (connection) => void connection.close(), code: "closed" },
  "reset()": { take: (connection) => connection.reset(), code: "closed" },
  "close() and reset()": {
    take: (connection) => {
      void connection.close();
      connection.reset();
    },
    code: "closed",
  },
  "detach()": {
    take: (connection) => {
      const { socket } = connection.detach();
      socket.on("error", () => undefined).destroy();
    },
    code: "closed",
  },
  "the peer's reset()": { take: (_, peer) => peer.reset(), code: "reset" },
  "a startTls() that is aborted": {
    take: (connection) =>
      void connection.startTls({ ca: cert, servername: "x", signal: aborting() }).catch(() => undefined),
    code: "system",
  },
};

/** Aborts in a later turn. */
function aborting(): AbortSignal {
  const controller = new AbortController();
  setImmediate(() => controller.abort());
  return controller.signal;
}

/** Rejected while a read waits; the read continues. */
const REFUSED: Record<string, (connection: Connection) => unknown> = {
  "handle()": (connection) => connection.handle({}),
  "framed()": (connection) => framed(connection, lines()),
};

const SHORT = { client: { lingerMs: 10 } };
const PAIRS = { TCP: () => connectionPair(SHORT), memory: () => memoryPair(SHORT) };

describe("Connection", () => {
  for (const [where, makePair] of Object.entries(PAIRS)) {
    for (const [what, { take, code }] of Object.entries(TAKERS)) {
      test(`${what} settles every wait, over ${where}`, async () => {
        for (const [name, wait] of Object.entries({ ...WAITS, ...WRITE_WAITS })) {
          const pulls = !name.includes("rame") && name in WAITS;
          // Rejected while a read waits.
          if (what.startsWith("a startTls()") && (pulls || name.includes("release") || name.includes("part"))) continue;
          await using pair = await makePair();
          let settled: unknown = "nothing";
          wait(pair.client).then(
            (value) => {
              settled = value;
            },
            (error: unknown) => {
              settled = error instanceof SocketError ? error.code : error;
            },
          );
          await turn();
          assert.equal(settled, "nothing", `${name} waits`);
          take(pair.client, pair.server);
          await until(() => settled !== "nothing", `${name} settles after ${what}`);
          // A lingering connection still waits for its bytes to be sent, and here none is.
          const isLingering = name === "flush()" && what === "close()";
          assert.equal(settled, isLingering ? "timeout" : code, `${name} after ${what}`);
        }
      });
    }

    for (const [what, take] of Object.entries(REFUSED)) {
      test(`${what} is busy while a read waits, over ${where}`, async () => {
        for (const [name, wait] of Object.entries(WAITS)) {
          await using pair = await makePair();
          const waiting = wait(pair.client);
          await turn();
          assert.throws(() => take(pair.client), { code: "busy" }, name);
          pair.server.send("line\n");
          pair.server.closeWrite();
          await waiting;
        }
      });
    }

    test(`handle() and detach() continue after the frames that a Framed has read, over ${where}`, async () => {
      for (const how of ["handle", "detach"] as const) {
        await using pair = await makePair();
        const channel = framed(pair.client, lines(), { framesMax: 1 });
        await pair.server.write("one\ntwo");
        assert.equal(await channel.next(), "one");
        if (how === "detach") {
          const { socket, unread } = pair.client.detach();
          socket.destroy();
          assert.equal(String(unread), "two");
          await assert.rejects(channel.next(), { code: "closed" });
        } else {
          let seen = "";
          pair.client.handle({
            data: (_, chunk) => {
              seen += chunk;
            },
          });
          assert.equal(seen, "two");
          assert.equal(await channel.next(), null);
          await pair.server.write("three");
          await until(() => seen === "twothree", "the handler gets what comes");
        }
      }
    });

    test(`handle() and detach() are busy while frames wait to be read, over ${where}`, async () => {
      await using pair = await makePair();
      const channel = framed(pair.client, lines());
      await pair.server.write("one\ntwo\nthree");
      assert.equal(await channel.next(), "one");
      assert.throws(() => pair.client.handle({}), { code: "busy", message: /a frame was decoded that was not read/ });
      assert.throws(() => pair.client.detach(), { code: "busy" });
      assert.equal(await channel.next(), "two");
      pair.client.handle({});
    });
  }
});

test("Listener.close() settles every wait", async () => {
  await using listener = await listen({ host: "127.0.0.1" });
  const waits = [listener.accept(), listener.accept({ timeoutMs: 100_000 })].map((wait) =>
    assert.rejects(wait, { code: "closed" }),
  );
  const loop = (async () => {
    for await (const _ of listener);
  })();
  await listener.close();
  await Promise.all([...waits, loop]);
});

test("UdpSocket.close() settles every wait", async () => {
  await using socket = await bind({ host: "127.0.0.1" });
  const waits = [
    socket.receive(),
    socket.receive({ timeoutMs: 100_000 }),
    socket.request("x", { host: "127.0.0.1", port: socket.address.port }, { matches: () => false, timeoutMs: 100_000 }),
  ].map((wait) => assert.rejects(wait, { code: "closed" }));
  const loop = (async () => {
    for await (const _ of socket);
  })();
  await socket.close();
  await Promise.all([...waits, loop]);
});
