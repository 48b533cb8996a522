/**
 * A minimal model of a chat server, and a real server with the same clients.
 *
 * @module
 */
import assert from "node:assert/strict";
import { TestServer } from "./chat-server.ts";
import type { Message } from "./hub-fixture.ts";
import type { RawClient } from "./raw-client.ts";

/** The names of the clients. The last one is a second connection of the first person. */
export const NAMES = ["ada", "bob", "cy", "ada"];
export const ROOMS = ["lobby", "kitchen"];

/** An entry of a room in the model. */
export interface Said {
  readonly username: string;
  readonly text: string;
  readonly id: string;
}

/** The expected state. */
export class ChatModel {
  /** The entries of each room. The index of an entry is its `seq` minus one. The first one names the room. */
  readonly logs = new Map<string, Said[]>(ROOMS.map((room) => [room, []]));
  readonly people: readonly PersonModel[] = NAMES.map((name) => new PersonModel(name));

  log(room: string): Said[] {
    return this.logs.get(room) as Said[];
  }

  members(room: string): readonly string[] {
    const inside = this.people.filter(({ rooms }) => rooms.has(room));
    return [...new Set(inside.map(({ name }) => name))].sort();
  }
}

/** The expected state of one connection. */
export class PersonModel {
  readonly name: string;
  isOnline = false;
  /** The rooms of its session, which stay while it is offline. */
  readonly rooms = new Set<string>();
  /** The last seen `seq` of each of them, when its connection ended. */
  readonly known = new Map<string, number>();
  /** The expected messages: entries of others and of its other connection, as `room seq`. */
  told: string[] = [];

  constructor(name: string) {
    this.name = name;
  }

  drop(model: ChatModel): void {
    this.isOnline = false;
    for (const room of this.rooms) this.known.set(room, model.log(room).length);
  }

  /** The session has ended. */
  end(): void {
    this.isOnline = false;
    this.rooms.clear();
    this.known.clear();
  }
}

/** One client of the real server. */
export class Person {
  readonly name: string;
  client: RawClient | undefined;
  session: string | undefined;
  attempt = 0;
  /** The received entries, as `room seq`. */
  told: string[] = [];
  #lastId = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Sends a request, with a new id unless it has one. Records the messages before the answer, and returns the answer. */
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

/** A real server and its clients. */
export class ChatSystem {
  readonly people: readonly Person[] = NAMES.map((name) => new Person(name));
  readonly #data: string | undefined;
  #server: TestServer;
  #epoch: string | undefined;

  private constructor(server: TestServer, data: string | undefined) {
    this.#server = server;
    this.#data = data;
  }

  /** @param data the folder of the log. Without one, the log is in memory. */
  static async start(data: string | undefined): Promise<ChatSystem> {
    return new ChatSystem(await start(data), data);
  }

  /** Connects. Resumes the session, shares that of the person's other connection, or starts a new one. */
  async connect(person: Person, rooms: ReadonlySet<string>): Promise<void> {
    person.client = await this.#server.connect();
    person.attempt += 1;
    const { session, attempt, name } = person;
    if (session !== undefined) {
      const hello = await person.ask({ type: "hello", version: 2, session, attempt });
      assert.deepEqual([hello.type, hello.session, hello.username], ["hello", session, name]);
      assert.deepEqual(new Set(hello.rooms as readonly string[] | undefined), rooms);
      return;
    }
    const other = this.people.find((each) => each !== person && each.name === name)?.session;
    if (other !== undefined) {
      const hello = await person.ask({ type: "hello", version: 2, session: other, share: true });
      assert.deepEqual([hello.type, hello.username, hello.rooms], ["hello", name, undefined]);
      person.session = hello.session as string;
      return;
    }
    const hello = await person.ask({ type: "hello", version: 2, username: name });
    assert.deepEqual([hello.type, hello.username], ["hello", name]);
    person.session = hello.session as string;
  }

  async join(person: Person, room: string, options: { after?: number; history?: number }, model: ChatModel) {
    const { after, history } = options;
    const position = after === undefined ? undefined : { epoch: this.#epoch, seq: after };
    const joined = await person.ask({ type: "join", room, ...(position ? { after: position } : { history }) });
    const log = model.log(room);
    const { epoch, seq } = joined.position as { epoch: string; seq: number };
    assert.deepEqual([joined.type, seq, joined.recovered], ["joined", log.length, position && true]);
    assert.deepEqual((joined.members as string[]).toSorted(), model.members(room));
    // The epoch stays the same across restarts with SQLite. A server with a log in memory is never restarted here.
    this.#epoch ??= epoch;
    assert.equal(epoch, this.#epoch);
    const from = after ?? Math.max(0, log.length - (history ?? 0));
    assert.deepEqual(entriesOf(joined), expected(log, room, from));
  }

  async restart(): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    for (const person of this.people) person.client = undefined;
    this.#server = await start(this.#data);
  }

  close(): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}

/** Starts a server on which sessions do not end while a test runs. */
function start(data: string | undefined): Promise<TestServer> {
  return TestServer.start({ data, limits: { awayMs: 3_600_000, resumeMs: 3_600_000 } });
}

export function entriesOf({ entries }: Message): readonly string[] {
  return (entries as Message[]).map(({ room, seq, username, message }) => `${room} ${seq} ${username}: ${message}`);
}

/** The entries `from` to `to - 1`, in the format of {@link entriesOf}. */
export function expected(log: readonly Said[], room: string, from: number, to = log.length): readonly string[] {
  return log.slice(from, to).map(({ username, text }, i) => `${room} ${from + i + 1} ${username}: ${text}`);
}
