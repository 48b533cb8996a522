/**
 * A hub with the memory adapters, a clock that tests turn, and clients whose links are fakes.
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
import { version1, version2 } from "../packages/server/src/dialects/json/mod.ts";
import { lineFraming } from "../packages/server/src/gateways/framing.ts";
import {
  type Claim,
  type Client,
  Hub,
  type Link,
  type Presence,
  type Registry,
  type RoomLog,
  WireFormat,
  type WireFormats,
} from "../packages/server/src/hub/mod.ts";
import { idle } from "./until.ts";

/** A message as a client reads it. */
export type Message = Readonly<Record<string, unknown>> & { readonly type: string };

/** A link that keeps what is sent. A stalled one keeps it as not yet sent. */
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

/** One client of the hub, as a gateway and its peer see it. */
export class FakeClient {
  readonly link: FakeLink;
  readonly client: Client;
  #read = 0;

  constructor(hub: Hub, formats: WireFormats, link: FakeLink) {
    this.link = link;
    this.client = hub.connect(link, formats);
  }

  /** Sends requests, all at once. */
  ask(...requests: readonly (Command | Refusal)[]): this {
    for (const request of requests) this.client.receive(request);
    return this;
  }

  /** What came since the last call. */
  take(): readonly Message[] {
    const bytes = Buffer.concat(this.link.sent.slice(this.#read));
    this.#read = this.link.sent.length;
    const lines = bytes.toString().split("\n");
    assert.equal(lines.pop(), "", "whole lines only");
    return lines.map((line) => JSON.parse(line));
  }

  /** Asks, waits, and gives what came. */
  async hear(...requests: readonly (Command | Refusal)[]): Promise<readonly Message[]> {
    this.ask(...requests);
    await idle();
    return this.take();
  }

  /** The connection is gone. */
  async vanish(): Promise<void> {
    this.client.gone();
    await idle();
  }
}

export interface HubFixtureOptions {
  readonly limits?: Partial<ChatLimits>;
  /** Holds clients to the rates of the limits. @default not */
  readonly hasRates?: boolean;
  readonly log?: RoomLog;
  readonly presence?: Presence;
  readonly registry?: Registry;
}

export class HubFixture {
  readonly hub: Hub;
  readonly limits: ChatLimits;
  readonly log: RoomLog;
  readonly presence: Presence;
  readonly registry: Registry;
  readonly formats: WireFormats = jsonFormats();
  /** The hub's clock. */
  now = 1_000_000;
  readonly reported: unknown[] = [];
  #secrets = 0;

  constructor(options: HubFixtureOptions = {}) {
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.log = options.log ?? new MemoryRoomLog({ now: () => 1_700_000_000_000 });
    this.presence = options.presence ?? new MemoryPresence();
    this.registry = options.registry ?? new MemoryRegistry();
    this.hub = new Hub({
      log: this.log,
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

  /** A client of the seed's. */
  connect(link: FakeLink = new FakeLink()): FakeClient {
    return new FakeClient(this.hub, this.formats, link);
  }

  /** A client of version 2 that is in these rooms and has read all it was told. */
  async member(username: string, ...rooms: readonly string[]): Promise<FakeClient> {
    const client = this.connect();
    client.ask({ type: "hello", version: 2, username });
    client.ask(...rooms.map((room) => ({ type: "join", room }) as const));
    await idle();
    const told = client.take();
    assert.equal(told.filter(({ type }) => type === "joined").length, rooms.length, JSON.stringify(told));
    return client;
  }

  /** Takes a name for an owner, as another server would. */
  claim(name: string, owner: string): Promise<Claim> {
    return this.registry.claim({ key: nameKey(name), skeleton: skeletonOf(name) }, owner);
  }

  /** A client of the seed's in a room, that has read all it was told. */
  async seedMember(username: string, room: string): Promise<FakeClient> {
    const client = this.connect();
    const told = await client.hear({ type: "join", room, username });
    assert.equal(told[0]?.message, `${username} joined ${room}`);
    return client;
  }
}

function jsonFormats(): WireFormats {
  return { 1: new WireFormat(version1, lineFraming), 2: new WireFormat(version2, lineFraming) };
}

/** Only these fields of each message. */
export function pick(messages: readonly Message[], ...fields: readonly string[]): readonly (readonly unknown[])[] {
  return messages.map((message) => fields.map((field) => message[field]));
}
