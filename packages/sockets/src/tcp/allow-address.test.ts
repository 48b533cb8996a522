import assert from "node:assert/strict";
import type { LookupFunction } from "node:net";
import { describe, test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import type { SocketError } from "../errors.ts";
import { get } from "../http/get.ts";
import { request } from "../http/request.ts";
import { isPublicAddress } from "../public-address.ts";
import { connect } from "./connect.ts";
import { serve } from "./serve.ts";
import type { Server } from "./server.ts";

failOnLeaks();

/** A loopback server that answers each request with this head and counts connections. */
async function serveHead(head: string): Promise<{ server: Server; port: number; connections: () => number }> {
  let connections = 0;
  const server = await serve({ host: "127.0.0.1" }, async (connection) => {
    connections += 1;
    await connection.readUntil("\r\n\r\n");
    await connection.write(`${head}Content-Length: 0\r\n\r\n`);
  });
  return { server, port: server.address.port ?? 0, connections: () => connections };
}

/** A lookup that returns one list of addresses per call. */
function answering(...answers: string[][]): LookupFunction {
  return (_host, _options, done) => {
    const addresses = answers.length > 1 ? (answers.shift() ?? []) : (answers[0] ?? []);
    const all = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    (done as (error: null, all: object[]) => void)(null, all);
  };
}

const isRefused = (error: SocketError): boolean => {
  assert.equal(error.code, "permission", error.message);
  assert.match(error.message, /^Cannot connect to .+: allowAddress refused every address of the host$/);
  assert.equal(error.operation, "connect");
  return true;
};

/** Spellings of this machine's address that an attacker could use. */
const SPELLINGS = [
  ...["127.0.0.1", "127.1", "127.0.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "017700000001"],
  ...["0", "0.0.0.0", "127.255.255.254", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]"],
  ...["[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]", "[64:ff9b::127.0.0.1]", "localhost", "LOCALHOST"],
];

describe("allowAddress", { timeout: 300_000 }, () => {
  for (const spelling of SPELLINGS) {
    test(`connect(), get() and a redirect refuse ${spelling} with isPublicAddress`, async () => {
      const { server, port, connections } = await serveHead("HTTP/1.1 200 OK\r\n");
      await using _ = server;
      const host = spelling.replace(/^\[|\]$/g, "");
      await assert.rejects(connect({ host, port, allowAddress: isPublicAddress }), isRefused);
      await assert.rejects(get(`http://${spelling}:${port}/`, { allowAddress: isPublicAddress }), isRefused);
      const url = `https://${spelling}:${port}/`;
      await assert.rejects(request(url, { body: "x", allowAddress: isPublicAddress }), isRefused);
      assert.equal(connections(), 0);

      const redirect = await serveHead(`HTTP/1.1 302 X\r\nLocation: http://${spelling}:${port}/\r\n`);
      await using __ = redirect.server;
      let asked = 0;
      // Allow the first hop, so that the redirect is what is refused.
      const allowAddress = (address: string): boolean => (asked++ === 0 ? true : isPublicAddress(address));
      await assert.rejects(get(`http://127.0.0.1:${redirect.port}/`, { allowAddress }), isRefused);
      assert.equal(redirect.connections(), 1);
      assert.equal(connections(), 0);
    });
  }

  test("skips refused addresses and connects to allowed ones", async () => {
    const { server, port } = await serveHead("HTTP/1.1 200 OK\r\n");
    await using _ = server;
    const asked: string[] = [];
    const allowAddress = (address: string): boolean => {
      asked.push(address);
      return address === "127.0.0.1";
    };
    const lookup = answering(["::1", "127.0.0.2", "127.0.0.1"]);
    await using connection = await connect({ host: "name.test", port, lookup, allowAddress });
    assert.equal(connection.remote?.host, "127.0.0.1");
    assert.deepEqual(asked.toSorted(), ["127.0.0.1", "127.0.0.2", "::1"]);
    connection.reset();
  });

  test("checks the addresses of every lookup, so that DNS rebinding fails", async () => {
    const { server, port, connections } = await serveHead("HTTP/1.1 302 X\r\nLocation: /again\r\n");
    await using _ = server;
    const lookup = answering(["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]);
    const allowAddress = (address: string): boolean => address === "127.0.0.1";
    await assert.rejects(get(`http://name.test:${port}/`, { lookup, allowAddress }), isRefused);
    assert.equal(connections(), 1);
  });

  test("accepts an address only when it returns true", async () => {
    const { server, port, connections } = await serveHead("HTTP/1.1 200 OK\r\n");
    await using _ = server;
    for (const answer of [undefined, null, 1, "yes", Promise.resolve(true)]) {
      const allowAddress = (): boolean => answer as unknown as boolean;
      await assert.rejects(connect({ host: "127.0.0.1", port, allowAddress }), isRefused, String(answer));
    }
    const mistake = new Error("mine");
    const throws = (): never => {
      throw mistake;
    };
    await assert.rejects(connect({ host: "127.0.0.1", port, allowAddress: throws }), mistake);
    await assert.rejects(get(`http://127.0.0.1:${port}/`, { allowAddress: throws }), mistake);
    assert.equal(connections(), 0);
    await assert.rejects(connect({ path: "/x", allowAddress: () => true }), TypeError);
  });
});
