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
} from "../core/mod.ts";
import { AppendBatcher } from "./append-batcher.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";
import { FanOut } from "./fan-out.ts";
import { Lease } from "./lease.ts";
import type { Link } from "./link.ts";
import { LogFailures } from "./log-failures.ts";
import { Membership } from "./membership.ts";
import type { Bus, Hint } from "./ports/bus.ts";
import type { Entry, RoomLog } from "./ports/room-log.ts";
import type { RoomSearch } from "./ports/room-search.ts";
import type { Roster, RosterChange, RosterUser } from "./ports/roster.ts";
import type { Users } from "./ports/users.ts";
import { checkRate } from "./rates.ts";
import { ReadPositions } from "./read-positions.ts";
import type { Room } from "./room.ts";
import { RoomReader } from "./room-reader.ts";
import { Rooms } from "./rooms.ts";
import { Sessions } from "./sessions.ts";
import { Settlement } from "./settlement.ts";
import { Typing } from "./typing.ts";
import type { User } from "./user.ts";
import type { Encoder, FormatChange, Framing, WireFormat } from "./wire-format.ts";
import { WireFormats } from "./wire-formats.ts";

/** The hub's ports and settings. Time and secrets are injected, so that tests control them. */
export interface HubOptions {
  readonly log: RoomLog;
  /** @default `search` is answered `unsupported` */
  readonly search?: RoomSearch | undefined;
  readonly users: Users;
  readonly roster: Roster;
  readonly bus: Bus;
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

/** How the server writes to a new client. */
export interface Wire {
  /** Without capabilities: the client has negotiated none yet. */
  readonly encoder: Encoder;
  readonly framing: Framing;
}

/** Clients told to reconnect within one second of a shutdown, so that they do not all return at once. */
const RETURNS_PER_SECOND = 1_000;

const REPLACED: Goodbye = {
  code: "replaced",
  message: "Another connection took this session",
  reconnect: false,
};

/**
 * Connects clients and rooms. It carries out what the rules decide, in each client's order, and sends rooms their
 * events, in each room's order. All room events come from the followers of the log and of the roster.
 */
export class Hub implements ConnectionOwner {
  readonly limits: ChatLimits;
  readonly #log: RoomLog;
  readonly #users: Users;
  readonly #roster: Roster;
  readonly #bus: Bus;
  readonly #report: (error: unknown) => void;
  readonly #rates: RateLimits | undefined;
  readonly now: () => number;
  readonly #failures: LogFailures;
  readonly #rooms: Rooms;
  readonly #fanOut = new FanOut();
  readonly #appends: AppendBatcher;
  readonly #settlement: Settlement;
  readonly #reader: RoomReader;
  readonly #lease: Lease;
  readonly #sessions: Sessions;
  readonly #membership: Membership;
  readonly #formats = new WireFormats();
  /** By id. */
  readonly #connections = new Map<string, Connection>();
  readonly #typing: Typing;
  readonly #readPositions: ReadPositions;
  /** Set while draining: the reason given to new clients. */
  #goodbye: Goodbye | undefined;
  #lastId = 0;

  constructor(options: HubOptions) {
    const { log, search, users, roster, bus, limits, report, now, newSecret } = options;
    this.limits = limits;
    this.#log = log;
    this.#users = users;
    this.#roster = roster;
    this.#bus = bus;
    this.#rates = options.rates;
    this.now = now;
    this.#report = report;
    const fanOut = this.#fanOut;
    const failures = new LogFailures(report, now);
    const lease = new Lease(roster, this.#connections);
    const rooms = new Rooms({ log, lease, report, kick: (room, kick) => this.#membership.kick(room, kick) });
    const mayAsk = (connection: Connection) => checkRate(connection, { type: "rooms" }, now()) === undefined;
    this.#failures = failures;
    this.#rooms = rooms;
    this.#settlement = new Settlement({ rooms, fanOut, failures, now });
    this.#lease = lease;
    this.#appends = new AppendBatcher({ log, lease, fanOut, settlement: this.#settlement });
    this.#reader = new RoomReader({ log, search, roster, users, rooms, limits, mayAsk });
    const reader = this.#reader;
    const sessions = new Sessions({ roster, limits, newSecret });
    this.#sessions = sessions;
    this.#typing = new Typing({ bus, rooms, sessions, fanOut });
    this.#readPositions = new ReadPositions({ users, bus, rooms, sessions });
    const connection = (id: string) => this.#connections.get(id);
    this.#membership = new Membership({
      roster,
      sessions,
      rooms,
      fanOut,
      settlement: this.#settlement,
      reader,
      limits,
      connection,
      report,
    });
    this.#log.follow({
      entries: (entries) => this.#committed(entries),
      lost: (room, reason) => this.#lost(room, reason),
    });
    this.#roster.follow((change) => this.#changed(change));
    this.#bus.follow((hint) => this.#hinted(hint));
  }

  /** Adds a client for a gateway's connection. */
  connect(link: Link, { encoder, framing }: Wire): Connection {
    this.#lastId += 1;
    const now = this.now();
    const rates = this.#rates?.of(link.address, now);
    // Before negotiating, a format is always granted.
    const format = this.#formats.use(encoder, framing) as WireFormat;
    const id = `${this.#roster.node}.${this.#lastId}`;
    const connection = new Connection(this, link, { id, now, rates, format });
    this.#connections.set(id, connection);
    if (this.#goodbye !== undefined) connection.dismiss(this.#goodbye);
    return connection;
  }

  /** Called for every message from the client, pongs included. */
  heard(connection: Connection): void {
    connection.heardAt = this.now();
    connection.pingedAt = undefined;
  }

  /**
   * Pings silent clients. Dismisses those that do not answer and those that join no room in time. Ends sessions whose
   * client did not come back. Opens rooms again that have lost entries. Call it about every second.
   */
  sweep(): void {
    void this.#lease.sweep().catch(this.#report);
    const now = this.now();
    const { pingMs, pongMs, joinTimeoutMs } = this.limits;
    for (const connection of this.#connections.values()) {
      if (connection.pingedAt !== undefined && now - connection.pingedAt >= pongMs) {
        connection.dismiss({ code: "ping-timeout", message: "No answer to a ping", reconnect: true });
      } else if (!connection.session.hasJoined && now - connection.connectedAt >= joinTimeoutMs) {
        connection.dismiss({ code: "join-timeout", message: "Nothing was joined in time", reconnect: false });
      } else if (connection.pingedAt === undefined && now - connection.heardAt >= pingMs) {
        this.#ping(connection, now);
      }
    }
    for (const key of this.#settlement.overdueRooms()) this.#lost(key, "an appended entry did not arrive");
    for (const { name } of this.#rooms.overdue()) this.#lost(name.key, "an entry that a client knows did not arrive");
    for (const room of [...this.#rooms.closed]) void this.#reopen(room);
  }

  /**
   * Closes all connections with `goodbye`, and each new one. Requests received before are carried out and answered
   * first, for at most `timeoutMs`; later ones are ignored. The sessions stay as they are. Each client gets a
   * different time to reconnect.
   */
  async drain(goodbye: Goodbye, timeoutMs: number): Promise<void> {
    this.#goodbye = goodbye;
    const connections = [...this.#connections.values()].filter(({ isGone }) => !isGone);
    await within(timeoutMs, Promise.all(connections.map((connection) => connection.requests.complete())));
    for (const [index, connection] of connections.entries()) {
      if (connection.isGone) continue;
      connection.retire();
      connection.sayGoodbye({ ...goodbye, afterMs: Math.floor((index * 1_000) / RETURNS_PER_SECOND) });
    }
  }

  /** Closes the ports. Call it after {@link drain}. */
  async close(): Promise<void> {
    await Promise.all([this.#log, this.#users, this.#roster, this.#bus].map((port) => port.close()));
  }

  failed(error: unknown): Refusal {
    return this.#failures.refusal(error);
  }

  carryOut(connection: Connection, command: Command, decision: Decision): Promise<void> | undefined {
    switch (decision.type) {
      case "append":
        this.#appends.add(connection, command.id, decision);
        return undefined;
      case "set":
        this.#appends.add(connection, command.id, decision, this.#rooms.get(decision.room.key)?.stateSeq);
        return undefined;
      case "typing":
        this.#typing.typed(connection.user as User, decision.room, this.now());
        return undefined;
      case "read":
        return this.#readPositions.mark(connection, command.id, decision);
      case "topic":
        this.#catchUp(connection, decision.room);
        connection.answer({ type: "topic", id: command.id, room: decision.room.text, topic: decision.topic });
        return undefined;
      case "pong":
        connection.answer({ type: "pong", id: command.id });
        return undefined;
      case "greet":
        return this.#membership.greet(connection, command.id, decision);
      case "join":
        return this.#membership.join(connection, command as CommandOf<"join">, decision);
      case "leave":
        return this.#membership.leave(connection, command.id, decision.room);
      case "bye":
        return this.#membership.bye(connection);
      case "who":
        this.#catchUp(connection, decision.room);
        return this.#reader.who(connection, command.id, decision.room);
      case "users":
        return this.#reader.users(connection, command.id, decision);
      case "rooms":
        for (const room of connection.session.rooms.values()) this.#catchUp(connection, room);
        return this.#reader.list(connection, command.id);
      case "history":
        return this.#reader.history(connection, command.id, decision);
      case "search":
        return this.#reader.search(connection, command.id, decision);
      case "refusal":
      case "nothing":
        return undefined;
    }
  }

  readonly stateOf = ({ key }: Name): ReadonlyMap<string, string> | undefined => this.#rooms.get(key)?.state;

  /** Answers in the new format, or refuses in the present one. The client's rooms write to it in the new one. */
  changeFormat(connection: Connection, { encoder, id }: FormatChange): void {
    const before = connection.format;
    const format = this.#formats.use(encoder, before.framing);
    if (format === undefined) {
      connection.answer({ ...refuse("busy", "Too many wire formats are in use"), id });
      return;
    }
    this.#formats.release(before);
    connection.format = format;
    for (const key of connection.session.rooms.keys()) this.#rooms.get(key)?.regroup(connection);
    connection.answer({ type: "format", id, capabilities: encoder.capabilities });
  }

  ended(connection: Connection): void {
    this.#formats.release(connection.format);
  }

  async departed(connection: Connection): Promise<void> {
    await this.#membership.departed(connection);
    this.#connections.delete(connection.id);
  }

  #committed(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const room = this.#rooms.get(entry.room);
      if (room === undefined) continue;
      const arrival = room.arrive(entry);
      if (arrival === "again") continue;
      if (arrival === "gap") {
        this.#lost(entry.room, `entry ${entry.seq} follows ${entry.prev}, the last one was ${room.position.seq}`);
        room.arrive(entry);
      }
      if (entry.kind === "set") this.#settlement.recheck(room);
      if (room.isEmpty) continue;
      const author = entry.origin === undefined ? undefined : this.#connections.get(entry.origin);
      // Its ack stands in the entry's place, if it is a member.
      const origin = author !== undefined && room.has(author) ? author : undefined;
      this.#fanOut.add(room, { type: "entry", entry, origin });
      if (origin !== undefined) {
        origin.requests.passed(entry.room, entry.seq);
        this.#settlement.passed(origin);
      }
      if (entry.kind === "kick") this.#membership.kick(room, entry);
    }
  }

  /** Entries of the room are missing: its members catch up by joining again. */
  #lost(key: string, reason: string): void {
    const room = this.#rooms.get(key);
    if (room === undefined) return;
    const isKnown = room.isOpening;
    room.lose();
    if (isKnown) return;
    this.#report(new Error(`Entries of the room ${JSON.stringify(key)} were lost: ${reason}`));
    this.#fanOut.add(room, { type: "resync" });
    void this.#reopen(room);
  }

  async #reopen(room: Room): Promise<void> {
    await this.#rooms.reopen(room);
    this.#settlement.recheck(room);
  }

  #changed(change: RosterChange): void {
    switch (change.type) {
      case "joined":
      case "left":
        this.#tellPresence(change.room, change.user, change.type);
        return;
      case "renamed":
        this.#sessions.user(change.user.id)?.rename(change.user.name);
        this.#tellPresence(change.room, { id: change.user.id, name: change.before }, "left");
        this.#tellPresence(change.room, change.user, "joined");
        return;
      case "replaced": {
        const connection = this.#connections.get(change.connection);
        if (connection !== undefined) connection.dismiss(REPLACED);
        return;
      }
      case "ended":
        // A guest's read positions end with the guest.
        void this.#users.forget(change.user).catch(this.#report);
        return;
    }
  }

  #tellPresence(roomKey: string, { id, name }: RosterUser, state: "joined" | "left"): void {
    const room = this.#rooms.get(roomKey);
    if (room === undefined || room.isEmpty) return;
    this.#fanOut.add(room, { type: "presence", name, state, user: this.#sessions.user(id) });
  }

  /** Sends the room's pending events, if the client is a member: an answer about the room must not overtake them. */
  #catchUp(connection: Connection, { key }: Name): void {
    const room = this.#rooms.get(key);
    if (room?.has(connection)) this.#fanOut.flush(room);
  }

  sendAcks(connection: Connection, room: string): void {
    const open = this.#rooms.get(room);
    if (open?.has(connection)) this.#fanOut.flush(open);
  }

  #hinted(hint: Hint): void {
    if (hint.type === "typing") this.#typing.tell(hint);
    else this.#readPositions.tell(hint);
  }

  #ping(connection: Connection, now: number): void {
    const bytes = connection.encode({ type: "ping" });
    if (bytes !== undefined) connection.outbox.send(bytes);
    else if (connection.link.ping !== undefined) connection.link.ping();
    else return;
    connection.pingedAt = now;
  }
}

/** Waits for `work`, at most `ms` milliseconds. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}
