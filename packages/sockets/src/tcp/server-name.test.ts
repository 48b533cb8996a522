import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { get } from "../http/get.ts";
import { connect } from "./connect.ts";
import { listen } from "./listen.ts";
import { serve } from "./serve.ts";

failOnLeaks();

const fixture = (name: string): Buffer => readFileSync(new URL(`../../../../test/fixtures/${name}`, import.meta.url));
const cert = fixture("localhost-cert.pem");
const key = fixture("localhost-key.pem");
const other = { cert: fixture("other-cert.pem"), key: fixture("other-key.pem") };

/** Reads the server name of a ClientHello: RFC 8446, section 4.1.2, and RFC 6066, section 3. */
function serverNameIn(hello: Buffer): string | undefined {
  // Skip the record header, handshake header, version and random.
  let at = 5 + 4 + 2 + 32;
  at += 1 + hello.readUInt8(at);
  at += 2 + hello.readUInt16BE(at);
  at += 1 + hello.readUInt8(at);
  for (at += 2; at < hello.length; at += 4 + hello.readUInt16BE(at + 2)) {
    if (hello.readUInt16BE(at) === 0) return hello.toString("latin1", at + 9, at + 9 + hello.readUInt16BE(at + 7));
  }
  return undefined;
}

/** Host names and the SNI that connecting to them sends. */
const NAMES: readonly (readonly [host: string, name: string | undefined])[] = [
  ["localhost", "localhost"],
  ["LOCALHOST", "localhost"],
  ["example.test.", "example.test"],
  ["bücher.example", "xn--bcher-kva.example"],
  ["bücher.example.", "xn--bcher-kva.example"],
  ["Bu\u0308CHER.example", "xn--bcher-kva.example"],
  ["faß.example", "xn--fa-hia.example"],
  ["例え。テスト。", "xn--r8jz45g.xn--zckzah"],
  ["xn--bcher-kva.example", "xn--bcher-kva.example"],
  ["a_b.example", "a_b.example"],
  ["127.0.0.1", undefined],
];

const lookup = (_host: string, _options: object, done: (error: null, address: string, family: number) => void): void =>
  done(null, "127.0.0.1", 4);

describe("SNI of a TLS client", { timeout: 300_000 }, () => {
  /** The SNI in the first bytes that TLS sends to the port. */
  async function asked(begin: (port: number) => Promise<unknown>): Promise<string | undefined> {
    await using listener = await listen({ host: "127.0.0.1", lingerMs: 0 });
    const { promise: refused, resolve } = Promise.withResolvers<void>();
    begin(listener.address.port ?? 0).then(
      () => resolve(),
      () => resolve(),
    );
    await using connection = await listener.accept({ timeoutMs: 10_000 });
    const header = await connection.readExactly(5, { timeoutMs: 10_000 });
    const hello = await connection.readExactly(Buffer.from(header).readUInt16BE(3), { timeoutMs: 10_000 });
    connection.reset();
    await refused;
    return serverNameIn(Buffer.concat([header, hello]));
  }

  for (const [host, name] of NAMES) {
    test(`is ${name} for host ${host}`, async () => {
      assert.equal(await asked((port) => connect({ host, port, lookup, tls: true })), name, "connect()");
      assert.equal(await asked((port) => get(`https://${host}:${port}/`, { lookup })), name, "get()");
      const startTls = async (port: number): Promise<void> => {
        const connection = await connect({ host, port, lookup });
        await connection.startTls();
      };
      assert.equal(await asked(startTls), name, "startTls()");
      if (name === undefined) return;
      const tls = { servername: host };
      assert.equal(await asked((port) => connect({ host: "127.0.0.1", port, tls })), name, "servername");
    });
  }

  test("is absent when servername is empty or an IP address", async () => {
    for (const servername of ["", "127.0.0.1", "::1"]) {
      const tls = { servername };
      assert.equal(await asked((port) => connect({ host: "localhost", port, tls, lookup })), undefined, servername);
    }
  });

  test("must be a valid host name", async () => {
    for (const servername of ["a b", "a/b", "ü:80", "a%", ".", "a..", "a..b", ".a", "ü..b", "a。。"]) {
      await assert.rejects(connect({ port: 1, tls: { servername } }), TypeError, servername);
    }
    await assert.rejects(
      serve({ tls: { cert, key, names: { "a b": other } } }, () => undefined),
      TypeError,
    );
  });

  test("is verified against the certificate without the trailing dot", async () => {
    await using server = await serve({ host: "127.0.0.1", tls: { cert, key } }, () => undefined);
    const { port } = server.address;
    for (const host of ["localhost.", "LOCALHOST", "127.0.0.1"]) {
      await using _ = await connect({ host, port, lookup, tls: { ca: cert } });
    }
    await assert.rejects(connect({ host: "other.test.", port, lookup, tls: { ca: cert } }), { code: "tls" });
  });

  test("selects the server's certificate in every spelling", async () => {
    const names = { "bücher.example.": other };
    await using server = await serve({ host: "127.0.0.1", tls: { cert, key, names } }, () => undefined);
    for (const servername of ["xn--bcher-kva.example", "XN--BCHER-KVA.example", "xn--bcher-kva.example."]) {
      const socket = connectTls({ ...server.address, servername, rejectUnauthorized: false });
      await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
      assert.equal(socket.getPeerCertificate().subject.CN, "other.test", servername);
      socket.destroy();
    }
  });
});
