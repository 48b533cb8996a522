import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createServer, type TLSSocket, type TlsOptions } from "node:tls";
import { failOnLeaks } from "../../../../test/leaks.ts";
import type { SocketError } from "../errors.ts";
import { type ConnectOptions, connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { listen } from "./listen.ts";

failOnLeaks();

const fixture = (name: string): Buffer => readFileSync(new URL(`../../../../test/fixtures/${name}`, import.meta.url));
const cert = fixture("localhost-cert.pem");
const key = fixture("localhost-key.pem");

/** A Node TLS server and a function that connects to it. */
async function withServer(
  options: TlsOptions,
  serve: (socket: TLSSocket) => void,
  use: (address: { host: string; port: number }) => Promise<void>,
): Promise<void> {
  const sockets = new Set<TLSSocket>();
  const server = createServer({ cert, key, ...options }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    serve(socket);
  });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await use({ host: "127.0.0.1", port: (server.address() as AddressInfo).port });
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  }
}

const echo = (socket: TLSSocket): void => void socket.pipe(socket);
const trusting = (options: Partial<ConnectOptions> = {}): Partial<ConnectOptions> => ({
  tls: { ca: cert },
  ...options,
});

async function gone(connection: Connection): Promise<void> {
  connection.reset();
  await connection.closed;
}

test("connect({ tls }) carries bytes both ways and the end of both sides", async () => {
  await withServer({}, echo, async (address) => {
    const connection = await connect({ ...address, ...trusting() });
    assert.deepEqual(connection.remote, address);
    assert.equal(connection.state, "established");
    assert.match(connection.peerCertificate?.subject ?? "", /CN=localhost/);
    assert.equal(connection.alpn, undefined);
    const bytes = Buffer.alloc(1_000_000, "0123456789");
    const written = connection.write(bytes).then(() => connection.closeWrite());
    assert.ok(bytes.equals(await connection.readExactly(bytes.length)));
    assert.equal(await connection.read(), null);
    await written;
    await connection.close();
  });
});

test("connect({ tls }) negotiates ALPN and sends SNI", async () => {
  const names: (string | false | null)[] = [];
  const serve = (socket: TLSSocket): void => {
    names.push(socket.servername);
    echo(socket);
  };
  await withServer({ ALPNProtocols: ["chat/2", "chat/1"] }, serve, async (address) => {
    const tls = { ca: cert, alpn: ["chat/1", "chat/2"], servername: "localhost" };
    const connection = await connect({ ...address, tls });
    assert.equal(connection.alpn, "chat/2");
    // The server completes the handshake after the client.
    await connection.write("x");
    await connection.readExactly(1);
    await gone(connection);
  });
  assert.deepEqual(names, ["localhost"]);
});

test("connect({ tls }) refuses an untrusted certificate and one of another host", async () => {
  await withServer({}, echo, async (address) => {
    const untrusted = connect({ ...address, tls: true });
    await assert.rejects(untrusted, (error: SocketError) => {
      assert.equal(error.code, "tls");
      assert.match(error.message, /^Cannot connect to 127\.0\.0\.1:\d+: .*certificate/);
      return true;
    });
    const other = connect({ ...address, tls: { ca: cert, servername: "other.test" } });
    await assert.rejects(other, { code: "tls" });
    const connection = await connect({ ...address, tls: { rejectUnauthorized: false } });
    await gone(connection);
  });
});

test("connect({ tls }) applies timeoutMs and signal to the handshake", async () => {
  // A server that never answers: the handshake does not end.
  await using listener = await listen({ host: "127.0.0.1", lingerMs: 0 });
  await assert.rejects(connect({ ...listener.address, tls: true, timeoutMs: 50 }), { code: "timeout" });
  const controller = new AbortController();
  const connecting = connect({ ...listener.address, tls: true, signal: controller.signal });
  const accepted = [await listener.accept(), await listener.accept()];
  controller.abort(new Error("enough"));
  await assert.rejects(connecting, /enough/);
  for (const connection of accepted) await gone(connection);
});

test("connect({ tls }) rejects when the peer does not use TLS or breaks off the handshake", async () => {
  await using listener = await listen({ host: "127.0.0.1", lingerMs: 0 });
  const talking = connect({ ...listener.address, tls: true });
  const talker = await listener.accept();
  await talker.write("Welcome! This is no TLS.\r\n");
  await assert.rejects(talking, { code: "tls" });
  await gone(talker);
  const broken = assert.rejects(connect({ ...listener.address, tls: true }), { code: "reset" });
  await gone(await listener.accept());
  await broken;
});

test("Connection.reset() over TLS resets the TCP connection", async () => {
  const { promise, resolve } = Promise.withResolvers<Error>();
  const serve = (socket: TLSSocket): void => {
    socket.on("error", resolve);
    echo(socket);
  };
  await withServer({}, serve, async (address) => {
    const connection = await connect({ ...address, ...trusting() });
    await connection.write("x");
    await connection.readExactly(1);
    await gone(connection);
    assert.equal(((await promise) as NodeJS.ErrnoException).code, "ECONNRESET");
  });
});

test("connect({ tls }) rejects when checkServerIdentity throws or Node refuses an option", async () => {
  await withServer({}, echo, async (address) => {
    const checkServerIdentity = (): never => {
      throw new Error("my bug");
    };
    await assert.rejects(connect({ ...address, tls: { ca: cert, checkServerIdentity } }), (error: SocketError) => {
      assert.match(error.message, /Cannot connect to .*: my bug$/);
      assert.equal(error.code, "tls");
      return true;
    });
    const refuse = (): Error => new Error("not the pinned key");
    await assert.rejects(connect({ ...address, tls: { ca: cert, checkServerIdentity: refuse } }), { code: "tls" });
    await assert.rejects(connect({ ...address, tls: { ca: cert, alpn: ["x".repeat(256)] } }), RangeError);
  });
});
