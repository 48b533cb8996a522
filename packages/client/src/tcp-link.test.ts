import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, test } from "node:test";
import { tcpLink } from "./tcp-link.ts";

const never = new AbortController().signal;

let server: Server;
let peer: Promise<Socket>;
let address: { host: string; port: number };

beforeEach(async () => {
  server = createServer({ allowHalfOpen: false });
  peer = once(server, "connection").then(([socket]) => socket as Socket);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  address = { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
});

afterEach(async () => {
  (await peer.catch(() => undefined))?.destroy();
  server.close();
});

describe("tcpLink()", () => {
  test("sends one line per text and reads lines split anywhere", async () => {
    const texts: string[] = [];
    const heard = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<Error | undefined>();
    const message = (text: string) => {
      texts.push(text);
      if (texts.length === 2) heard.resolve();
    };
    const link = await tcpLink(address)({ message, close: closed.resolve }, never);
    const socket = await peer;
    const sent = once(socket, "data");
    link.send('{"a":1}');
    assert.equal(String((await sent)[0]), '{"a":1}\n');
    socket.setNoDelay(true);
    const bytes = Buffer.from('{"b":"ü"}\n{"c":2}\n');
    socket.write(bytes.subarray(0, 7));
    await new Promise((resolve) => setImmediate(resolve));
    socket.write(bytes.subarray(7));
    await heard.promise;
    assert.deepEqual(texts, ['{"b":"ü"}', '{"c":2}']);
    socket.end();
    assert.equal(await closed.promise, undefined);
  });

  test("calls close once, with the error, after a reset", async () => {
    let closes = 0;
    const closed = Promise.withResolvers<Error | undefined>();
    const close = (error: Error | undefined) => {
      closes += 1;
      closed.resolve(error);
    };
    await tcpLink(address)({ message: () => undefined, close }, never);
    (await peer).resetAndDestroy();
    assert.ok((await closed.promise) instanceof Error);
    assert.equal(closes, 1);
  });

  test("close() ends the connection", async () => {
    const link = await tcpLink(address)({ message: () => undefined, close: () => undefined }, never);
    const socket = await peer;
    socket.resume();
    const ended = once(socket, "end");
    link.close();
    link.close();
    await ended;
  });

  test("rejects when the connection is refused, and with the signal's reason on abort", async () => {
    peer.catch(() => undefined);
    const handlers = { message: () => undefined, close: () => assert.fail("nothing was open") };
    const reason = new Error("enough");
    await assert.rejects(tcpLink(address)(handlers, AbortSignal.abort(reason)), reason);
    const socket = await new Promise<Socket>((resolve) => {
      server.once("connection", resolve);
      void tcpLink(address)({ message: () => undefined, close: () => undefined }, never);
    });
    socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await assert.rejects(tcpLink(address)(handlers, never));
  });
});
