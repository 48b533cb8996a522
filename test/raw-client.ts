/**
 * A TCP client that sends any bytes and reads the answers, for tests of servers. It uses only `node:net`, so that a fault
 * in the toolkit cannot hide itself.
 *
 * @module
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import type { Message } from "./hub-fixture.ts";

/** How messages are framed in the byte stream. */
export type Layout = "lines" | "prefixed";

export class RawClient {
  readonly socket: net.Socket;
  /** Resolves when the connection has closed, normally or not. */
  readonly closed: Promise<void>;
  /** Unread bytes. `#arrived` holds newer chunks, which are appended on demand. */
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

  /** Sends bytes and text unchanged, and other values as JSON lines. */
  send(...parts: readonly (string | Uint8Array | object)[]): this {
    for (const part of parts) {
      const isBytes = typeof part === "string" || part instanceof Uint8Array;
      this.socket.write(isBytes ? part : `${JSON.stringify(part)}\n`);
    }
    return this;
  }

  /** Sends length-prefixed JSON values. */
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

  /** Sends each part separately: a server in this process reads one part before the next is sent. */
  async sendApart(parts: Iterable<string | Uint8Array>): Promise<this> {
    for (const part of parts) {
      if (this.#hasEnded) break;
      this.socket.write(part);
      await turns(4);
    }
    return this;
  }

  /** Reads the next message. Rejects if the server finishes first. */
  async next(layout: Layout = "lines"): Promise<Message> {
    for (;;) {
      const message = this.#take(layout);
      if (message !== undefined) return message;
      assert.equal(this.#hasEnded, false, `the server finished; unread: ${this.#bytes.toString("latin1", 0, 200)}`);
      await this.#more();
    }
  }

  /** Reads until a message has this value in this field, and returns it. */
  async nextWith(field: string, value: unknown, layout: Layout = "lines"): Promise<Message> {
    for (;;) {
      const message = await this.next(layout);
      if (message[field] === value) return message;
    }
  }

  /** Reads all messages until the server finishes. */
  async rest(layout: Layout = "lines"): Promise<readonly Message[]> {
    await this.ended();
    const messages: Message[] = [];
    for (;;) {
      const message = this.#take(layout);
      if (message === undefined) break;
      messages.push(message);
    }
    assert.equal(this.#bytes.length, 0, "an incomplete message");
    return messages;
  }

  /** Reads all text until the server finishes. */
  async restText(): Promise<string> {
    await this.ended();
    this.#join();
    const text = this.#bytes.toString();
    this.#bytes = Buffer.alloc(0);
    return text;
  }

  /** Reads up to and including this text. */
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

  /** Waits until the server has finished, normally or not. */
  async ended(): Promise<void> {
    while (!this.#hasEnded) await this.#more();
  }

  /** Whether the server has finished. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Finishes the client's side. Reading continues. */
  finish(): this {
    this.socket.end();
    return this;
  }

  /** Closes the connection. */
  async close(): Promise<void> {
    this.socket.end();
    this.socket.destroySoon();
    await this.closed;
  }

  /** Resets the connection. */
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

/** Waits for turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((next) => setImmediate(next));
}
