/**
 * One client interface for all transports of the chat: sends texts unchanged, and sends nothing on its own.
 *
 * @module
 */
import type { Message } from "./hub-fixture.ts";
import { type Layout, RawClient } from "./raw-client.ts";

/** Bytes per write. */
const PART_BYTES = 65_536;

/** A client over one transport that sends texts unchanged. */
export interface Wire {
  send(text: string): Promise<void>;
  /** The next message, or undefined if the server ended the connection. */
  next(): Promise<Message | undefined>;
  close(): Promise<void>;
}

async function tcp(port: number, layout: Layout): Promise<Wire> {
  const client = await RawClient.open(port);
  return {
    async send(text) {
      const bytes = Buffer.from(text);
      const header = Buffer.alloc(4);
      header.writeUInt32BE(bytes.length);
      const all = Buffer.concat(layout === "lines" ? [bytes, Buffer.from("\n")] : [header, bytes]);
      const parts: Uint8Array[] = [];
      for (let at = 0; at < all.length; at += PART_BYTES) parts.push(all.subarray(at, at + PART_BYTES));
      await client.sendApart(parts);
    },
    async next() {
      return client.next(layout).catch(() => undefined);
    },
    close: () => client.close(),
  };
}

async function webSocket(port: number): Promise<Wire> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  const heard: (Message | undefined)[] = [];
  let wake: () => void = () => undefined;
  const hear = (message: Message | undefined): void => {
    heard.push(message);
    wake();
  };
  socket.addEventListener("message", ({ data }) => hear(JSON.parse(data)));
  const closed = new Promise<void>((resolve) => {
    socket.addEventListener("close", ({ code }) => {
      // For a frame that is too long, WebSocket has its own close code (RFC 6455, section 7.4.1).
      if (code === 1009) hear({ type: "bye", code: "frame-too-long" });
      hear(undefined);
      resolve();
    });
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", reject);
  });
  return {
    async send(text) {
      socket.send(text);
    },
    async next() {
      while (heard.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return heard.shift();
    },
    async close() {
      socket.close();
      await closed;
    },
  };
}

/** Opens a client of each transport. */
export const TRANSPORTS: Readonly<Record<string, (port: number) => Promise<Wire>>> = {
  "TCP, back to back": (port) => tcp(port, "lines"),
  "TCP, length-prefixed": (port) => tcp(port, "prefixed"),
  WebSocket: webSocket,
};
