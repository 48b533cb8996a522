import assert from "node:assert/strict";
import { RequestReader } from "../../packages/server/src/dialects/json/mod.ts";
import type { Connection } from "../../packages/server/src/hub/mod.ts";
import { FakeLink, JSON_LINES, type Message } from "../hub-fixture.ts";
import type { Node } from "./node.ts";
import type { Scheduler } from "./scheduler.ts";

/** A message or topic that was not acknowledged yet. */
interface Unsettled {
  readonly said: Said;
  readonly request: Message;
  readonly room: string;
  /** Whether it is on its way on this connection. */
  isSent: boolean;
}

/** A message or topic of an observer, and its outcome. */
export interface Said {
  readonly id: string;
  readonly room: string;
  readonly username: string;
  readonly text: string;
  /** Set when it was acknowledged. */
  seq: number | undefined;
  /** It may have been stored without an answer. */
  isInDoubt: boolean;
  /** The code of the refusal. */
  refusal: string | undefined;
}

/** What an observer knows of a room, from its first answer to `join` to its end. */
export class Stay {
  readonly name: string;
  readonly epoch: string;
  /** The position of the first answer to `join`. */
  readonly from: number;
  /** The position of the last answer to `join`. */
  joinedAt: number;
  /** Up to here, everything was seen. */
  last: number;
  /** The entries seen, in their order. */
  readonly seen: number[] = [];
  /** Rejoins on the same connection: the positions before and after. */
  readonly resyncs: { readonly from: number; readonly to: number }[] = [];
  members: Set<string>;
  /** Whether the connection broke since the last answer to `join`. */
  isBroken = false;
  /** Waits for the answer to a rejoin. Until then, events are ignored, as the answer has them. */
  isLive = true;

  constructor({ room, position, members }: Message) {
    this.name = room as string;
    const { epoch, seq } = position as { epoch: string; seq: number };
    this.epoch = epoch;
    this.from = seq;
    this.joinedAt = seq;
    this.last = seq;
    this.members = new Set(members as string[]);
  }
}

/** A connection, as the client sees it. */
class Wire {
  readonly node: Node;
  readonly link = new FakeLink();
  readonly #scheduler: Scheduler;
  readonly #reader = new RequestReader((request) => this.#connection?.receive(request));
  readonly #lane: readonly string[];
  #connection: Connection | undefined;
  #read = 0;

  constructor(node: Node, scheduler: Scheduler, name: string) {
    this.node = node;
    this.#scheduler = scheduler;
    this.#lane = [`requests ${name}`];
    this.#add(() => {
      this.#connection = node.hub.connect(this.link, JSON_LINES);
    });
  }

  /** Whether the client finds out, on reading, that the connection has ended. */
  get isOver(): boolean {
    return this.node.isCrashed || this.link.closes.length > 0;
  }

  send(request: object): void {
    const text = JSON.stringify(request);
    this.#add(() => this.#reader.read(text));
  }

  /** Ends the connection. The server notices later. */
  drop(): void {
    this.#add(() => this.#connection?.gone());
  }

  read(): readonly Message[] {
    if (this.#read === this.link.sent.length) return [];
    const lines = Buffer.concat(this.link.sent.slice(this.#read)).toString().split("\n");
    this.#read = this.link.sent.length;
    assert.equal(lines.pop(), "", "an incomplete line");
    return lines.map((line) => JSON.parse(line));
  }

  #add(run: () => void): void {
    this.#scheduler.add({ of: this.node, behind: this.#lane, run });
  }
}

export type ObserverState = "offline" | "greeting" | "online" | "gone";

/** A client of version 2, with the rules of a client library: it comes back, rejoins and sends again. */
export class Observer {
  readonly label: string;
  readonly name: string;
  /** Another client of the same user. It shares that one's session if it has none. */
  partner: Observer | undefined;
  state: ObserverState = "offline";
  /** Stands for the user: observers that share have the same one. */
  user: object = {};
  /** The rooms that it is in. */
  readonly rooms = new Map<string, Stay>();
  /** Those and the earlier ones. */
  readonly stays: Stay[] = [];
  /** The rooms to be in. */
  readonly wanted = new Set<string>();
  readonly said: Said[] = [];
  readonly #unsettled = new Map<string, Unsettled>();
  /** The requests to be answered on this connection, by id. */
  readonly #pending = new Map<string, Message>();
  readonly #scheduler: Scheduler;
  #wire: Wire | undefined;
  #token: string | undefined;
  #greetsAs: "new" | "resumed" | "shared" = "new";
  #attempt = 0;
  #lastId = 0;

  constructor(label: string, name: string, scheduler: Scheduler) {
    this.label = label;
    this.name = name;
    this.#scheduler = scheduler;
  }

  /** The token for another client of the user. */
  get sharedToken(): string | undefined {
    return this.state === "gone" ? undefined : this.#token;
  }

  /** Whether a server acts for this client now. */
  get isServed(): boolean {
    const wire = this.#wire;
    if (this.state !== "online" || wire === undefined || wire.isOver) return false;
    return wire.node.roster.isLeased() && !wire.node.roster.isReclaiming;
  }

  /** Whether everything that it asked for was answered. */
  get isSettled(): boolean {
    if (this.state === "gone") return true;
    const isIn = [...this.wanted].every((room) => this.rooms.get(room)?.isLive);
    return this.state === "online" && this.#pending.size === 0 && this.#unsettled.size === 0 && isIn;
  }

  get waitsFor(): string {
    const wanted = [...this.wanted].filter((room) => !this.rooms.get(room)?.isLive);
    const ids = (map: ReadonlyMap<string, unknown>) => [...map.keys()].join(" ");
    return `${this.label} is ${this.state}, waits for [${ids(this.#pending)}], [${ids(this.#unsettled)}], [${wanted}]`;
  }

  connect(node: Node): void {
    if (this.state === "gone") return;
    if (this.#wire !== undefined) this.drop();
    this.#attempt += 1;
    this.#wire = new Wire(node, this.#scheduler, `${this.label} ${this.#attempt}`);
    this.state = "greeting";
    this.#greet();
  }

  /** Loses the connection, and the unread messages with it. */
  drop(): void {
    this.#wire?.drop();
    this.#lost();
  }

  join(room: string): void {
    if (this.state !== "online" || this.wanted.has(room)) return;
    this.wanted.add(room);
    this.#ask({ type: "join", room });
  }

  leave(room: string): void {
    if (this.state !== "online" || !this.rooms.get(room)?.isLive) return;
    this.wanted.delete(room);
    this.#leave(room);
    this.#ask({ type: "leave", room });
  }

  say(room: string, type: "chat" | "topic"): void {
    if (this.state !== "online" || !this.rooms.get(room)?.isLive) return;
    const id = this.#newId();
    const text = `${type} ${id}`;
    const request = { type, id, room, [type === "chat" ? "message" : "topic"]: text };
    const said: Said = { id, room, username: this.name, text, seq: undefined, isInDoubt: false, refusal: undefined };
    this.said.push(said);
    this.#unsettled.set(id, { said, request, room, isSent: true });
    this.#wire?.send(request);
  }

  who(room: string): void {
    if (this.state === "online" && this.rooms.get(room)?.isLive) this.#ask({ type: "who", room });
  }

  typing(room: string): void {
    if (this.state === "online" && this.rooms.get(room)?.isLive) this.#wire?.send({ type: "typing", room });
  }

  markRead(room: string): void {
    const seq = this.rooms.get(room)?.last;
    if (this.state === "online" && seq !== undefined) this.#ask({ type: "read", room, seq });
  }

  ping(): void {
    if (this.state === "online") this.#ask({ type: "ping" });
  }

  /** Ends the session for good. */
  bye(): void {
    if (this.state !== "online") return;
    this.#wire?.send({ type: "bye" });
    this.vanish();
  }

  /** Loses the connection and never comes back. */
  vanish(): void {
    this.drop();
    this.state = "gone";
    this.wanted.clear();
    this.#unsettled.clear();
  }

  /** Reads what has arrived. */
  hear(): void {
    const wire = this.#wire;
    for (const message of wire?.read() ?? []) {
      this.#take(message);
      if (this.#wire !== wire) return;
    }
    if (wire?.isOver) this.#lost();
  }

  /** Connects if it is offline. Sends again what was refused for now. */
  retry(node: Node): void {
    if (this.state === "offline") this.connect(node);
    if (this.state !== "online") return;
    for (const room of this.wanted) if (!this.rooms.get(room)?.isLive && !this.#isJoining(room)) this.#rejoin(room);
    for (const each of this.#unsettled.values()) if (this.rooms.get(each.room)?.isLive) this.#sendAgain(each);
  }

  #greet(): void {
    const shared = this.partner?.sharedToken;
    if (this.#token !== undefined) {
      this.#greetsAs = "resumed";
      this.#ask({ type: "hello", version: 2, session: this.#token, attempt: this.#attempt });
    } else if (shared !== undefined && this.#greetsAs !== "shared") {
      this.#greetsAs = "shared";
      this.#ask({ type: "hello", version: 2, session: shared, share: true });
    } else {
      this.#greetsAs = "new";
      this.#ask({ type: "hello", version: 2, username: this.name });
    }
  }

  #lost(): void {
    this.#wire = undefined;
    if (this.state !== "gone") this.state = "offline";
    this.#pending.clear();
    for (const room of this.rooms.values()) {
      room.isLive = false;
      room.isBroken = true;
    }
    for (const each of this.#unsettled.values()) {
      if (each.isSent) each.said.isInDoubt = true;
      each.isSent = false;
    }
  }

  #leave(room: string): void {
    this.rooms.delete(room);
    for (const [id, each] of this.#unsettled) if (each.room === room) this.#unsettled.delete(id);
  }

  #newId(): string {
    this.#lastId += 1;
    return `${this.label}-${this.#lastId}`;
  }

  #ask(request: { readonly type: string; readonly [field: string]: unknown }): void {
    const id = this.#newId();
    const asked = { ...request, id };
    this.#pending.set(id, asked);
    this.#wire?.send(asked);
  }

  #rejoin(room: string): void {
    const known = this.rooms.get(room);
    if (known !== undefined) known.isLive = false;
    const after = known && { epoch: known.epoch, seq: known.last };
    this.#ask({ type: "join", room, ...(after === undefined ? {} : { after }) });
  }

  #take(message: Message): void {
    const asked = this.#pending.get(message.id as string);
    if (asked !== undefined) this.#pending.delete(message.id as string);
    switch (message.type) {
      case "hello":
        this.#greeted(message);
        break;
      case "joined":
        this.#joined(message);
        break;
      case "chat":
      case "set":
        this.#arrived(message);
        break;
      case "kicked":
        this.#kicked(message);
        break;
      case "ack":
        this.#acknowledged(message);
        break;
      case "presence":
        this.#presence(message);
        break;
      case "who":
        this.#members(message);
        break;
      case "resync":
        if (this.rooms.get(message.room as string)?.isLive) this.#rejoin(message.room as string);
        break;
      case "error":
        this.#refused(message, asked);
        break;
      case "bye":
        this.#dismissed(message);
        break;
      case "welcome":
      case "pong":
      case "typing":
      case "read":
        break;
      default:
        assert.fail(`${this.label} got ${JSON.stringify(message)}`);
    }
  }

  #greeted({ session, username, rooms }: Message): void {
    assert.equal(username, this.name, `${this.label} got another name`);
    if (this.#greetsAs !== "resumed") this.user = (this.#greetsAs === "shared" && this.partner?.user) || {};
    this.#greetsAs = "new";
    this.#token = session as string;
    this.state = "online";
    for (const room of (rooms ?? []) as string[]) if (!this.wanted.has(room)) this.#ask({ type: "leave", room });
    for (const room of this.wanted) this.#rejoin(room);
  }

  #joined(message: Message): void {
    const name = message.room as string;
    if (!this.wanted.has(name)) return;
    const known = this.rooms.get(name);
    if (known === undefined) {
      const stay = new Stay(message);
      this.rooms.set(name, stay);
      this.stays.push(stay);
    } else {
      const { epoch, seq } = message.position as { epoch: string; seq: number };
      assert.equal(message.recovered, true, `${this.label} could not recover ${name}: ${message.reason}`);
      assert.equal(epoch, known.epoch, `the epoch of ${name} changed`);
      if (!known.isBroken) known.resyncs.push({ from: known.last, to: seq });
      for (const entry of message.entries as Message[]) this.#see(known, entry);
      assert.ok(seq >= known.last, `${this.label} was ahead of ${name}: ${known.last} after ${seq}`);
      known.last = seq;
      known.joinedAt = seq;
      known.members = new Set(message.members as string[]);
      known.isLive = true;
      known.isBroken = false;
    }
    for (const each of this.#unsettled.values()) if (each.room === name && !each.isSent) this.#sendAgain(each);
  }

  #sendAgain(each: Unsettled): void {
    if (each.isSent) return;
    each.isSent = true;
    this.#wire?.send(each.request);
  }

  #arrived(message: Message): void {
    const room = this.rooms.get(message.room as string);
    if (room?.isLive !== true) return;
    const { seq, prev } = message as unknown as { seq: number; prev: number };
    assert.ok(seq > room.last, `${this.label} saw ${message.room} ${seq} after ${room.last}`);
    assert.ok(prev <= room.last, `${this.label} missed what is between ${message.room} ${room.last} and ${seq}`);
    this.#see(room, message);
  }

  #see(room: Stay, message: Message): void {
    const seq = message.seq as number;
    if (seq <= room.last) return;
    room.seen.push(seq);
    room.last = seq;
    // An own entry in an answer to `join`.
    if (message.id !== undefined) this.#settle(message.id as string, seq);
  }

  #acknowledged(message: Message): void {
    const { id, seq } = message as unknown as { id: string; seq: number | undefined };
    if (seq === undefined) return;
    const isKnown = this.said.some((each) => each.id === id && each.seq === seq);
    this.#settle(id, seq);
    const room = this.rooms.get(message.room as string);
    if (room?.isLive !== true || message.duplicate) return;
    // The answer to a rejoin had it already.
    if (isKnown && seq <= room.last) return;
    assert.ok(seq > room.last, `${this.label} got the ack of ${message.room} ${seq} after ${room.last}`);
    room.seen.push(seq);
    room.last = seq;
  }

  #settle(id: string, seq: number): void {
    this.#unsettled.delete(id);
    const said = this.said.find((each) => each.id === id);
    if (said === undefined) return;
    assert.ok(said.seq === undefined || said.seq === seq, `${id} was acknowledged at ${said.seq} and at ${seq}`);
    said.seq = seq;
  }

  #presence({ room: name, username, state }: Message): void {
    const room = this.rooms.get(name as string);
    if (room?.isLive !== true) return;
    if (state === "joined") room.members.add(username as string);
    else room.members.delete(username as string);
  }

  #members({ room: name, members }: Message): void {
    const room = this.rooms.get(name as string);
    if (room?.isLive !== true) return;
    const known = [...room.members].sort();
    assert.deepEqual(
      (members as string[]).toSorted(),
      known,
      `${this.label}: the list of ${name} is not what it was told`,
    );
  }

  #kicked({ room: name }: Message): void {
    const room = name as string;
    // A join on its way enters the room again.
    if (!this.#isJoining(room)) this.wanted.delete(room);
    this.#leave(room);
  }

  #refused({ id, code, message }: Message, asked: Message | undefined): void {
    const said = this.said.find((each) => each.id === id);
    if (said !== undefined) {
      this.#notStored(said, code as string);
    } else if (asked?.type === "hello") {
      this.#notGreeted(code as string);
    } else {
      const isExpected = code === "unavailable" || code === "busy" || (code === "not-joined" && asked?.type !== "join");
      assert.ok(isExpected, `${this.label}: ${asked?.type} was refused with ${code}: ${message}`);
    }
  }

  #notStored(said: Said, code: string): void {
    const unsettled = this.#unsettled.get(said.id);
    if (code === "in-doubt") {
      said.isInDoubt = true;
      if (unsettled !== undefined) unsettled.isSent = false;
    } else {
      said.refusal = code;
      this.#unsettled.delete(said.id);
    }
  }

  #notGreeted(code: string): void {
    if (code === "session-unknown") {
      this.#token = undefined;
      this.#greet();
    } else {
      assert.ok(
        ["name-in-use", "unavailable", "busy", "too-many-connections"].includes(code),
        `${this.label} got ${code}`,
      );
      this.drop();
    }
  }

  #dismissed({ code, reconnect }: Message): void {
    if (!reconnect) {
      // Only a node that claims its sessions again may find that one is taken: a client has one connection at a time.
      assert.ok(this.#wire?.node.roster.hasReclaimed, `${this.label} lost its session: ${code}`);
      this.#token = undefined;
    }
    this.#lost();
  }

  #isJoining(room: string): boolean {
    return this.#pending.values().some((request) => request.type === "join" && request.room === room);
  }
}
