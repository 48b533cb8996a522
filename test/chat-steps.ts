/**
 * Steps that act on the model and on a real server. After each step, every client must have received all expected
 * messages and no others.
 *
 * @module
 */
import assert from "node:assert/strict";
import type fc from "fast-check";
import {
  type ChatModel,
  type ChatSystem,
  entriesOf,
  expected,
  NAMES,
  type Person,
  type PersonModel,
  ROOMS,
} from "./chat-model.ts";
import type { RawClient } from "./raw-client.ts";

type Step = fc.AsyncCommand<ChatModel, ChatSystem>;

/** An action of one person. */
abstract class Doing implements Step {
  readonly who: number;
  readonly room: string;

  constructor(who: number, room: number) {
    this.who = who;
    this.room = ROOMS[room] as string;
  }

  /** Whether the person must be online. */
  check(model: ChatModel): boolean {
    return this.model(model).isOnline;
  }

  async run(model: ChatModel, system: ChatSystem): Promise<void> {
    await this.do(model, system);
    await compare(model, system);
  }

  abstract do(model: ChatModel, system: ChatSystem): Promise<void>;
  abstract toString(): string;

  protected model({ people }: ChatModel): PersonModel {
    return people[this.who] as PersonModel;
  }

  protected person({ people }: ChatSystem): Person {
    return people[this.who] as Person;
  }

  protected get name(): string {
    return NAMES[this.who] as string;
  }

  protected get label(): string {
    return `${this.name} (${this.who})`;
  }
}

/** Compares the received messages. The answer to a ping proves that all earlier messages have arrived. */
async function compare(model: ChatModel, system: ChatSystem): Promise<void> {
  for (const [i, { isOnline, name, told }] of model.people.entries()) {
    const person = system.people[i] as Person;
    if (isOnline) assert.equal((await person.ask({ type: "ping" })).type, "pong");
    assert.deepEqual(person.told, told, `${name} received other messages than the model`);
  }
}

/**
 * Connects or reconnects: rejoins the rooms and receives the missed messages. A person who is online reconnects while the
 * old connection is open, or while it breaks.
 */
export class Come extends Doing {
  readonly isReset: boolean;

  constructor(who: number, room: number, isReset: boolean) {
    super(who, room);
    this.isReset = isReset;
  }

  override check(): boolean {
    return true;
  }

  async do(model: ChatModel, system: ChatSystem): Promise<void> {
    const mine = this.model(model);
    const person = this.person(system);
    const old = mine.isOnline ? person.client : undefined;
    if (mine.isOnline) mine.drop(model);
    mine.isOnline = true;
    if (this.isReset) old?.socket.resetAndDestroy();
    await system.connect(person, mine.rooms);
    if (old !== undefined && !this.isReset) {
      assert.equal((await old.rest()).at(-1)?.code, "replaced");
      await old.close();
    }
    for (const [room, after] of mine.known) {
      mine.rooms.add(room);
      await system.join(person, room, { after }, model);
    }
    mine.known.clear();
  }

  toString(): string {
    return `${this.label} comes${this.isReset ? ", its connection breaks" : ""}`;
  }
}

export class Join extends Doing {
  readonly history: number;

  constructor(who: number, room: number, history: number) {
    super(who, room);
    this.history = history;
  }

  async do(model: ChatModel, system: ChatSystem): Promise<void> {
    this.model(model).rooms.add(this.room);
    const log = model.log(this.room);
    if (log.length === 0) log.push({ username: this.name, text: "undefined", id: "the name" });
    await system.join(this.person(system), this.room, { history: this.history }, model);
  }

  toString(): string {
    return `${this.label} joins ${this.room} with ${this.history}`;
  }
}

/** Sends a message. Its id may be new or repeated, with the same text or another. */
export class Chat extends Doing {
  readonly id: string;
  readonly text: string;

  constructor(who: number, room: number, id: number, text: number) {
    super(who, room);
    this.id = `id ${id}`;
    this.text = `text ${text}`;
  }

  async do(model: ChatModel, system: ChatSystem): Promise<void> {
    const { room, id, text, name: username } = this;
    const answer = await this.person(system).ask({ type: "chat", id, room, message: text });
    if (!this.model(model).rooms.has(room)) {
      assert.deepEqual([answer.type, answer.code], ["error", "not-joined"]);
      return;
    }
    const log = model.log(room);
    const earlier = log.findIndex((said) => said.username === username && said.id === id);
    if (earlier === -1) {
      log.push({ username, text, id });
      assert.deepEqual([answer.type, answer.seq, answer.duplicate], ["ack", log.length, undefined]);
      const line = expected(log, room, log.length - 1)[0] as string;
      const mine = this.model(model);
      for (const each of model.people) if (each !== mine && each.isOnline && each.rooms.has(room)) each.told.push(line);
    } else if (log[earlier]?.text === text) {
      assert.deepEqual([answer.type, answer.seq, answer.duplicate], ["ack", earlier + 1, true]);
    } else {
      assert.deepEqual([answer.type, answer.code], ["error", "id-reused"]);
    }
  }

  toString(): string {
    return `${this.label} says "${this.text}" in ${this.room} as ${this.id}`;
  }
}

export class Leave extends Doing {
  async do(model: ChatModel, system: ChatSystem): Promise<void> {
    const wasThere = this.model(model).rooms.delete(this.room);
    const answer = await this.person(system).ask({ type: "leave", room: this.room });
    assert.equal(answer.type === "ack" ? "ack" : answer.code, wasThere ? "ack" : "not-joined");
  }

  toString(): string {
    return `${this.label} leaves ${this.room}`;
  }
}

/** Ends the connection, normally or by a reset. The session waits. */
export class Drop extends Doing {
  readonly isReset: boolean;

  constructor(who: number, room: number, isReset: boolean) {
    super(who, room);
    this.isReset = isReset;
  }

  async do(model: ChatModel, system: ChatSystem): Promise<void> {
    const client = this.person(system).client as RawClient;
    this.model(model).drop(model);
    if (this.isReset) await client.reset();
    else await client.finish().ended();
    await client.close();
  }

  toString(): string {
    return `${this.label}'s connection ${this.isReset ? "breaks" : "ends"}`;
  }
}

/** Ends the session. */
export class Bye extends Doing {
  async do(model: ChatModel, system: ChatSystem): Promise<void> {
    const person = this.person(system);
    const client = person.client as RawClient;
    this.model(model).end();
    client.send({ type: "bye" });
    await client.ended();
    await client.close();
    person.session = undefined;
  }

  toString(): string {
    return `${this.label} says bye`;
  }
}

export class History extends Doing {
  readonly bound: "after" | "before";
  readonly seq: number;
  readonly limit: number;

  constructor(who: number, room: number, { bound, seq, limit }: Pick<History, "bound" | "seq" | "limit">) {
    super(who, room);
    this.bound = bound;
    this.seq = seq;
    this.limit = limit;
  }

  async do(model: ChatModel, system: ChatSystem): Promise<void> {
    const { room, bound, seq, limit } = this;
    const answer = await this.person(system).ask({ type: "history", room, [bound]: seq, limit });
    if (!this.model(model).rooms.has(room)) {
      assert.equal(answer.code, "not-joined");
      return;
    }
    const log = model.log(room);
    const end = bound === "after" ? Math.min(seq + limit, log.length) : Math.min(Math.max(0, seq - 1), log.length);
    const start = bound === "after" ? Math.min(seq, log.length) : Math.max(0, end - limit);
    assert.deepEqual(entriesOf(answer), expected(log, room, start, end));
    assert.equal(answer.more, bound === "after" ? end < log.length : start > 0);
  }

  toString(): string {
    return `${this.label} reads ${this.limit} of ${this.room} ${this.bound} ${this.seq}`;
  }
}

/** Restarts the server on the same files. Everyone who was online reconnects. */
export class Restart implements Step {
  check(): boolean {
    return true;
  }

  async run(model: ChatModel, system: ChatSystem): Promise<void> {
    const online = [...NAMES.keys()].filter((who) => model.people[who]?.isOnline);
    for (const who of online) model.people[who]?.drop(model);
    await system.restart();
    for (const who of online) await new Come(who, 0, false).do(model, system);
    await compare(model, system);
  }

  toString(): string {
    return "the server starts again";
  }
}
