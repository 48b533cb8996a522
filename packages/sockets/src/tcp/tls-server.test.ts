import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { describe, test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { until } from "../../../../test/until.ts";
import type { Address } from "../address.ts";
import type { SocketError } from "../errors.ts";
import type { StateChange } from "../state.ts";
import { connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { listen } from "./listen.ts";
import { serve } from "./serve.ts";
import type { TlsClientOptions } from "./tls-client.ts";
import type { TlsSecrets, TlsServerOptions } from "./tls-server.ts";

failOnLeaks();

const fixture = (name: string): Buffer => readFileSync(new URL(`../../../../test/fixtures/${name}`, import.meta.url));
const cert = fixture("localhost-cert.pem");
const key = fixture("localhost-key.pem");
const other = { cert: fixture("other-cert.pem"), key: fixture("other-key.pem") };
const tls = { cert, key };
const echo = async (connection: Connection): Promise<void> => {
  for await (const chunk of connection) await connection.write(chunk);
};

/** The certificate subject that the server sends for this name. */
async function subjectAt(address: Address, options: TlsClientOptions): Promise<string | undefined> {
  await using connection = await connect({ ...address, tls: { rejectUnauthorized: false, ...options } });
  return connection.peerCertificate?.subject;
}

describe("serve({ tls })", () => {
  test("carries bytes both ways and both ends with a function and with handlers", async () => {
    const bytes = Buffer.alloc(1_000_000, "0123456789");
    for (const handler of [echo, { data: (c: Connection, chunk: Uint8Array) => void c.send(chunk) }]) {
      await using server = await serve({ host: "127.0.0.1", tls }, handler);
      await using connection = await connect({ ...server.address, tls: { ca: cert } });
      const written = connection.write(bytes).then(() => connection.closeWrite());
      assert.ok(bytes.equals(await connection.readExactly(bytes.length)));
      assert.equal(await connection.read(), null);
      await written;
    }
  });

  test("works over a Unix socket and with Node's own client", async () => {
    await using server = await serve({ path: `/tmp/landline-tls-${process.pid}.sock`, tls }, echo);
    const { path } = server.address as { path: string };
    const socket = connectTls({ path, ca: cert, servername: "localhost" });
    await once(socket, "secureConnect");
    socket.write("hello");
    const [chunk] = await once(socket, "data");
    assert.equal(String(chunk), "hello");
    socket.end();
    await once(socket, "close");
  });

  test("negotiates ALPN and refuses a client without a common protocol", async () => {
    const alpns: (string | undefined)[] = [];
    const options = { host: "127.0.0.1", tls: { ...tls, alpn: ["chat/2", "chat/1"] } };
    await using server = await serve(options, (connection) => void alpns.push(connection.alpn));
    await using connection = await connect({ ...server.address, tls: { ca: cert, alpn: ["chat/1", "chat/2"] } });
    assert.equal(await connection.read(), null);
    assert.equal(connection.alpn, "chat/2");
    await assert.rejects(connect({ ...server.address, tls: { ca: cert, alpn: ["irc"] } }), { code: "tls" });
    assert.deepEqual(alpns, ["chat/2"]);
  });

  test("sends the certificate of the requested name", async () => {
    const names = { "other.test": other, "*.other.test": other };
    await using server = await serve({ host: "127.0.0.1", tls: { ...tls, names } }, echo);
    assert.match((await subjectAt(server.address, { servername: "other.test" })) ?? "", /CN=other\.test/);
    assert.match((await subjectAt(server.address, { servername: "A.OTHER.test" })) ?? "", /CN=other\.test/);
    assert.match((await subjectAt(server.address, { servername: "a.b.other.test" })) ?? "", /CN=localhost/);
    assert.match((await subjectAt(server.address, {})) ?? "", /CN=localhost/);
  });

  test("requestCert refuses clients without a valid certificate", async () => {
    const subjects: (string | undefined)[] = [];
    const options = { host: "127.0.0.1", tls: { ...tls, ca: cert, requestCert: true } };
    await using server = await serve(options, async (connection) => {
      subjects.push(connection.peerCertificate?.subject);
      await connection.write("in");
    });
    await using good = await connect({ ...server.address, tls: { ca: cert, ...tls } });
    assert.equal(String(await good.readExactly(2)), "in");
    for (const bad of [{}, other]) {
      // In TLS 1.3 the client completes before the server has checked its certificate.
      const connection = await connect({ ...server.address, tls: { ca: cert, ...bad } });
      await assert.rejects(connection.readExactly(2), (error: SocketError) =>
        ["tls", "reset", "end-of-stream"].includes(error.code),
      );
      await connection.close();
    }
    assert.deepEqual(subjects, ["CN=localhost"]);
    assert.equal(server.handshakeErrors, 2);
  });

  test("trusts the same clients for every name, and after a reload without ca", async () => {
    const options = { host: "127.0.0.1", tls: { ...tls, ca: cert, requestCert: true, names: { "other.test": other } } };
    await using server = await serve(options, (connection) => connection.write("in"));
    const asks = async (servername: string, secrets: TlsClientOptions): Promise<string> => {
      const verified = { rejectUnauthorized: false, servername, ...secrets };
      await using connection = await connect({ ...server.address, tls: verified });
      return String((await connection.read().catch(() => null)) ?? "refused");
    };
    assert.equal(await asks("other.test", tls), "in");
    assert.equal(await asks("other.test", other), "refused");
    server.setSecureContext({ ...tls, names: { "other.test": other } });
    for (const name of ["localhost", "other.test"]) {
      assert.equal(await asks(name, tls), "in");
      assert.equal(await asks(name, other), "refused");
    }
    server.setSecureContext({ ...tls, ca: other.cert });
    assert.equal(await asks("localhost", tls), "refused");
    assert.equal(await asks("localhost", other), "in");
  });

  test("rejectUnauthorized false accepts clients without a certificate", async () => {
    const options = { host: "127.0.0.1", tls: { ...tls, requestCert: true, rejectUnauthorized: false } };
    await using server = await serve(options, (connection) => connection.write(`${connection.peerCertificate}`));
    await using connection = await connect({ ...server.address, tls: { ca: cert } });
    assert.equal(String(await connection.readExactly(9)), "undefined");
  });

  test("counts failed handshakes, publishes the reason, and continues", async () => {
    const reasons: (string | undefined)[] = [];
    const watch = (message: unknown): void => {
      const { from, to, reason } = message as StateChange;
      if (from === "connecting" && to === "closed") reasons.push(reason);
    };
    const served: Connection[] = [];
    await using server = await serve({ host: "127.0.0.1", tls }, (connection) => void served.push(connection));
    subscribe("landline:connection", watch);
    const talker = await connect(server.address);
    await talker.write("GET / HTTP/1.1\r\n\r\n");
    while ((await talker.read().catch(() => null)) !== null);
    await talker.close();
    const leaver = await connect(server.address);
    leaver.reset();
    await leaver.closed;
    await until(() => server.connections === 0, "the server has no connection left");
    unsubscribe("landline:connection", watch);
    assert.equal(server.handshakeErrors, 2);
    assert.equal(reasons.length, 2);
    assert.match(reasons[0] ?? "", /^Cannot accept TLS from 127\.0\.0\.1:\d+: /);
    assert.deepEqual(served, []);
    assert.match((await subjectAt(server.address, {})) ?? "", /CN=localhost/);
  });

  test("ends a handshake after handshakeTimeoutMs even while bytes trickle in", async () => {
    await using server = await serve({ host: "127.0.0.1", tls: { ...tls, handshakeTimeoutMs: 100 } }, echo);
    const socket = net.connect(server.address as net.TcpNetConnectOpts);
    socket.on("error", () => undefined);
    const dripping = setInterval(() => socket.write(Buffer.of(0x16)), 20);
    // `once` would reject on an error event: a byte may be written after the reset.
    await new Promise((resolve) => socket.once("close", resolve));
    clearInterval(dripping);
    assert.equal(server.handshakeErrors, 1);
  });

  test("counts handshakes in connectionsMax and resets them on close", async () => {
    const server = await serve({ host: "127.0.0.1", connectionsMax: 1, tls }, echo);
    const silent = await connect(server.address);
    await until(() => server.connections > 0, "the server has a connection");
    await assert.rejects(connect({ ...server.address, tls: { ca: cert } }), { code: "reset" });
    assert.equal(server.dropped, 1);
    assert.deepEqual(await server.shutdown(), { graceful: 0, forced: 0 });
    await assert.rejects(silent.read(), { code: "reset" });
  });

  test("closes idle TLS connections", async () => {
    await using server = await serve({ host: "127.0.0.1", idleTimeoutMs: 50, tls }, echo);
    await using connection = await connect({ ...server.address, tls: { ca: cert } });
    assert.equal(await connection.read(), null);
  });

  test("survives peers that leave after any byte of the handshake", async () => {
    await using server = await serve({ host: "127.0.0.1", tls }, echo);
    // Recorded first bytes of a client.
    const recorder = net.createServer().listen(0, "127.0.0.1");
    await once(recorder, "listening");
    const client = connectTls({ port: (recorder.address() as net.AddressInfo).port, host: "127.0.0.1" });
    client.on("error", () => undefined);
    const [recording] = (await once(recorder, "connection")) as [net.Socket];
    const [hello] = (await once(recording, "data")) as [Buffer];
    recording.destroy();
    client.destroy();
    recorder.close();
    for (let length = 0; length <= hello.length; length += 37) {
      const connection = await connect(server.address);
      await connection.write(hello.subarray(0, length));
      await connection.flush();
      if (length % 2 === 0) connection.reset();
      else connection.closeWrite();
      await connection.close();
    }
    await until(() => server.connections === 0, "the server has no connection left");
    assert.equal(server.handshakeErrors, Math.floor(hello.length / 37) + 1);
  });
});

describe("setSecureContext()", () => {
  test("changes the certificate for later handshakes only", async () => {
    await using server = await serve({ host: "127.0.0.1", tls: { ...tls, names: { "a.test": tls } } }, echo);
    await using connection = await connect({ ...server.address, tls: { ca: cert } });
    server.setSecureContext(other);
    assert.match((await subjectAt(server.address, {})) ?? "", /CN=other\.test/);
    assert.match((await subjectAt(server.address, { servername: "a.test" })) ?? "", /CN=localhost/);
    await connection.write("still here");
    assert.equal(String(await connection.readExactly(10)), "still here");
  });

  /** The subject of the server's certificate, or "refused". */
  async function answerTo(address: Address, options: TlsClientOptions): Promise<string> {
    try {
      await using connection = await connect({ ...address, tls: { rejectUnauthorized: false, ...options } });
      const subject = String(connection.peerCertificate?.subject);
      // In TLS 1.3 the client completes before the server has checked its certificate.
      await connection.write("x");
      return (await connection.read()) === null ? "refused" : subject;
    } catch {
      return "refused";
    }
  }

  const crl = fixture("other-crl.pem");
  const kept: Record<
    string,
    { before: TlsServerOptions; client: TlsClientOptions; answer: string; undo: TlsSecrets; undone: string }
  > = {
    ca: {
      before: { ...tls, requestCert: true, ca: cert },
      client: other,
      answer: "refused",
      undo: { ca: other.cert },
      undone: "CN=other.test",
    },
    crl: {
      before: { ...tls, requestCert: true, ca: [cert], crl },
      client: tls,
      answer: "refused",
      undo: { crl: [] },
      undone: "CN=other.test",
    },
    names: {
      before: { ...tls, names: { "a.test": tls } },
      client: { servername: "a.test" },
      answer: "CN=localhost",
      undo: { names: {} },
      undone: "CN=other.test",
    },
    maxVersion: {
      before: { ...tls, maxVersion: "TLSv1.2" },
      client: { minVersion: "TLSv1.3" },
      answer: "refused",
      undo: { maxVersion: "TLSv1.3" },
      undone: "CN=other.test",
    },
    minVersion: {
      before: { ...tls, minVersion: "TLSv1.3" },
      client: { maxVersion: "TLSv1.2" },
      answer: "refused",
      undo: { minVersion: "TLSv1.2" },
      undone: "CN=other.test",
    },
    ciphers: {
      before: { ...tls, maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384" },
      client: { ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" },
      answer: "refused",
      undo: { ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" },
      undone: "CN=other.test",
    },
  };
  for (const [name, { before, client, answer, undo, undone }] of Object.entries(kept)) {
    test(`keeps ${name} when it is not given and replaces it when it is`, async () => {
      await using server = await serve({ host: "127.0.0.1", tls: before, onError: () => undefined }, echo);
      assert.equal(await answerTo(server.address, client), answer);
      server.setSecureContext({ ...other, [name]: undefined });
      assert.equal(await answerTo(server.address, client), answer, "after a reload of the certificate");
      server.setSecureContext(undo);
      assert.equal(await answerTo(server.address, client), undone, `after another ${name}`);
    });
  }

  test("replaces a certificate and its key together", async () => {
    await using server = await serve({ host: "127.0.0.1", tls: { ...tls, passphrase: "old" } }, echo);
    for (const half of [{ cert: other.cert }, { key: other.key }, { passphrase: "new" }, { cert }]) {
      assert.throws(() => server.setSecureContext(half), { code: "tls" });
    }
    assert.equal(await answerTo(server.address, {}), "CN=localhost");
  });

  test("rejects an invalid certificate and keeps the old one", async () => {
    await using server = await serve({ host: "127.0.0.1", tls }, echo);
    for (const bad of [
      { cert: "no", key: "no" },
      { cert, key: other.key },
      { ...tls, names: { a: { cert: "no" } } },
    ]) {
      assert.throws(() => server.setSecureContext(bad), { code: "tls" });
    }
    assert.match((await subjectAt(server.address, {})) ?? "", /CN=localhost/);
  });

  test("throws without TLS, and invalid secrets fail before anything listens", async () => {
    await using server = await serve({ host: "127.0.0.1" }, echo);
    assert.throws(() => server.setSecureContext(other), { code: "tls", message: /does not use TLS/ });
    await assert.rejects(serve({ host: "127.0.0.1", tls: { cert: "no", key } }, echo), {
      code: "tls",
      message: /^Cannot use the TLS certificate and key: /,
    });
    await assert.rejects(serve({ tls: { ...tls, handshakeTimeoutMs: -1 } }, echo), RangeError);
  });
});

describe("listen({ tls })", () => {
  test("hands out connections after their handshake", async () => {
    await using listener = await listen({ host: "127.0.0.1", tls });
    const silent = await connect(listener.address);
    const client = await connect({ ...listener.address, tls: { ca: cert } });
    const accepted = await listener.accept({ timeoutMs: 10_000 });
    assert.deepEqual(accepted.remote, client.local);
    assert.equal(accepted.state, "established");
    await client.write("hello");
    assert.equal(String(await accepted.readExactly(5)), "hello");
    listener.setSecureContext(other);
    assert.equal(listener.handshakeErrors, 0);
    silent.reset();
    await Promise.all([client.close(), accepted.close()]);
  });

  test("reset() reaches the client as a reset", async () => {
    await using listener = await listen({ host: "127.0.0.1", tls });
    const client = await connect({ ...listener.address, tls: { ca: cert } });
    const accepted = await listener.accept();
    accepted.reset();
    await assert.rejects(client.readExactly(1), { code: "reset" });
    await accepted.closed;
  });

  test("reset() ends a connection whose FIN is being sent, as do other breaks", async () => {
    await using listener = await listen({ host: "127.0.0.1", tls });
    for (const finish of [(c: Connection) => c.closeWrite(), (c: Connection) => void c.close()]) {
      const client = await connect({ ...listener.address, tls: { ca: cert } });
      const accepted = await listener.accept();
      finish(accepted);
      accepted.reset();
      await accepted.closed;
      client.reset();
    }
  });

  test("a close with unsent bytes reaches the client as a reset", async () => {
    await using listener = await listen({ host: "127.0.0.1", lingerMs: 20, tls });
    const client = await connect({ ...listener.address, tls: { ca: cert } });
    const accepted = await listener.accept();
    accepted.send(Buffer.alloc(32 * 1024 * 1024));
    await accepted.close();
    await assert.rejects(
      async () => {
        while ((await client.read()) !== null);
      },
      { code: "reset" },
    );
    await client.close();
  });

  test("speaks TLS 1.2 with maxVersion TLSv1.2", async () => {
    await using listener = await listen({ host: "127.0.0.1", tls: { ...tls, maxVersion: "TLSv1.2" } });
    const client = await connect({ ...listener.address, tls: { ca: cert } });
    const accepted = await listener.accept();
    const { socket } = client.detach();
    assert.equal((socket as TLSSocket).getProtocol(), "TLSv1.2");
    socket.destroy();
    await accepted.close();
  });
});

describe("a TLS connection that breaks", () => {
  test("gives the client a tls error for its refused certificate, not a normal end", async () => {
    const options = { host: "127.0.0.1", tls: { ...tls, ca: cert, requestCert: true }, onError: () => undefined };
    await using server = await serve(options, echo);
    const refused = { code: "tls", message: /^Connection with 127\.0\.0\.1:\d+ broke: .*certificate/ };
    const pulled = await connect({ ...server.address, tls: { ca: cert } });
    await assert.rejects(pulled.read(), refused);
    await assert.rejects(pulled.write("x"), refused);
    await pulled.closed;
    const pushed = await connect({ ...server.address, tls: { ca: cert } });
    const events: string[] = [];
    const { promise, resolve } = Promise.withResolvers<SocketError | undefined>();
    pushed.handle({ end: () => void events.push("end"), close: (_, error) => resolve(error) });
    assert.equal((await promise)?.code, "tls");
    assert.deepEqual(events, []);
  });

  test("reports failed handshakes to onError at most once per second", async () => {
    const errors: Error[] = [];
    const onError = (error: Error): void => void errors.push(error);
    await using server = await serve({ host: "127.0.0.1", tls, onError }, echo);
    for (let i = 0; i < 3; i += 1) {
      const connection = await connect(server.address);
      await connection.write("no TLS at all\r\n\r\n");
      while ((await connection.read().catch(() => null)) !== null);
      await connection.close();
    }
    await until(() => server.handshakeErrors >= 3, "three handshakes failed");
    assert.equal(errors.length, 1);
    assert.match(errors[0]?.message ?? "", /^Cannot accept TLS from 127\.0\.0\.1:\d+: wrong version number \(does/);
  });

  test("serve() and startTls() throw without a certificate or a name", async () => {
    for (const nothing of [{}, { cert }, { key }]) {
      await assert.rejects(serve({ tls: nothing }, echo), {
        code: "tls",
        message: /cert and key, pfx or names must be/,
      });
    }
    await using server = await serve({ host: "127.0.0.1", tls }, echo);
    assert.throws(() => server.setSecureContext({}), { code: "tls" });
    const client = await connect({ ...server.address, tls: { ca: cert } });
    await assert.rejects(client.startTls({ ca: cert }), { code: "tls", message: /the connection already uses TLS$/ });
    await assert.rejects(connect({ ...server.address, tls: { servername: 5 } as never }), TypeError);
    await client.close();
    await using plain = await listen({ host: "127.0.0.1" });
    const peer = await connect(plain.address);
    const accepted = await plain.accept();
    await assert.rejects(accepted.startTls({ ca: cert }), { name: "TypeError", message: /^servername must be given/ });
    await Promise.all([peer.close(), accepted.close()]);
  });
});
