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

/** What the hub works with; time and secrets come from outside, so that tests own them. */
export interface HubOptions {
  readonly log: RoomLog;
  readonly presence: Presence;
  readonly registry: Registry;
  readonly limits: ChatLimits;
  /** How often clients may ask. @default as often as they like */
  readonly rates?: RateLimits | undefined;
  /** A clock in milliseconds that never goes back. */
  readonly now: () => number;
  /** A secret that nobody can guess. */
  readonly newSecret: () => string;
  /** Told of failures that are nobody's request. */
  readonly report: (error: unknown) => void;
}

/** Clients that are told to come back within one second: those of a server that stops do not all come at once. */
const RETURNS_PER_SECOND = 1_000;

type DecisionOf<Type extends Decision["type"]> = Extract<Decision, { type: Type }>;

/**
 * Where clients meet: it carries out what the rules decide, in the order of each client, and tells rooms what happened
 * in them, in the order of each room. Whatever a member is sent of a room comes from what the log and the presence
 * report, its own acknowledgements too.
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
  /** Why whoever comes now is sent away. */
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

  /** A gateway has a client. */
  connect(link: Link, formats: WireFormats): Client {
    this.#lastId += 1;
    const now = this.#now();
    const rates = this.#rates?.of(link.address, now);
    const client = new Client(this, link, formats, { id: `c${this.#lastId}`, now, rates });
    this.#clients.add(client);
    if (this.#goodbye !== undefined) this.dismiss(client, this.#goodbye);
    return client;
  }

  /** Something of the client's arrived, be it only an answer to a ping. */
  heard(client: Client): void {
    client.heardAt = this.#now();
    client.pingedAt = undefined;
  }

  /** Ends the client's connection and says why. */
  dismiss(client: Client, goodbye: Goodbye): void {
    if (client.isGone) return;
    client.sayGoodbye(goodbye);
    client.gone();
  }

  /** Pings clients that are silent, and lets go those that stay so or join nothing. To be called every second or so. */
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
   * Says goodbye to everyone, and to whoever comes from now on. What clients asked is carried out and answered before,
   * for at most `timeoutMs`; what they ask from now on is not. Rooms do not hear that all of them go. Each client is given
   * another time to come back.
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

  /** Closes the log and the other ports. To be called after {@link drain}. */
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
    const message = "You read more slowly than your rooms talk";
    this.dismiss(client, { code: "slow-consumer", message, reconnect: true });
  }

  async departed(client: Client): Promise<void> {
    this.#clients.delete(client);
    const { session, person } = client;
    for (const name of [...session.rooms.values()]) await this.#exit(client, name).catch(this.#report);
    if (person?.connections.delete(client) && person.connections.size === 0) {
      await this.#registry.release(person.key, person.owner).catch(this.#report);
    }
    // Last, so that whoever comes for the session finds it until its name is free.
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
    // From here on it is spoken to in its own version, so only now it may stand in its rooms.
    for (const name of client.session.rooms.values()) this.#rooms.get(name.key)?.add(client);
  }

  /** Finds out whose connection it is; why not, if that is refused. */
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
        // Does nothing when the person is in the room on another connection.
        await this.#presence.enter(key, person.text, client);
      }
      // The members are told what has happened so far. The newcomer has it in its answer, and is told what follows.
      this.#fanOut.flush(room);
      room.add(client);
      await this.#reader.joined(client, command.id, room, decision);
    } catch (error) {
      // Who is told that it failed must not be in the room.
      if (isNew) await this.#exit(client, room.name);
      throw error;
    }
  }

  /** Takes the name for the client, and gives its earlier one back; why not, if it is refused. */
  async #claim(client: Client, name: Name, leave: readonly Name[] = []): Promise<Refusal | undefined> {
    const claim = await this.#registry.claim({ key: name.key, skeleton: skeletonOf(name.text) }, client.id);
    if (claim === "in-use") return refuse("name-in-use", `The name ${name.text} is in use`);
    if (claim === "look-alike") return refuse("name-in-use", `The name ${name.text} looks like another that is in use`);
    const { person: before } = client;
    // The old rooms are left under the old name.
    for (const room of leave) await this.#exit(client, room);
    client.session.person = new Person(name, client);
    if (before !== undefined) await this.#registry.release(before.key, before.owner);
    return undefined;
  }

  async #leave(client: Client, id: string | undefined, name: Name): Promise<void> {
    await this.#exit(client, name);
    client.answer({ type: "ack", id, room: name.text });
  }

  /** Takes a client out of a room; with the last connection of a person, the rest are told. */
  async #exit(client: Client, name: Name): Promise<void> {
    if (!client.session.rooms.delete(name.key)) return;
    const person = client.person as Person;
    const room = this.#rooms.get(name.key);
    if (room === undefined) return;
    // Whoever is gone hears nothing any more; the others hear of many that go at once in one batch.
    if (!client.isGone) this.#fanOut.flush(room);
    room.remove(client);
    try {
      if (!person.isIn(name.key)) await this.#presence.leave(name.key, person.text, client);
    } finally {
      this.#rooms.release(room);
    }
  }

  /** Tells a room of the client's what has happened so far: an answer about the room must not overtake it. */
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

/** Waits for it, but no longer than this. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}
