/**
 * A chat server for one test. It fails the test if it reports an error.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ChatServer, type ServerOptions, startServer } from "@landline/server";
import type { Address } from "@landline/sockets";
import { RawClient } from "./raw-client.ts";

export class TestServer implements AsyncDisposable {
  readonly port: number;
  readonly reported: unknown[];
  readonly #server: ChatServer;
  readonly #clients: RawClient[] = [];

  private constructor(server: ChatServer, reported: unknown[]) {
    this.port = portOf(server.address);
    this.reported = reported;
    this.#server = server;
  }

  /** Starts a server. By default it sends no welcome to silent clients and has no rate limits. */
  static async start(options: ServerOptions = {}): Promise<TestServer> {
    const reported: unknown[] = [];
    const onError = (error: unknown) => reported.push(error);
    const defaults = {
      host: "127.0.0.1",
      port: 0,
      silentMs: 1_000_000,
      drainMs: 1_000,
      rates: "off",
      onError,
    } as const;
    return new TestServer(await startServer({ ...defaults, ...options }), reported);
  }

  /** Opens a connection. Closing the server closes it. */
  async connect(): Promise<RawClient> {
    const client = await RawClient.open(this.port);
    this.#clients.push(client);
    return client;
  }

  /** A version 2 client that has joined the rooms and read all messages so far. */
  async member(username: string, ...rooms: readonly string[]): Promise<RawClient> {
    const client = await this.connect();
    client.send({ type: "hello", id: "hello", version: 2, username });
    await client.nextWith("id", "hello");
    for (const room of rooms) {
      client.send({ type: "join", id: room, room });
      assert.equal((await client.nextWith("id", room)).type, "joined");
    }
    return client;
  }

  /** A version 1 client in a room. */
  async seedMember(username: string, room: string): Promise<RawClient> {
    const client = await this.connect();
    client.send({ type: "join", room, username });
    await client.nextWith("message", `${username} joined ${room}`);
    return client;
  }

  /** Closes the server while clients are still connected. */
  close(): Promise<void> {
    return this.#server.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.socket.destroy();
    await Promise.all(this.#clients.map((client) => client.closed));
    await this.#server.close();
    assert.deepEqual(this.reported, [], "the server reported a failure");
  }
}

/** The port of an address. */
export function portOf({ port }: Address): number {
  assert.ok(port !== undefined);
  return port;
}
