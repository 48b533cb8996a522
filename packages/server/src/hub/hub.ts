import {
  type ChatLimits,
  type Command,
  type CommandOf,
  type Decision,
  type Goodbye,
  type Name,
  type Position,
  type RateLimits,
  type Refusal,
  refuse,
} from "../core/mod.ts";
import { Client, type ClientOwner } from "./client.ts";
import type { Answer, RoomEvent } from "./events.ts";
import { FanOut } from "./fan-out.ts";
import type { Link } from "./link.ts";
import { LogFailures } from "./log-failures.ts";
import type { Presence, PresenceChange } from "./presence.ts";
import { checkRate } from "./rates.ts";
import { ReadPositions } from "./read-positions.ts";
import { missedEntries } from "./recovery.ts";
import type { Registry } from "./registry.ts";
import type { Room } from "./room.ts";
import type { AppendResult, Entry, NewEntry, Page, RoomLog } from "./room-log.ts";
import { Rooms } from "./rooms.ts";
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
  readonly #newSecret: () => string;
  readonly #rooms: Rooms;
  readonly #fanOut = new FanOut();
  readonly #clients = new Set<Client>();
  readonly #sessions = new Map<string, Client>();
  readonly #readPositions = new ReadPositions();
  readonly #typing = new Typing();
  /** Why whoever comes now is sent away. */
  #goodbye: Goodbye | undefined;
  #appends: NewEntry[] = [];
  #lastId = 0;

  constructor(options: HubOptions) {
    this.limits = options.limits;
    this.#report = options.report;
    this.#log = options.log;
    this.#presence = options.presence;
    this.#registry = options.registry;
    this.#rates = options.rates;
    this.#now = options.now;
    this.#failures = new LogFailures(options.report, options.now);
    this.#newSecret = options.newSecret;
    this.#rooms = new Rooms(options.log, options.report);
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
    sayGoodbye(client, goodbye);
    client.gone();
  }

  /** Pings clients that are silent, and lets go those that stay so or join nothing. To be called every second or so. */
  sweep(): void {
    const now = this.#now();
    const { pingMs, pongMs, joinTimeoutMs } = this.limits;
    for (const client of this.#clients) {
      if (client.pingedAt !== undefined && now - client.pingedAt >= pongMs) {
        this.dismiss(client, { code: "ping-timeout", message: "No answer to a ping", reconnect: true });
      } else if (client.session.person === undefined && now - client.connectedAt >= joinTimeoutMs) {
        this.dismiss(client, { code: "join-timeout", message: "Nothing was joined in time", reconnect: false });
      } else if (client.pingedAt === undefined && now - client.heardAt >= pingMs) {
        this.#ping(client, now);
      }
    }
  }

  /**
   * Says goodbye to everyone, and to whoever comes from now on. What was begun is finished and answered before, for at
   * most `timeoutMs`; what only waits is not. Rooms hear nothing, as all of them go. Each client is given another time
   * to come back.
   */
  async drain(goodbye: Goodbye, timeoutMs: number): Promise<void> {
    this.#goodbye = goodbye;
    const clients = [...this.#clients].filter(({ isGone }) => !isGone);
    await within(timeoutMs, Promise.all(clients.map((client) => client.retire())));
    for (const [index, client] of clients.entries()) {
      sayGoodbye(client, { ...goodbye, afterMs: Math.floor((index * 1_000) / RETURNS_PER_SECOND) });
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
        this.#append(client, command.id, decision);
        return undefined;
      case "typing":
        this.#tellTyping(client, decision);
        return undefined;
      case "read":
        this.#markRead(client, command.id, decision);
        return undefined;
      case "topic": {
        const topic = this.#rooms.get(decision.room.key)?.state.get("topic") ?? "";
        client.answer({ type: "topic", id: command.id, room: decision.room.text, topic });
        return undefined;
      }
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
        return this.#who(client, command.id, decision.room);
      case "rooms":
        return this.#listRooms(client, command.id);
      case "history":
        return this.#history(client, command.id, decision);
      case "search":
        return this.#search(client, command.id, decision);
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
    const { session } = client;
    for (const name of [...session.rooms.values()]) await this.#exit(client, name).catch(this.#report);
    if (session.person !== undefined) await this.#registry.release(session.person.key, client.id).catch(this.#report);
    // Last, so that whoever comes for the session finds it until its name is free.
    if (this.#sessions.get(client.secret) === client) this.#sessions.delete(client.secret);
  }

  #append(client: Client, clientId: string | undefined, decision: DecisionOf<"append" | "set">): void {
    const room = decision.room.key;
    const from = decision.person.text;
    // Clients of version 1 promise nothing about theirs.
    const id = client.session.version === 2 ? clientId : undefined;
    this.#appends.push(
      decision.type === "append"
        ? { room, id, kind: "chat", from, body: decision.message, origin: client }
        : { room, id, kind: "set", key: decision.key, from, body: decision.value, origin: client },
    );
    // All that one read brought goes to the log together.
    if (this.#appends.length === 1) queueMicrotask(() => void this.#commit());
  }

  async #commit(): Promise<void> {
    const entries = this.#appends;
    this.#appends = [];
    this.#fanOut.commitBegan();
    try {
      const results = await this.#log.append(entries);
      if (results.every(({ type }) => type === "appended")) return;
      const nextSeqs = nextOwnSeqs(entries, results);
      for (let i = 0; i < results.length; i += 1) {
        const result = results[i] as AppendResult;
        if (result.type !== "appended") this.#notAppended(entries[i] as NewEntry, result, nextSeqs[i]);
      }
    } catch (error) {
      const refusal = this.#failures.refusal(error);
      for (const { origin, id } of entries) {
        const client = origin as Client;
        client.answer({ ...refusal, id });
        client.passed(1);
      }
    } finally {
      this.#fanOut.commitEnded();
    }
  }

  #notAppended(
    entry: NewEntry,
    result: Exclude<AppendResult, { type: "appended" }>,
    nextSeq: number | undefined,
  ): void {
    const client = entry.origin as Client;
    const { id } = entry;
    // The acknowledgements of the messages before it stand in the room's order, and come first; those after it, later.
    const room = this.#rooms.get(entry.room);
    if (room !== undefined) {
      const next = room.pending.findIndex((event) => event.type === "entry" && event.entry.seq === nextSeq);
      this.#fanOut.flush(room, next === -1 ? undefined : next);
    }
    if (result.type === "duplicate") {
      const name = room?.name.text ?? entry.room;
      client.answer({ type: "ack", id, room: name, seq: result.seq, at: result.at, duplicate: true });
    } else {
      client.answer({ ...refuse("id-reused", "This id was used for another message"), id });
    }
    client.passed(1);
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
    if (decision.session !== undefined) {
      const taken = await this.#takeBack(client, decision.session, decision.attempt);
      if (!taken) {
        client.answer({ ...refuse("session-unknown", "There is no such session any more"), id });
        return;
      }
    } else if (decision.person !== undefined && !(await this.#claim(client, decision.person, id))) {
      return;
    }
    client.session.version = 2;
    // One that was taken back stays: the answer may be lost, and then it must do again.
    if (client.secret === "") {
      client.secret = this.#newSecret();
      this.#sessions.set(client.secret, client);
    }
    client.answer({
      type: "hello",
      id,
      session: client.secret,
      username: client.session.person?.text,
      rooms: [...client.session.rooms.values()].map((room) => room.text),
      limits: this.limits,
    });
    // From here on it is spoken to in its own version, so only now it may stand in its rooms.
    for (const name of client.session.rooms.values()) this.#rooms.get(name.key)?.add(client);
  }

  /**
   * Moves name and rooms of a connection to this one; the rooms notice nothing. An attempt that was overtaken by a later
   * one on the way must not take from it.
   */
  async #takeBack(client: Client, secret: string, attempt: number): Promise<boolean> {
    const old = this.#sessions.get(secret);
    if (old === undefined || old === client || attempt <= old.attempt) return false;
    if (old.isGone) {
      // It leaves its rooms itself; after that, its name can be had in the usual way.
      await old.departure;
      return false;
    }
    client.secret = secret;
    client.attempt = attempt === Number.POSITIVE_INFINITY ? old.attempt : attempt;
    this.#sessions.set(secret, client);
    sayGoodbye(old, { code: "replaced", message: "Another connection took this session", reconnect: false });
    await old.retire();
    this.#clients.delete(old);
    // The name that this connection may have had before goes with its own id.
    const before = client.session.person;
    if (before !== undefined) await this.#registry.release(before.key, client.id);
    client.id = old.id;
    client.session = old.session;
    for (const name of old.session.rooms.values()) {
      const room = this.#rooms.get(name.key);
      if (room === undefined) continue;
      this.#fanOut.flush(room);
      room.remove(old);
    }
    return true;
  }

  async #join(client: Client, command: CommandOf<"join">, decision: DecisionOf<"join">): Promise<void> {
    const { person, leave } = decision;
    const { session } = client;
    if (session.person?.key !== person.key && !(await this.#claim(client, person, command.id, leave))) return;
    for (const name of leave) await this.#exit(client, name);

    const room = await this.#rooms.use(decision.room);
    // The others hear first what happened before the newcomer, who is told its own way.
    this.#fanOut.flush(room);
    const { position } = room;
    client.outbox.hold();
    const isNew = !room.has(client);
    if (isNew) {
      room.add(client);
      session.rooms.set(room.name.key, room.name);
    } else {
      this.#rooms.release(room);
    }
    try {
      if (isNew) await this.#presence.enter(room.name.key, person.text, client);
      client.outbox.release(await this.#joined(client, command.id, room, position, decision));
    } catch (error) {
      // Who is told that it failed must not be in the room.
      if (isNew) await this.#exit(client, room.name);
      throw error;
    }
  }

  async #joined(
    client: Client,
    id: string | undefined,
    room: Room,
    position: Position,
    { person, after, history }: DecisionOf<"join">,
  ): Promise<Uint8Array | undefined> {
    const { names, count } = await this.#presence.members(room.name.key, this.limits.membersMax);
    const missed = await missedEntries(this.#log, room.name.key, position, after, history);
    const read = this.#readPositions.get(person.key, room.name.key, position.epoch);
    const unread = read === undefined ? undefined : await this.#countUnread(person, room, position, read);
    return this.#encodePage(client, missed, "newest", (page, isCut) => ({
      type: "joined",
      id,
      room: room.name.text,
      username: person.text,
      position: { epoch: position.epoch, seq: position.seq },
      members: names,
      count,
      ...page,
      recovered: isCut && missed.recovered ? false : missed.recovered,
      reason: isCut && missed.recovered ? "too-many" : missed.reason,
      topic: room.state.get("topic") || undefined,
      read,
      unread,
    }));
  }

  /** Takes the name for the client, and gives its earlier one back; false if it was refused. */
  async #claim(client: Client, person: Name, id: string | undefined, leave: readonly Name[] = []): Promise<boolean> {
    if (!(await this.#registry.claim(person.key, client.id))) {
      client.answer({ ...refuse("name-in-use", `The name ${person.text} is in use`), id });
      return false;
    }
    const before = client.session.person;
    // The old rooms are left under the old name.
    for (const name of leave) await this.#exit(client, name);
    client.session.person = person;
    if (before !== undefined) await this.#registry.release(before.key, client.id);
    return true;
  }

  async #leave(client: Client, id: string | undefined, name: Name): Promise<void> {
    await this.#exit(client, name);
    client.answer({ type: "ack", id, room: name.text });
  }

  /** Takes a client out of a room and tells the rest. */
  async #exit(client: Client, name: Name): Promise<void> {
    if (!client.session.rooms.delete(name.key)) return;
    const room = this.#rooms.get(name.key);
    if (room === undefined) return;
    // Whoever is gone hears nothing any more; the others hear of many that go at once in one batch.
    if (!client.isGone) this.#fanOut.flush(room);
    room.remove(client);
    const person = client.session.person as Name;
    await this.#presence.leave(name.key, person.text, client);
    this.#rooms.release(room);
  }

  async #who(client: Client, id: string | undefined, name: Name): Promise<void> {
    const { names, count } = await this.#presence.members(name.key, this.limits.membersMax);
    client.answer({ type: "who", id, room: this.#rooms.get(name.key)?.name.text ?? name.text, members: names, count });
  }

  async #listRooms(client: Client, id: string | undefined): Promise<void> {
    const rooms = await this.#presence.rooms(this.limits.roomListMax);
    client.answer({
      type: "rooms",
      id,
      rooms: rooms.map(({ room, count }) => ({ room: this.#rooms.get(room)?.name.text ?? room, count })),
    });
  }

  async #history(client: Client, id: string | undefined, decision: DecisionOf<"history">): Promise<void> {
    const { room, before, after, limit } = decision;
    const page = await this.#log.read(room.key, { before, after, limit });
    const keep = after === undefined ? "newest" : "oldest";
    const answer = { type: "history", id, room: room.text } as const;
    const bytes = this.#encodePage(client, page, keep, (cut) => ({ ...answer, ...cut }));
    if (bytes !== undefined) client.outbox.send(bytes);
  }

  async #search(client: Client, id: string | undefined, decision: DecisionOf<"search">): Promise<void> {
    const { room, query, before, limit } = decision;
    try {
      const page = await this.#log.search(room.key, query, { before, limit });
      const answer = { type: "search", id, room: room.text } as const;
      const bytes = this.#encodePage(client, page, "newest", (cut) => ({ ...answer, ...cut }));
      if (bytes !== undefined) client.outbox.send(bytes);
    } catch (error) {
      client.answer({ ...this.#failures.refusal(error), id });
    }
  }

  #tellTyping(client: Client, { room: name, person }: DecisionOf<"typing">): void {
    const room = this.#rooms.get(name.key);
    if (room === undefined || !this.#typing.tells(client, name.key, this.#now())) return;
    this.#fanOut.add(room, { type: "typing", name: person.text, origin: client });
  }

  #markRead(client: Client, id: string | undefined, { room: name, person, seq }: DecisionOf<"read">): void {
    const position = this.#rooms.get(name.key)?.position;
    if (position !== undefined) {
      const { epoch } = position;
      this.#readPositions.set(person.key, name.key, { epoch, seq: Math.min(seq, position.seq) });
    }
    client.answer({ type: "ack", id, room: name.text });
  }

  /** How much others said since; counted no further than a page goes. */
  async #countUnread(person: Name, room: Room, until: Position, after: number): Promise<number> {
    if (after >= until.seq) return 0;
    const options = { after, before: until.seq + 1, limit: this.limits.historyMax };
    const { entries } = await this.#log.read(room.name.key, options);
    return entries.filter(({ kind, from }) => kind === "chat" && from.toLowerCase() !== person.key).length;
  }

  /** Encodes an answer with as many of the entries as half an outbox takes: nobody is let go for what it asked. */
  #encodePage(
    client: Client,
    { entries, more }: Page,
    keep: "newest" | "oldest",
    answer: (page: Page, isCut: boolean) => Answer,
  ): Uint8Array | undefined {
    let bytes = client.format.answer(answer({ entries, more }, false));
    let kept = entries;
    while (bytes !== undefined && bytes.length > this.limits.outboxBytesMax / 2 && kept.length > 1) {
      const half = kept.length >>> 1;
      kept = keep === "newest" ? kept.slice(-half) : kept.slice(0, half);
      bytes = client.format.answer(answer({ entries: kept, more: true }, true));
    }
    return bytes;
  }

  #ping(client: Client, now: number): void {
    if (client.session.version === 2) client.answer({ type: "ping" });
    else if (client.link.ping !== undefined) client.link.ping();
    else return;
    client.pingedAt = now;
  }
}

function sayGoodbye(client: Client, goodbye: Goodbye): void {
  client.outbox.close(client.format.answer({ type: "bye", ...goodbye }));
  client.link.close(goodbye);
}

/** Waits for it, but no longer than this. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}

/** For each entry, the `seq` of its author's next one that was appended together with it. */
function nextOwnSeqs(entries: readonly NewEntry[], results: readonly AppendResult[]): readonly (number | undefined)[] {
  const next = new Map<unknown, number>();
  const seqs: (number | undefined)[] = [];
  for (let i = entries.length - 1; i >= 0; i -= 1) {
    const { origin } = entries[i] as NewEntry;
    const result = results[i] as AppendResult;
    seqs[i] = next.get(origin);
    if (result.type === "appended") next.set(origin, result.seq);
  }
  return seqs;
}
