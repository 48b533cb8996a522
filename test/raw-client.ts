/**
 * A TCP client that sends bytes as it is told and reads what comes, for tests of servers. It is made of `node:net`
 * alone, so that a fault of the toolkit cannot hide behind itself.
 *
 * @module
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import type { Message } from "./hub-fixture.ts";

/** How the messages in the byte stream are told apart. */
export type Layout = "lines" | "prefixed";

export class RawClient {
  readonly socket: net.Socket;
  /** Resolves when the connection is gone, in peace or not. */
  readonly closed: Promise<void>;
  /** Read on from here; what arrived since is joined to it when it is looked for. */
  #bytes: Buffer = Buffer.alloc(0);
  #arrived: Buffer[] = [];
  #hasEnded = false;
  #wake: () => void = () => undefined;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      this.#arrived.push(chunk);
      this.#wake();
    });
    const end = () => {
      this.#hasEnded = true;
      this.#wake();
    };
    socket.on("end", end);
    socket.on("close", end);
  }

  static async open(port: number): Promise<RawClient> {
    const socket = net.connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true });
    const client = new RawClient(socket);
    await once(socket, "connect");
    return client;
  }

  /** Sends bytes, text, or JSON values a line each. */
  send(...parts: readonly (string | Uint8Array | object)[]): this {
    for (const part of parts) {
      const isBytes = typeof part === "string" || part instanceof Uint8Array;
      this.socket.write(isBytes ? part : `${JSON.stringify(part)}\n`);
    }
    return this;
  }

  /** Sends JSON values with their lengths in front. */
  sendPrefixed(...values: readonly (object | string | Uint8Array)[]): this {
    for (const value of values) {
      const isBytes = typeof value === "string" || value instanceof Uint8Array;
      const body = Buffer.from(isBytes ? (value as string) : JSON.stringify(value));
      const header = Buffer.alloc(4);
      header.writeUInt32BE(body.length);
      this.socket.write(Buffer.concat([header, body]));
    }
    return this;
  }

  /** Sends the parts so that each arrives by itself: a server in this process reads between two turns of the loop. */
  async sendApart(parts: Iterable<string | Uint8Array>): Promise<this> {
    for (const part of parts) {
      if (this.#hasEnded) break;
      this.socket.write(part);
      await turns(4);
    }
    return this;
  }

  /** The next message; it rejects when the server finished before. */
  async next(layout: Layout = "lines"): Promise<Message> {
    for (;;) {
      const message = this.#take(layout);
      if (message !== undefined) return message;
      assert.equal(this.#hasEnded, false, `the server finished; unread: ${this.#bytes.toString("latin1", 0, 200)}`);
      await this.#more();
    }
  }

  /** Reads until a message with this field, and gives it. */
  async nextWith(field: string, value: unknown, layout: Layout = "lines"): Promise<Message> {
    for (;;) {
      const message = await this.next(layout);
      if (message[field] === value) return message;
    }
  }

  /** All messages until the server finishes. */
  async rest(layout: Layout = "lines"): Promise<readonly Message[]> {
    await this.ended();
    const messages: Message[] = [];
    for (;;) {
      const message = this.#take(layout);
      if (message === undefined) break;
      messages.push(message);
    }
    assert.equal(this.#bytes.length, 0, "whole messages only");
    return messages;
  }

  /** All text until the server finishes. */
  async restText(): Promise<string> {
    await this.ended();
    this.#join();
    const text = this.#bytes.toString();
    this.#bytes = Buffer.alloc(0);
    return text;
  }

  /** Reads until the text has come. */
  async textUntil(end: string): Promise<string> {
    for (;;) {
      this.#join();
      const at = this.#bytes.indexOf(end);
      if (at !== -1) {
        const text = this.#bytes.toString("utf8", 0, at + end.length);
        this.#bytes = this.#bytes.subarray(at + end.length);
        return text;
      }
      assert.equal(this.#hasEnded, false, `the server finished; unread: ${this.#bytes.toString("latin1", 0, 200)}`);
      await this.#more();
    }
  }

  /** Waits until the server has finished, in peace or not. */
  async ended(): Promise<void> {
    while (!this.#hasEnded) await this.#more();
  }

  /** Whether the server has finished. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Finishes our side; reading goes on. */
  finish(): this {
    this.socket.end();
    return this;
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    this.socket.end();
    this.socket.destroySoon();
    await this.closed;
  }

  /** Breaks the connection: the server sees a reset. */
  async reset(): Promise<void> {
    this.socket.resetAndDestroy();
    await this.closed;
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #take(layout: Layout): Message | undefined {
    const take = () => (layout === "lines" ? this.#takeLine() : this.#takePrefixed());
    return take() ?? (this.#join() ? take() : undefined);
  }

  #join(): boolean {
    if (this.#arrived.length === 0) return false;
    this.#bytes = Buffer.concat([this.#bytes, ...this.#arrived.splice(0)]);
    return true;
  }

  #takeLine(): Message | undefined {
    const end = this.#bytes.indexOf("\n");
    if (end === -1) return undefined;
    const line = this.#bytes.toString("utf8", 0, end);
    this.#bytes = this.#bytes.subarray(end + 1);
    return JSON.parse(line) as Message;
  }

  #takePrefixed(): Message | undefined {
    if (this.#bytes.length < 4) return undefined;
    const end = 4 + this.#bytes.readUInt32BE();
    if (this.#bytes.length < end) return undefined;
    const text = this.#bytes.toString("utf8", 4, end);
    this.#bytes = this.#bytes.subarray(end);
    return JSON.parse(text) as Message;
  }
}

/** Lets the loop turn. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((next) => setImmediate(next));
}
