/**
 * Connections that send more bytes than the server reads in one turn of the event loop, without counting as requests.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { WebSocket } from "ws";
import { TestServer } from "./chat-server.ts";
import { failOnLeaks } from "./leaks.ts";
import { until } from "./until.ts";

failOnLeaks();

const FLOODS = 40;
/** Bytes of each flood: as many as Node reads from one socket before the next one. */
const FLOOD_BYTES = 2 * 1024 * 1024;

/** A flooding connection. `isRead`: whether the server has read all its bytes. */
interface Flood {
  begin(): void;
  isRead(): boolean;
  close(): Promise<void>;
}

const MARK = JSON.stringify({ type: "ping", id: "mark" });

async function overTcp(server: TestServer, unit: string): Promise<Flood> {
  const client = await server.connect();
  client.send({ type: "ping", id: "first" });
  await client.nextWith("id", "first");
  let text = "";
  client.socket.removeAllListeners("data");
  client.socket.on("data", (chunk: Buffer) => {
    text = (text + chunk.toString("latin1")).slice(-1_000);
  });
  return {
    begin: () => void client.socket.write(`${unit.repeat(FLOOD_BYTES / unit.length)}\n${MARK}\n`),
    isRead: () => text.includes('"id":"mark"'),
    close: () => client.close(),
  };
}

async function overWebSocket(server: TestServer): Promise<Flood> {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/ws`);
  await once(socket, "open");
  let isRead = false;
  socket.on("message", (data) => {
    isRead ||= String(data).includes('"id":"mark"');
  });
  // Rate limits do not count typing, and the server does not answer it.
  const typing = JSON.stringify({ type: "typing", room: "lobby", padding: "x".repeat(32_000) });
  return {
    begin: () => {
      for (let sent = 0; sent < FLOOD_BYTES; sent += typing.length) socket.send(typing);
      socket.send(MARK);
    },
    isRead: () => isRead,
    close: async () => {
      socket.terminate();
      if (socket.readyState !== WebSocket.CLOSED) await once(socket, "close");
    },
  };
}

describe("a flood of bytes outside the rate limits", { timeout: 300_000 }, () => {
  for (const [name, open] of [
    ["white space over TCP", (server) => overTcp(server, " ")],
    ["arrays that never end over TCP", (server) => overTcp(server, "[")],
    ["typing over WebSocket", overWebSocket],
  ] as readonly (readonly [string, (server: TestServer) => Promise<Flood>])[]) {
    test(`does not starve other clients: ${name}`, async () => {
      await using server = await TestServer.start();
      const member = await server.member("Ada", "lobby");
      const floods = await Promise.all(Array.from({ length: FLOODS }, () => open(server)));
      const read = () => floods.filter((flood) => flood.isRead()).length;
      for (const flood of floods) flood.begin();
      for (let pings = 0; pings < 5; pings += 1) {
        member.send({ type: "ping", id: `${pings}` });
        await member.nextWith("id", `${pings}`);
      }
      assert.ok(read() < FLOODS / 2, `${read()} of ${FLOODS} floods were read before the chat's requests`);
      await until(() => read() === FLOODS, "every flood is read");
      await Promise.all(floods.map((flood) => flood.close()));
    });
  }
});
