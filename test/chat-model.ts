/**
 * What a chat server is, as simply as it can be said, and commands that do the same to the model and to a server and
 * compare. After each command every client has been told all that it should, and nothing else.
 *
 * @module
 */
import assert from "node:assert/strict";
import type fc from "fast-check";
import { TestServer } from "./chat-server.ts";
import type { Message } from "./hub-fixture.ts";
import type { RawClient } from "./raw-client.ts";

export const NAMES = ["ada", "bob", "cy"];
export const ROOMS = ["lobby", "kitchen"];

/** An entry of a room, as the model knows it. */
export interface Said {
  readonly username: string;
  readonly text: string;
  readonly id: string;
}

/** What should be so. */
export class ChatModel {
  /** By room; the place of an entry is its `seq` less one. */
  readonly logs = new Map<string, Said[]>(ROOMS.map((room) => [room, []]));
  readonly people: readonly PersonModel[] = NAMES.map((name) => new PersonModel(name));

  log(room: string): Said[] {
    return this.logs.get(room) as Said[];
  }

  members(room: string): readonly string[] {
    return this.people.filter(({ rooms }) => rooms.has(room)).map(({ name }) => name);
  }
}

export class PersonModel {
  readonly name: string;
  isOnline = false;
  /** The rooms it is in; those of a connection that is gone are not. */
  readonly rooms = new Set<string>();
  /** How far it has seen the rooms that it was in when its connection went. */
  readonly known = new Map<string, number>();
  /** What it should be told: the entries of others, as `room seq`. */
  told: string[] = [];

  constructor(name: string) {
    this.name = name;
  }

  drop(model: ChatModel): void {
    this.isOnline = false;
    for (const room of this.rooms) this.known.set(room, model.log(room).length);
    this.rooms.clear();
  }
}

/** One person at a server. */
class Person {
  readonly name: string;
  client: RawClient | undefined;
  session: string | undefined;
  attempt = 0;
  /** The entries of others that came, as `room seq`. */
  told: string[] = [];
  #lastId = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Asks under an id of its own, unless the request has one, and gives the answer; notes what comes before it. */
  async ask(request: object): Promise<Message> {
    this.#lastId += 1;
    const asked = { id: `request ${this.#lastId}`, ...request };
    const client = this.client as RawClient;
    client.send(asked);
    for (;;) {
      const message = await client.next();
      if (message.id === asked.id) return message;
      if (message.type !== "chat") continue;
      assert.equal(message.prev, (message.seq as number) - 1);
      this.told.push(`${message.room} ${message.seq} ${message.username}: ${message.message}`);
    }
  }
}

/** A server and the people at it. */
export class ChatSystem {
  readonly people: readonly Person[] = NAMES.map((name) => new Person(name));
  readonly #data: string | undefined;
  #server: TestServer;
  /** In no room. */
  #observer: RawClient;
  #epoch: string | undefined;

  private constructor(server: TestServer, observer: RawClient, data: string | undefined) {
    this.#server = server;
    this.#observer = observer;
    this.#data = data;
  }

  /** @param data the folder of its log; without one it is in memory. */
  static async start(data: string | undefined): Promise<ChatSystem> {
    const server = await TestServer.start({ data });
    return new ChatSystem(server, await server.member("observer"), data);
  }

  /** Connects, with the session of before if there is one, and gives whether that was taken back. */
  async connect(person: Person): Promise<boolean> {
    person.client = await this.#server.connect();
    person.attempt += 1;
    const { session, attempt, name } = person;
    if (session !== undefined) {
      const hello = await person.ask({ type: "hello", version: 2, session, attempt });
      if (hello.type === "hello") {
        assert.deepEqual([hello.session, hello.username], [session, name]);
        return true;
      }
      assert.equal(hello.code, "session-unknown");
    }
    const hello = await person.ask({ type: "hello", version: 2, username: name });
    assert.deepEqual([hello.type, hello.username], ["hello", name]);
    person.session = hello.session as string;
    return false;
  }

  async join(person: Person, room: string, options: { after?: number; history?: number }, model: ChatModel) {
    const { after, history } = options;
    const position = after === undefined ? undefined : { epoch: this.#epoch, seq: after };
    const joined = await person.ask({ type: "join", room, ...(position ? { after: position } : { history }) });
    const log = model.log(room);
    const { epoch, seq } = joined.position as { epoch: string; seq: number };
    assert.deepEqual([joined.type, seq, joined.recovered], ["joined", log.length, position && true]);
    assert.deepEqual((joined.members as string[]).toSorted(), model.members(room));
    // The memory's log is another one in each server, and SQLite's stays the same.
    this.#epoch ??= epoch;
    assert.equal(epoch, this.#epoch);
    const from = after ?? Math.max(0, log.length - (history ?? 0));
    assert.deepEqual(entriesOf(joined), expected(log, room, from));
  }

  /** The server may hear of a connection's end later than whoever ended it. */
  async untilGone(name: string, room: string): Promise<void> {
    for (;;) {
      this.#observer.send({ type: "who", room });
      const { members } = await this.#observer.nextWith("type", "who");
      if (!(members as string[]).includes(name)) return;
    }
  }

  async restart(): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    for (const person of this.people) person.client = undefined;
    this.#server = await TestServer.start({ data: this.#data });
    this.#observer = await this.#server.member("observer");
  }

  close(): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}

function entriesOf({ entries }: Message): readonly string[] {
  return (entries as Message[]).map(({ room, seq, username, message }) => `${room} ${seq} ${username}: ${message}`);
}

/** The entries from this index on, as {@link entriesOf} gives them. */
function expected(log: readonly Said[], room: string, from: number, to = log.length): readonly string[] {
  return log.slice(from, to).map(({ username, text }, i) => `${room} ${from + i + 1} ${username}: ${text}`);
}

type Step = fc.AsyncCommand<ChatModel, ChatSystem>;

/** Something that a person does. */
abstract class Doing implements Step {
  readonly who: number;
  readonly room: string;

  constructor(who: number, room: number) {
    this.who = who;
    this.room = ROOMS[room] as string;
  }

  /** Whether the person has to be there for it. */
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
}

/** All that was told is what should have been, as each has an answer to something later. */
async function compare(model: ChatModel, system: ChatSystem): Promise<void> {
  for (const [i, { isOnline, name, told }] of model.people.entries()) {
    const person = system.people[i] as Person;
    if (isOnline) assert.equal((await person.ask({ type: "ping" })).type, "pong");
    assert.deepEqual(person.told, told, `${name} was told all that was said, and nothing else`);
  }
}

/**
 * Comes, for the first time or again: takes its rooms back and gets what it missed. Where it is there, it comes while the
 * server believes in its old connection, or while that breaks.
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
    const isTaken = await system.connect(person);
    if (old !== undefined && !this.isReset) {
      assert.equal(isTaken, true, "the connection that was there gave its session away");
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
    return `${this.name} comes${this.isReset ? ", its connection breaks" : ""}`;
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
    await system.join(this.person(system), this.room, { history: this.history }, model);
  }

  toString(): string {
    return `${this.name} joins ${this.room} with ${this.history}`;
  }
}

/** Says something, under an id that may be new or not, with a text that may be the id's or not. */
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
      for (const each of model.people) if (each.name !== username && each.rooms.has(room)) each.told.push(line);
    } else if (log[earlier]?.text === text) {
      assert.deepEqual([answer.type, answer.seq, answer.duplicate], ["ack", earlier + 1, true]);
    } else {
      assert.deepEqual([answer.type, answer.code], ["error", "id-reused"]);
    }
  }

  toString(): string {
    return `${this.name} says "${this.text}" in ${this.room} as ${this.id}`;
  }
}

export class Leave extends Doing {
  async do(model: ChatModel, system: ChatSystem): Promise<void> {
    const wasThere = this.model(model).rooms.delete(this.room);
    const answer = await this.person(system).ask({ type: "leave", room: this.room });
    assert.equal(answer.type === "ack" ? "ack" : answer.code, wasThere ? "ack" : "not-joined");
  }

  toString(): string {
    return `${this.name} leaves ${this.room}`;
  }
}

/** Its connection ends, in peace or by a reset, and the server finds it gone. */
export class Drop extends Doing {
  readonly isReset: boolean;

  constructor(who: number, room: number, isReset: boolean) {
    super(who, room);
    this.isReset = isReset;
  }

  async do(model: ChatModel, system: ChatSystem): Promise<void> {
    const person = this.person(system);
    const client = person.client as RawClient;
    const mine = this.model(model);
    const rooms = [...mine.rooms];
    mine.drop(model);
    if (this.isReset) await client.reset();
    else await client.finish().ended();
    await client.close();
    for (const room of rooms) await system.untilGone(this.name, room);
  }

  toString(): string {
    return `${this.name}'s connection ${this.isReset ? "breaks" : "ends"}`;
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
    return `${this.name} reads ${this.limit} of ${this.room} ${this.bound} ${this.seq}`;
  }
}

/** The server is stopped and started again on the same files. */
export class Restart implements Step {
  check(): boolean {
    return true;
  }

  async run(model: ChatModel, system: ChatSystem): Promise<void> {
    for (const each of model.people) if (each.isOnline) each.drop(model);
    await system.restart();
    await compare(model, system);
  }

  toString(): string {
    return "the server starts again";
  }
}
