/**
 * A hub with the memory adapters, a manual clock, and clients with fake links.
 *
 * @module
 */
import assert from "node:assert/strict";
import { MemoryPresence, MemoryRegistry, MemoryRoomLog } from "../packages/server/src/adapters/memory/mod.ts";
import {
  type ChatLimits,
  type Command,
  DEFAULT_LIMITS,
  nameKey,
  RateLimits,
  type Refusal,
  skeletonOf,
} from "../packages/server/src/core/mod.ts";
import { RequestReader, version1 } from "../packages/server/src/dialects/json/mod.ts";
import { lineFraming } from "../packages/server/src/gateways/framing.ts";
import {
  type Claim,
  type Connection,
  Hub,
  type Link,
  type Presence,
  type Registry,
  type RoomLog,
  type RoomSearch,
  type Wire,
} from "../packages/server/src/hub/mod.ts";
import { idle } from "./until.ts";

/** How the server writes to a client of the fixture, up to its `hello`. */
export const JSON_LINES: Wire = { encoder: version1, framing: lineFraming };

/** A message as received by a client. */
export type Message = Readonly<Record<string, unknown>> & { readonly type: string };

/** A link that records sent bytes. A stalled link also counts them as buffered. */
export class FakeLink implements Link {
  readonly address: string;
  bufferedBytes = 0;
  ping: (() => void) | undefined;
  isStalled = false;
  isPaused = false;
  pings = 0;
  readonly sent: Uint8Array[] = [];
  readonly closes: { readonly reconnect: boolean; readonly message: string }[] = [];

  constructor(address = "192.0.2.1") {
    this.address = address;
  }

  send(bytes: Uint8Array): void {
    this.sent.push(bytes);
    if (this.isStalled) this.bufferedBytes += bytes.length;
  }

  pause(): void {
    assert.equal(this.isPaused, false, "paused twice");
    this.isPaused = true;
  }

  resume(): void {
    assert.equal(this.isPaused, true, "resumed twice");
    this.isPaused = false;
  }

  close(reason: { readonly reconnect: boolean; readonly message: string }): void {
    this.closes.push(reason);
  }
}

/** A client of the hub that speaks JSON, which acts as the gateway and as its peer. */
export class FakeClient {
  readonly link: FakeLink;
  readonly client: Connection;
  readonly #reader: RequestReader;
  #read = 0;

  constructor(hub: Hub, link: FakeLink) {
    this.link = link;
    this.client = hub.connect(link, JSON_LINES);
    this.#reader = new RequestReader((request) => this.client.receive(request));
  }

  /** Sends all requests at once. */
  ask(...requests: readonly (Command | Refusal)[]): this {
    for (const request of requests) {
      if (request.type === "refusal") this.client.receive(request);
      else this.#reader.read(JSON.stringify(request));
    }
    return this;
  }

  /** Returns the messages since the last call. */
  take(): readonly Message[] {
    const bytes = Buffer.concat(this.link.sent.slice(this.#read));
    this.#read = this.link.sent.length;
    const lines = bytes.toString().split("\n");
    assert.equal(lines.pop(), "", "an incomplete line");
    return lines.map((line) => JSON.parse(line));
  }

  /** Sends requests, waits until the event loop is idle, and returns the new messages. */
  async hear(...requests: readonly (Command | Refusal)[]): Promise<readonly Message[]> {
    this.ask(...requests);
    await idle();
    return this.take();
  }

  /** Ends the connection. */
  async vanish(): Promise<void> {
    this.client.gone();
    await idle();
  }
}

export interface HubFixtureOptions {
  readonly limits?: Partial<ChatLimits>;
  /** Enforces the rate limits. @default false */
  readonly hasRates?: boolean;
  readonly log?: RoomLog;
  /** @default the log, if it can search */
  readonly search?: RoomSearch | undefined;
  readonly presence?: Presence;
  readonly registry?: Registry;
}

export class HubFixture {
  readonly hub: Hub;
  readonly limits: ChatLimits;
  readonly log: RoomLog;
  readonly presence: Presence;
  readonly registry: Registry;
  /** The hub's clock. */
  now = 1_000_000;
  readonly reported: unknown[] = [];
  #secrets = 0;

  constructor(options: HubFixtureOptions = {}) {
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.log = options.log ?? new MemoryRoomLog({ now: () => 1_700_000_000_000 });
    this.presence = options.presence ?? new MemoryPresence();
    this.registry = options.registry ?? new MemoryRegistry();
    const search = this.log instanceof MemoryRoomLog ? this.log : undefined;
    this.hub = new Hub({
      log: this.log,
      search: "search" in options ? options.search : search,
      presence: this.presence,
      registry: this.registry,
      limits: this.limits,
      rates: options.hasRates ? new RateLimits(this.limits) : undefined,
      now: () => this.now,
      newSecret: () => {
        this.#secrets += 1;
        return `secret-${this.#secrets}`;
      },
      report: (error) => this.reported.push(error),
    });
  }

  /** A version 1 client. */
  connect(link: FakeLink = new FakeLink()): FakeClient {
    return new FakeClient(this.hub, link);
  }

  /** A version 2 client that has joined the rooms and read all messages so far. */
  async member(username: string, ...rooms: readonly string[]): Promise<FakeClient> {
    const client = this.connect();
    client.ask({ type: "hello", version: 2, username });
    client.ask(...rooms.map((room) => ({ type: "join", room }) as const));
    await idle();
    const told = client.take();
    assert.equal(told.filter(({ type }) => type === "joined").length, rooms.length, JSON.stringify(told));
    return client;
  }

  /** Claims a name, like another server. */
  claim(name: string, owner: string): Promise<Claim> {
    return this.registry.claim({ key: nameKey(name), skeleton: skeletonOf(name) }, owner);
  }

  /** A version 1 client in a room that has read all messages so far. */
  async seedMember(username: string, room: string): Promise<FakeClient> {
    const client = this.connect();
    const told = await client.hear({ type: "join", room, username });
    assert.equal(told[0]?.message, `${username} joined ${room}`);
    return client;
  }
}

/** Returns these fields of each message. */
export function pick(messages: readonly Message[], ...fields: readonly string[]): readonly (readonly unknown[])[] {
  return messages.map((message) => fields.map((field) => message[field]));
}
