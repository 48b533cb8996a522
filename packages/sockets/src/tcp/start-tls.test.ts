import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net, { type AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { connectionPair } from "../../../../test/connection-pair.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { SocketError } from "../errors.ts";
import { memoryPair } from "../testing/mod.ts";
import { connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { serve } from "./serve.ts";

failOnLeaks();

const path = (name: string): string => fileURLToPath(new URL(`../../../../test/fixtures/${name}`, import.meta.url));
const cert = readFileSync(path("localhost-cert.pem"));
const key = readFileSync(path("localhost-key.pem"));
const asServer = { isServer: true, cert, key } as const;
const asClient = { ca: cert, servername: "localhost" };

describe("Connection.startTls()", () => {
  test("upgrades both sides with pulling reads", async () => {
    await using pair = await connectionPair();
    const { client, server } = pair;
    await client.write("STARTTLS\n");
    assert.equal(String(await server.readUntil("\n")), "STARTTLS\n");
    await server.write("ok\n");
    const started = server.startTls({ ...asServer, alpn: ["smtp"] });
    assert.equal(String(await client.readUntil("\n")), "ok\n");
    await Promise.all([started, client.startTls({ ...asClient, alpn: ["smtp"] })]);
    for (const side of [client, server]) assert.deepEqual([side.state, side.alpn], ["established", "smtp"]);
    assert.match(client.peerCertificate?.subject ?? "", /CN=localhost/);
    const bytes = Buffer.alloc(300_000, "0123456789");
    const written = client.write(bytes).then(() => client.closeWrite());
    assert.ok(bytes.equals(await server.readExactly(bytes.length)));
    assert.equal(await server.read(), null);
    await server.write("bye");
    assert.equal(String(await client.readExactly(3)), "bye");
    await written;
    await Promise.all([client.close(), server.close()]);
  });

  test("sends the host of connect() as SNI", async () => {
    await using server = await serve({ port: 0 }, async (connection) => {
      await connection.startTls(asServer);
      await connection.write("in");
    });
    await using connection = await connect({ ...server.address, family: 4 } as Parameters<typeof connect>[0]);
    await connection.startTls({ ca: cert });
    assert.equal(String(await connection.readExactly(2)), "in");
    await using stranger = await connect({ ...server.address, family: 4 } as Parameters<typeof connect>[0]);
    await assert.rejects(stranger.startTls({ ca: cert, servername: "other.test" }), { code: "tls" });
  });

  test("keeps the event handlers", async () => {
    await using pair = await connectionPair();
    const seen: string[] = [];
    const started = Promise.withResolvers<void>();
    pair.server.handle({
      data(connection, chunk) {
        seen.push(String(chunk));
        if (String(chunk) !== "STARTTLS\n") return void connection.send("heard");
        connection.send("ok\n");
        connection.startTls(asServer).then(started.resolve, started.reject);
      },
    });
    await pair.client.write("STARTTLS\n");
    await pair.client.readUntil("\n");
    await pair.client.startTls(asClient);
    await started.promise;
    await pair.client.write("secret");
    assert.equal(String(await pair.client.readExactly(5)), "heard");
    assert.deepEqual(seen, ["STARTTLS\n", "secret"]);
  });

  test("queues writes during the handshake in order, and drain follows", async () => {
    await using pair = await connectionPair();
    const drained = Promise.withResolvers<void>();
    pair.client.handle({ drain: () => drained.resolve() });
    const started = pair.client.startTls(asClient);
    assert.equal(pair.client.canWrite, false);
    const wrote = pair.client.write("one ");
    assert.equal(pair.client.send("two "), false);
    const flushed = pair.client.write(["thr", "ee\n"]).then(() => pair.client.flush());
    await Promise.all([started, pair.server.startTls(asServer), wrote, flushed, drained.promise]);
    assert.equal(String(await pair.server.readUntil("\n")), "one two three\n");
  });

  test("keeps the order of data sent during the handshake, also above the mark", async () => {
    await using pair = await connectionPair();
    const started = pair.client.startTls(asClient);
    for (let i = 0; i < 300; i += 1) pair.client.send(Buffer.alloc(1_024, i));
    await Promise.all([started, pair.server.startTls(asServer)]);
    pair.client.send("behind");
    const closed = pair.client.close();
    for (let i = 0; i < 300; i += 1) assert.ok(Buffer.alloc(1_024, i).equals(await pair.server.readExactly(1_024)));
    assert.equal(String(await pair.server.readExactly(6)), "behind");
    assert.equal(await pair.server.read(), null);
    await Promise.all([pair.server.close(), closed]);
  });

  test("rejects with closed when close() is called while plain bytes are being sent", async () => {
    for (const pair of [memoryPair({ bufferBytes: 1_000 }), await connectionPair()]) {
      await using ends = pair;
      ends.client.send(Buffer.alloc(8 * 1024 * 1024));
      const started = assert.rejects(ends.client.startTls(asClient), { code: "closed" });
      await ends.server.readExactly(100);
      await Promise.all([started, ends.client.close()]);
    }
  });

  test("works over a stream that is not a kernel socket", async () => {
    await using pair = memoryPair();
    await Promise.all([pair.client.startTls(asClient), pair.server.startTls(asServer)]);
    await pair.client.write("hello");
    assert.equal(String(await pair.server.readExactly(5)), "hello");
  });

  test("breaks only the connection when Node refuses an option", async () => {
    const alpn = ["x".repeat(256)];
    for (const options of [
      { ...asClient, alpn },
      { ...asServer, alpn },
    ]) {
      await using pair = await connectionPair();
      await assert.rejects(pair.client.startTls(options), RangeError);
      await Promise.race([pair.client.closed, pair.client.close()]);
    }
  });

  test("limits the handshake to idleTimeoutMs without timeoutMs", async () => {
    const ended = Promise.withResolvers<void>();
    await using server = await serve({ host: "127.0.0.1", idleTimeoutMs: 50 }, (connection) =>
      connection.startTls(asServer).then(ended.resolve, ended.reject),
    );
    await using silent = await connect(server.address);
    await assert.rejects(ended.promise, { code: "timeout" });
    assert.equal(await silent.read(), null);
  });

  test("makes reads and closeWrite() wait for the handshake", async () => {
    await using pair = await connectionPair();
    const started = pair.client.startTls(asClient);
    const read = pair.client.readExactly(5);
    pair.client.closeWrite();
    await pair.server.startTls(asServer);
    await pair.server.write("hello");
    await started;
    assert.equal(String(await read), "hello");
    assert.equal(await pair.server.read(), null);
  });

  test("sends data written before closeWrite() after the handshake, and refuses later data", async () => {
    await using pair = await connectionPair();
    const started = pair.client.startTls(asClient);
    const written = pair.client.write("before");
    assert.equal(pair.client.send(" and sent"), false);
    pair.client.closeWrite();
    await assert.rejects(pair.client.write("after"), { code: "closed" });
    assert.equal(pair.client.send("after"), false);
    assert.equal(pair.client.bufferedBytes, 9);
    await pair.server.startTls(asServer);
    await Promise.all([started, written]);
    assert.equal(String(await pair.server.readExactly(15)), "before and sent");
    assert.equal(await pair.server.read(), null);
  });

  test("rejects with unread bytes, during a read, during a handshake, and after the end", async () => {
    await using pair = await connectionPair();
    const { client, server } = pair;
    const read = server.readUntil("\n");
    await assert.rejects(server.startTls(asServer), { code: "busy" });
    await client.write("STARTTLS\ninjected\n");
    await read;
    await assert.rejects(server.startTls(asServer), {
      code: "malformed",
      message: /^Cannot start TLS with 127\.0\.0\.1:\d+: 9 bytes are unread$/,
    });
    assert.equal(server.state, "established");
    assert.equal(String(await server.readUntil("\n")), "injected\n");
    const started = server.startTls(asServer);
    await assert.rejects(server.startTls(asServer), { code: "busy" });
    assert.throws(() => server.detach(), { code: "closed" });
    await Promise.all([started, client.startTls(asClient)]);
    client.closeWrite();
    assert.equal(await server.read(), null);
    await assert.rejects(server.startTls(asServer), { code: "closed" });
    await Promise.all([client.close(), server.close()]);
    await assert.rejects(server.startTls(asServer), { code: "closed" });
  });

  test("breaks the connection when the handshake fails, times out or is aborted", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    const { signal } = controller;
    for (const [options, expected] of [
      [{ timeoutMs: 30 }, { code: "timeout" }],
      [{ signal }, reason],
    ] as const) {
      await using pair = await connectionPair();
      const started = assert.rejects(pair.client.startTls({ ...asClient, ...options }), expected);
      if ("signal" in options) setImmediate(() => controller.abort(reason));
      await started;
      assert.equal(pair.client.state, "closed");
      await assert.rejects(pair.client.write("never in plain text"));
    }
    await using pair = await connectionPair();
    const failing = assert.rejects(pair.server.startTls(asServer), { code: "tls" });
    await pair.client.write("I know no TLS, and this is not a hello\r\n");
    await failing;
    assert.equal(pair.server.state, "closed");
  });

  test("leaves the connection unchanged when the handshake does not start", async () => {
    await using pair = await connectionPair();
    const reason = new Error("enough");
    await assert.rejects(pair.client.startTls({ ...asClient, signal: AbortSignal.abort(reason) }), reason);
    await assert.rejects(pair.client.startTls({ ...asClient, timeoutMs: -1 }), RangeError);
    await assert.rejects(pair.client.startTls({ cert: "no", key: "no" }), { code: "tls" });
    await assert.rejects(pair.client.startTls({ isServer: true, cert: "no", key: "no" }), { code: "tls" });
    await pair.client.write("hello");
    assert.equal(String(await pair.server.readExactly(5)), "hello");
  });

  test("rejects when either side calls close() or reset() during the handshake", async () => {
    const ways: readonly ((connection: Connection) => void)[] = [
      (connection) => void connection.close(),
      (connection) => connection.reset(),
    ];
    for (const end of ways) {
      for (const options of [asClient, asServer]) {
        for (const wait of [() => undefined, () => Promise.resolve(), () => new Promise(setImmediate)]) {
          await using pair = await connectionPair();
          const started = assert.rejects(pair.client.startTls(options), SocketError);
          const write = assert.rejects(pair.client.write("never"), SocketError);
          await wait();
          end(pair.client);
          await Promise.all([started, write, pair.client.closed]);
        }
      }
    }
  });

  test("rejects when the peer finishes or resets during the handshake", async () => {
    for (const options of [asClient, asServer]) {
      await using finished = await connectionPair();
      finished.server.closeWrite();
      await assert.rejects(finished.client.startTls(options), (error: Error) => "code" in error);
      assert.equal(finished.client.state, "closed");
      await using broken = await connectionPair();
      broken.server.reset();
      await assert.rejects(broken.client.startTls(options), { code: "reset" });
    }
  });

  test("is part of a server's shutdown and closes with its function", async () => {
    const server = await serve({ host: "127.0.0.1" }, async (connection, signal) => {
      await connection.startTls(asServer);
      await connection.write("in");
      await once(signal, "abort");
      await connection.write("bye");
    });
    const client = await connect(server.address);
    await client.startTls(asClient);
    await client.readExactly(2);
    assert.equal(server.connections, 1);
    const stopped = server.shutdown();
    assert.equal(String(await client.readExactly(3)), "bye");
    assert.equal(await client.read(), null);
    await client.close();
    assert.deepEqual(await stopped, { graceful: 1, forced: 0 });
  });

  test("keeps the idle timeout", async () => {
    await using server = await serve({ host: "127.0.0.1", idleTimeoutMs: 100 }, (connection) =>
      connection.startTls(asServer).then(() => connection.closed),
    );
    await using client = await connect(server.address);
    await client.startTls(asClient);
    assert.equal(await client.read(), null);
  });

  const hasNoOpenssl = spawnSync("openssl", ["version"]).status !== 0 && "openssl is not installed";
  test("works with openssl s_client -starttls smtp", { skip: hasNoOpenssl }, async () => {
    await using server = await serve({ host: "127.0.0.1" }, async (connection) => {
      await connection.write("220 here\r\n");
      await connection.readUntil("\r\n");
      await connection.write("250-here\r\n250 STARTTLS\r\n");
      assert.equal(String(await connection.readUntil("\r\n")), "STARTTLS\r\n");
      await connection.write("220 go on\r\n");
      await connection.startTls(asServer);
      await connection.write("under TLS\r\n");
      await connection.closed;
    });
    const { port } = server.address as { port: number };
    const args = [
      "s_client",
      "-starttls",
      "smtp",
      "-connect",
      `127.0.0.1:${port}`,
      "-CAfile",
      path("localhost-cert.pem"),
    ];
    const openssl = spawn("openssl", [...args, "-quiet", "-no_ign_eof", "-verify_return_error"], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    let said = "";
    for await (const chunk of openssl.stdout) {
      said += chunk;
      if (said.includes("under TLS")) openssl.stdin.end();
    }
    assert.match(said, /under TLS\r\n$/);
  });

  test("accepts a ClientHello that arrived before the call", async () => {
    // The peer's first TLS bytes arrive with the last plain ones and wait in Node's own buffer.
    const plain = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, "127.0.0.1");
    await once(plain, "listening");
    const connecting = connect({ host: "127.0.0.1", port: (plain.address() as AddressInfo).port });
    const [socket] = (await once(plain, "connection")) as [net.Socket];
    const client = await connecting;
    const { Connection } = await import("./connection.ts");
    const server = new Connection(socket);
    server.opened("established");
    await Promise.all([client.startTls(asClient), server.startTls(asServer)]);
    await client.write("hello");
    assert.equal(String(await server.readExactly(5)), "hello");
    await Promise.all([client.close(), server.close()]);
    plain.close();
    await once(plain, "close");
  });
});
