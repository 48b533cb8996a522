import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type WebSocket as Peer, WebSocketServer } from "ws";
import { until } from "../../../test/until.ts";
import type { LinkHandlers } from "./link.ts";
import { websocketLink } from "./websocket-link.ts";

const never = new AbortController().signal;

/** Collects what a link tells. */
function recorder() {
  const texts: string[] = [];
  const closed = Promise.withResolvers<Error | undefined>();
  let closes = 0;
  const handlers: LinkHandlers = {
    message: (text) => texts.push(text),
    close: (error) => {
      closes += 1;
      closed.resolve(error);
    },
  };
  return { texts, handlers, closed: closed.promise, closes: () => closes };
}

let http: Server;
let server: WebSocketServer;
let url: string;

beforeEach(async () => {
  http = createServer();
  server = new WebSocketServer({ server: http });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  url = `ws://127.0.0.1:${(http.address() as AddressInfo).port}/ws`;
});

afterEach(async () => {
  for (const peer of server.clients) peer.terminate();
  server.close();
  http.closeAllConnections();
  if (http.listening) await new Promise((resolve) => http.close(resolve));
});

describe("websocketLink()", () => {
  test("sends and receives texts", async () => {
    server.on("connection", (peer: Peer) => {
      peer.on("message", (data) => peer.send(`heard ${data}`));
    });
    const record = recorder();
    const link = await websocketLink(url)(record.handlers, never);
    link.send("ünï");
    const [peer] = server.clients;
    assert.ok(peer);
    await once(peer, "message");
    link.send("last");
    await until(() => record.texts.length >= 2, "both texts came");
    assert.deepEqual(record.texts, ["heard ünï", "heard last"]);
    const closed = once(peer, "close");
    link.close();
    link.close();
    await closed;
    link.send("into the void");
    assert.equal(record.closes(), 0);
  });

  test("calls close without an error after 1000, and with the code after other codes", async () => {
    server.once("connection", (peer: Peer) => peer.close(1001));
    const normal = recorder();
    await websocketLink(url)(normal.handlers, never);
    assert.equal(await normal.closed, undefined);

    server.once("connection", (peer: Peer) => peer.terminate());
    const broken = recorder();
    await websocketLink(url)(broken.handlers, never);
    assert.equal(String(await broken.closed), "Error: the connection was lost");
    assert.equal(broken.closes(), 1);
  });

  test("rejects when the connection is refused, and calls no handler", async () => {
    server.close();
    await new Promise((resolve) => http.close(resolve));
    const record = recorder();
    await assert.rejects(
      websocketLink(url)(record.handlers, never),
      /: Cannot connect to ws:.*: the connection was lost$/,
    );
    assert.equal(record.closes(), 0);
  });

  test("rejects with the signal's reason on abort, before and while it opens", async () => {
    const reason = new Error("enough");
    const record = recorder();
    await assert.rejects(websocketLink(url)(record.handlers, AbortSignal.abort(reason)), reason);
    await assert.rejects(websocketLink("not an address")(record.handlers, never), { name: "SyntaxError" });
    const controller = new AbortController();
    const opening = websocketLink(url)(record.handlers, controller.signal);
    controller.abort(reason);
    await assert.rejects(opening, reason);
    assert.equal(record.closes(), 0);
  });
});
