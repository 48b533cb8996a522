/**
 * A hub with the memory adapters, a manual clock, and clients with fake links.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  MemoryBus,
  MemoryRoomLog,
  MemoryRoomStore,
  MemoryRoster,
  MemoryUsers,
  RosterStore,
} from "../packages/server/src/adapters/memory/mod.ts";
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
  type Bus,
  type Connection,
  Hub,
  type Link,
  type RoomLog,
  type RoomSearch,
  type Roster,
  type Users,
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
  readonly users?: Users;
  readonly bus?: Bus;
  /** @default the only view of a store in memory */
  readonly roster?: (store: RosterStore) => Roster;
}

export class HubFixture {
  readonly hub: Hub;
  readonly limits: ChatLimits;
  readonly log: RoomLog;
  readonly roster: Roster;
  /** The hub's clock. */
  now = 1_000_000;
  readonly reported: unknown[] = [];
  #secrets = 0;
  #claims = 0;

  constructor(options: HubFixtureOptions = {}) {
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.log = options.log ?? new MemoryRoomLog(new MemoryRoomStore({ now: () => 1_700_000_000_000 }));
    const store = new RosterStore({ limits: this.limits, now: () => this.now });
    this.roster = options.roster?.(store) ?? new MemoryRoster(store);
    const search = this.log instanceof MemoryRoomLog ? this.log : undefined;
    this.hub = new Hub({
      log: this.log,
      search: "search" in options ? options.search : search,
      users: options.users ?? new MemoryUsers(),
      roster: this.roster,
      bus: options.bus ?? new MemoryBus(),
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

  /** Claims a name for a user without a client. Returns whether it was free. */
  async claim(text: string): Promise<boolean> {
    this.#claims += 1;
    const session = `claim-${this.#claims}`;
    const name = { text, key: nameKey(text), skeleton: skeletonOf(text) };
    const claim = await this.roster.open({ session, connection: session, address: "", isLasting: false }, name);
    return typeof claim !== "string";
  }

  /** Returns the names of the room's members. */
  async members(room: string): Promise<readonly string[]> {
    const { members, count } = await this.roster.members(room, 1_000);
    assert.equal(members.length, count);
    return members.map(({ name }) => name);
  }

  /** Lets time pass for the roster. The hub's pings are not sent. */
  async pass(ms: number): Promise<void> {
    await idle();
    this.now += ms;
    this.roster.sweep();
    await idle();
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
