import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { serve } from "../tcp/serve.ts";
import { get } from "./get.ts";
import { request } from "./request.ts";

failOnLeaks();

const fixture = (name: string): Buffer => readFileSync(new URL(`../../../../test/fixtures/${name}`, import.meta.url));
const cert = fixture("localhost-cert.pem");
const tls = { ca: cert };

async function withServer(answer: RequestListener, use: (url: string) => Promise<void>): Promise<void> {
  const server = createServer({ cert, key: fixture("localhost-key.pem") }, answer);
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await use(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  }
}

test("get() reads bodies over https with and without a length", async () => {
  const answer: RequestListener = (message, response) => {
    if (message.url === "/chunked") response.write("in pieces, ");
    response.end("over TLS");
  };
  await withServer(answer, async (url) => {
    assert.equal(await (await get(url, { tls })).text(), "over TLS");
    assert.equal(await (await get(`${url}chunked`, { tls })).text(), "in pieces, over TLS");
  });
});

test("request() sends a body over https", async () => {
  const answer: RequestListener = (message, response) => {
    message.pipe(response);
  };
  await withServer(answer, async (url) => {
    const body = "x".repeat(200_000);
    assert.equal(await (await request(url, { tls, body })).text(), body);
  });
});

test("get() rejects an untrusted certificate", async () => {
  await withServer(
    (_, response) => response.end(),
    async (url) => {
      await assert.rejects(get(url), { code: "tls" });
    },
  );
});

test("get() follows a redirect to https, and rejects one from https to http", async () => {
  await withServer(
    (message, response) => {
      if (message.url !== "/down") return void response.end("secure");
      return void response.writeHead(302, { location: "http://127.0.0.1:1/" }).end();
    },
    async (url) => {
      await using plain = await serve({ host: "127.0.0.1" }, async (connection) => {
        await connection.readUntil("\r\n\r\n");
        await connection.write(`HTTP/1.1 301 X\r\nLocation: ${url}\r\nContent-Length: 0\r\n\r\n`);
      });
      const response = await get(`http://127.0.0.1:${plain.address.port}/`, { tls });
      assert.equal(response.url, url);
      assert.equal(await response.text(), "secure");
      await assert.rejects(get(`${url}down`, { tls }), { code: "tls", operation: "redirect" });
    },
  );
});
