import {
  type ChatLimits,
  type Command,
  type CommandOf,
  type Decision,
  type Goodbye,
  type Name,
  type RateLimits,
  type Refusal,
  refuse,
  skeletonOf,
} from "../core/mod.ts";
import { Appends } from "./appends.ts";
import { Client, type ClientOwner } from "./client.ts";
import type { RoomEvent } from "./events.ts";
import { FanOut } from "./fan-out.ts";
import type { Link } from "./link.ts";
import { LogFailures } from "./log-failures.ts";
import { Person } from "./person.ts";
import type { Presence, PresenceChange } from "./presence.ts";
import { checkRate } from "./rates.ts";
import type { Registry } from "./registry.ts";
import type { Entry, RoomLog } from "./room-log.ts";
import { RoomReader } from "./room-reader.ts";
import { Rooms } from "./rooms.ts";
import { Sessions } from "./sessions.ts";
import { Typing } from "./typing.ts";
import type { WireFormats } from "./wire-format.ts";

/** The hub's ports and settings. Time and secrets are injected, so that tests control them. */
export interface HubOptions {
  readonly log: RoomLog;
  readonly presence: Presence;
  readonly registry: Registry;
  readonly limits: ChatLimits;
  /** The clients' rate limits. @default none */
  readonly rates?: RateLimits | undefined;
  /** Returns a monotonic time in milliseconds. */
  readonly now: () => number;
  /** Returns an unguessable secret. */
  readonly newSecret: () => string;
  /** Receives failures that belong to no request. */
  readonly report: (error: unknown) => void;
}

/** Clients told to reconnect within one second of a shutdown, so that they do not all return at once. */
const RETURNS_PER_SECOND = 1_000;

type DecisionOf<Type extends Decision["type"]> = Extract<Decision, { type: Type }>;

/**
 * Connects clients and rooms. It carries out what the rules decide, in each client's order, and sends rooms their
 * events, in each room's order. All room events, also an author's acks, come from the followers of the log and of the
 * presence.
 */
export class Hub implements ClientOwner {
  readonly limits: ChatLimits;
  readonly #report: (error: unknown) => void;
  readonly #log: RoomLog;
  readonly #presence: Presence;
  readonly #registry: Registry;
  readonly #rates: RateLimits | undefined;
  readonly #now: () => number;
  readonly #failures: LogFailures;
  readonly #rooms: Rooms;
  readonly #fanOut = new FanOut();
  readonly #appends: Appends;
  readonly #reader: RoomReader;
  readonly #sessions: Sessions;
  readonly #clients = new Set<Client>();
  readonly #typing = new Typing();
  /** Set while draining: the reason given to new clients. */
  #goodbye: Goodbye | undefined;
  #lastId = 0;

  constructor(options: HubOptions) {
    const { log, presence, registry, limits, report, now, newSecret } = options;
    this.limits = limits;
    this.#report = report;
    this.#log = log;
    this.#presence = presence;
    this.#registry = registry;
    this.#rates = options.rates;
    this.#now = now;
    const fanOut = this.#fanOut;
    const failures = new LogFailures(report, now);
    const rooms = new Rooms(log, report);
    const mayAsk = (client: Client) => this.checkRate(client, { type: "rooms" }) === undefined;
    this.#failures = failures;
    this.#rooms = rooms;
    this.#appends = new Appends({ log, rooms, fanOut, failures });
    this.#reader = new RoomReader({ log, presence, rooms, limits, mayAsk });
    const connectionsMax = limits.connectionsPerPersonMax;
    this.#sessions = new Sessions({ registry, rooms, fanOut, connectionsMax, newSecret, report });
    this.#log.follow((entries) => this.#committed(entries));
    this.#presence.follow((change) => this.#changed(change));
  }

  /** Adds a client for a gateway's connection. */
  connect(link: Link, formats: WireFormats): Client {
    this.#lastId += 1;
    const now = this.#now();
    const rates = this.#rates?.of(link.address, now);
    const client = new Client(this, link, formats, { id: `c${this.#lastId}`, now, rates });
    this.#clients.add(client);
    if (this.#goodbye !== undefined) this.dismiss(client, this.#goodbye);
    return client;
  }

  /** Called for every message from the client, pongs included. */
  heard(client: Client): void {
    client.heardAt = this.#now();
    client.pingedAt = undefined;
  }

  /** Sends the reason, closes the connection, and leaves the client's rooms. */
  dismiss(client: Client, goodbye: Goodbye): void {
    if (client.isGone) return;
    client.sayGoodbye(goodbye);
    client.gone();
  }

  /**
   * Pings silent clients. Dismisses those that do not answer and those that join no room in time. Call it about every
   * second.
   */
  sweep(): void {
    const now = this.#now();
    const { pingMs, pongMs, joinTimeoutMs } = this.limits;
    for (const client of this.#clients) {
      if (client.pingedAt !== undefined && now - client.pingedAt >= pongMs) {
        this.dismiss(client, { code: "ping-timeout", message: "No answer to a ping", reconnect: true });
      } else if (!client.session.hasJoined && now - client.connectedAt >= joinTimeoutMs) {
        this.dismiss(client, { code: "join-timeout", message: "Nothing was joined in time", reconnect: false });
      } else if (client.pingedAt === undefined && now - client.heardAt >= pingMs) {
        this.#ping(client, now);
      }
    }
  }

  /**
   * Closes all connections with `goodbye`, and each new one. Requests received before are carried out and answered
   * first, for at most `timeoutMs`; later ones are ignored. Rooms are not told that the clients leave. Each client
   * gets a different time to reconnect.
   */
  async drain(goodbye: Goodbye, timeoutMs: number): Promise<void> {
    this.#goodbye = goodbye;
    const clients = [...this.#clients].filter(({ isGone }) => !isGone);
    await within(timeoutMs, Promise.all(clients.map((client) => client.complete())));
    for (const [index, client] of clients.entries()) {
      if (client.isGone) continue;
      void client.retire();
      client.sayGoodbye({ ...goodbye, afterMs: Math.floor((index * 1_000) / RETURNS_PER_SECOND) });
    }
  }

  /** Closes the log, the presence and the registry. Call it after {@link drain}. */
  async close(): Promise<void> {
    await Promise.all([this.#log.close(), this.#presence.close(), this.#registry.close()]);
  }

  failed(error: unknown): Refusal {
    return this.#failures.refusal(error);
  }

  checkRate(client: Client, decision: Decision): Refusal | undefined {
    return checkRate(client, decision, this.#now());
  }

  carryOut(client: Client, command: Command, decision: Decision): Promise<void> | undefined {
    switch (decision.type) {
      case "append":
      case "set":
        this.#appends.add(client, command.id, decision);
        return undefined;
      case "typing":
        this.#tellTyping(client, decision);
        return undefined;
      case "read":
        this.#reader.markRead(client, command.id, decision);
        return undefined;
      case "topic":
        this.#catchUp(client, decision.room);
        this.#reader.topic(client, command.id, decision.room);
        return undefined;
      case "pong":
        client.answer({ type: "pong", id: command.id });
        return undefined;
      case "greet":
        return this.#greet(client, command.id, decision);
      case "join":
        return this.#join(client, command as CommandOf<"join">, decision);
      case "leave":
        return this.#leave(client, command.id, decision.room);
      case "who":
        this.#catchUp(client, decision.room);
        return this.#reader.who(client, command.id, decision.room);
      case "rooms":
        for (const room of client.session.rooms.values()) this.#catchUp(client, room);
        return this.#reader.list(client, command.id);
      case "history":
        return this.#reader.history(client, command.id, decision);
      case "search":
        return this.#reader.search(client, command.id, decision);
      case "refusal":
      case "nothing":
        return undefined;
    }
  }

  outboxFull(client: Client): void {
    const message = "You read more slowly than your rooms send";
    this.dismiss(client, { code: "slow-consumer", message, reconnect: true });
  }

  async departed(client: Client): Promise<void> {
    this.#clients.delete(client);
    const { session, person } = client;
    for (const name of [...session.rooms.values()]) await this.#exit(client, name).catch(this.#report);
    if (person?.connections.delete(client) && person.connections.size === 0) {
      await this.#registry.release(person.key, person.owner).catch(this.#report);
    }
    // Last: a client that asks for the session must find it, and wait, until the name is free.
    this.#sessions.close(client);
  }

  #committed(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const room = this.#rooms.get(entry.room);
      if (room === undefined) continue;
      room.position = entry;
      if (entry.kind === "set") room.state.set(entry.key, entry.body);
      if (!room.isEmpty) this.#fanOut.add(room, { type: "entry", entry, origin: entry.origin });
    }
  }

  #changed(change: PresenceChange): void {
    const room = this.#rooms.get(change.room);
    if (room === undefined || room.isEmpty) return;
    const event: RoomEvent = { type: "presence", name: change.name, state: change.state, origin: change.origin };
    this.#fanOut.add(room, event);
  }

  async #greet(client: Client, id: string | undefined, decision: DecisionOf<"greet">): Promise<void> {
    const refusal = await this.#identify(client, decision);
    if (refusal !== undefined) {
      client.answer({ ...refusal, id });
      return;
    }
    client.session.version = 2;
    this.#sessions.open(client);
    client.answer({
      type: "hello",
      id,
      session: client.secret,
      username: client.person?.text,
      rooms: [...client.session.rooms.values()].map((room) => room.text),
      limits: this.limits,
    });
    // Only now: from here on the client gets version 2, and its rooms group their members by format.
    for (const name of client.session.rooms.values()) this.#rooms.get(name.key)?.add(client);
  }

  /** Claims, shares or takes over the client's name. Returns the refusal, if any. */
  async #identify(client: Client, decision: DecisionOf<"greet">): Promise<Refusal | undefined> {
    const { person, session, share, attempt } = decision;
    if (session === undefined) return person === undefined ? undefined : this.#claim(client, person);
    if (share) return this.#sessions.share(client, session);
    const taken = await this.#sessions.takeBack(client, session, attempt);
    if ("type" in taken) return taken;
    this.#clients.delete(taken);
    return undefined;
  }

  async #join(client: Client, command: CommandOf<"join">, decision: DecisionOf<"join">): Promise<void> {
    const { person: name, leave } = decision;
    if (client.person?.key !== name.key) {
      const refusal = await this.#claim(client, name, leave);
      if (refusal !== undefined) {
        client.answer({ ...refusal, id: command.id });
        return;
      }
    }
    for (const other of leave) await this.#exit(client, other);

    const room = await this.#rooms.use(decision.room);
    const person = client.person as Person;
    const { key } = room.name;
    const isNew = !client.session.rooms.has(key);
    if (!isNew) this.#rooms.release(room);
    try {
      if (isNew) {
        client.session.rooms.set(key, room.name);
        client.session.hasJoined = true;
        // No effect if the person is already in the room on another connection.
        await this.#presence.enter(key, person.text, client);
      }
      // Send the members what happened so far. The newcomer has it in its answer, and gets what follows.
      this.#fanOut.flush(room);
      room.add(client);
      await this.#reader.joined(client, command.id, room, decision);
    } catch (error) {
      // A client that was told "failed" must not stay in the room.
      if (isNew) await this.#exit(client, room.name);
      throw error;
    }
  }

  /** Claims the name for the client and releases its previous one. Returns the refusal, if any. */
  async #claim(client: Client, name: Name, leave: readonly Name[] = []): Promise<Refusal | undefined> {
    const claim = await this.#registry.claim({ key: name.key, skeleton: skeletonOf(name.text) }, client.id);
    if (claim === "in-use") return refuse("name-in-use", `The name ${name.text} is in use`);
    if (claim === "look-alike") return refuse("name-in-use", `The name ${name.text} looks like another that is in use`);
    const { person: before } = client;
    // Leave the old rooms while the client still has its old name.
    for (const room of leave) await this.#exit(client, room);
    client.session.person = new Person(name, client);
    if (before !== undefined) await this.#registry.release(before.key, before.owner);
    return undefined;
  }

  async #leave(client: Client, id: string | undefined, name: Name): Promise<void> {
    await this.#exit(client, name);
    client.answer({ type: "ack", id, room: name.text });
  }

  /** Removes a client from a room. If it was the person's last connection there, tells the others. */
  async #exit(client: Client, name: Name): Promise<void> {
    if (!client.session.rooms.delete(name.key)) return;
    const person = client.person as Person;
    const room = this.#rooms.get(name.key);
    if (room === undefined) return;
    // A client that is gone gets nothing more. Not flushing then keeps many simultaneous departures in one batch.
    if (!client.isGone) this.#fanOut.flush(room);
    room.remove(client);
    try {
      if (!person.isIn(name.key)) await this.#presence.leave(name.key, person.text, client);
    } finally {
      this.#rooms.release(room);
    }
  }

  /** Sends the room's pending events, if the client is a member: an answer about the room must not overtake them. */
  #catchUp(client: Client, { key }: Name): void {
    const room = this.#rooms.get(key);
    if (room?.has(client)) this.#fanOut.flush(room);
  }

  #tellTyping(client: Client, { room: name }: DecisionOf<"typing">): void {
    const room = this.#rooms.get(name.key);
    const person = client.person as Person;
    if (room === undefined || !this.#typing.tells(person, name.key, this.#now())) return;
    this.#fanOut.add(room, { type: "typing", name: person.text, origin: client });
  }

  #ping(client: Client, now: number): void {
    if (client.session.version === 2) client.answer({ type: "ping" });
    else if (client.link.ping !== undefined) client.link.ping();
    else return;
    client.pingedAt = now;
  }
}

/** Waits for `work`, at most `ms` milliseconds. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}
