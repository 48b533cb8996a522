/**
 * An answer about a room is a snapshot, and the events after it start at the same moment. So a client that applies
 * the events to the snapshot always knows the room's members, topic and messages.
 *
 * @module
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type FakeClient, HubFixture, type Message } from "../../../../test/hub-fixture.ts";
import { Gate, LateLog, LateRoster } from "../../../../test/late-ports.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { fc } from "../../../../test/seed.ts";
import { textOf } from "../../../../test/suites/room-log-suite.ts";
import { turn, until } from "../../../../test/until.ts";
import { MemoryRoomLog, MemoryRoster } from "../adapters/memory/mod.ts";
import { SqliteRoomLog } from "../adapters/sqlite/mod.ts";
import type { Command } from "../core/mod.ts";
import type { Entry, RoomLog, RosterChange } from "./mod.ts";

failOnLeaks();

const RUNS = process.env.LANDLINE_LONG === "1" ? 20 : 1;
const ROOMS = ["lobby", "kitchen"];
/** The user at each connection. The second shares the first's session; the last two speak version 1. */
const PEOPLE = ["Ann", "Ann", "Bob", "Cy", "Dan", "Eve"];
const VERSION_1_FROM = 4;

type Action = "come" | "join" | "leave" | "chat" | "topic" | "read" | "ask" | "rename" | "drop" | "bye" | "take back";
type Step =
  | { readonly type: "act"; readonly who: number; readonly room: number; readonly action: Action }
  | { readonly type: "answer"; readonly index: number }
  | { readonly type: "pass"; readonly ms: number }
  | { readonly type: "turn" };

/** A roster that records each room's members after each change. */
class RecordedRoster extends MemoryRoster {
  readonly states = new Map<string, Set<string>[]>(ROOMS.map((room) => [room, [new Set()]]));

  override follow(listener: (change: RosterChange) => void): void {
    super.follow((change) => {
      if (change.type === "joined" || change.type === "left") {
        const states = this.states.get(change.room) as Set<string>[];
        const state = new Set(states.at(-1));
        if (change.type === "joined") state.add(change.user.name);
        else state.delete(change.user.name);
        states.push(state);
      }
      listener(change);
    });
  }
}

/** What a client knows about a room from its messages. */
interface Known {
  readonly names: Set<string>;
  /** The recorded states that match what the client knows. */
  moments: number[];
  seq: number;
}

/** A version 2 connection that applies every message to its state. */
class Listener {
  readonly name: string;
  readonly client: FakeClient;
  session: string | undefined;
  readonly known = new Map<string, Known>();
  readonly #world: World;
  #lastId = 0;
  readonly #answered = new Set<string>();

  constructor(world: World, name: string, client: FakeClient) {
    this.#world = world;
    this.name = name;
    this.client = client;
  }

  ask(command: Command, what: string = command.type): string {
    this.#lastId += 1;
    const id = `${what} ${this.#lastId}`;
    this.client.ask({ ...command, id } as Command);
    return id;
  }

  /** Whether the request was answered. */
  hasAnswer(id: string): boolean {
    this.listen();
    return this.#answered.has(id);
  }

  /** Applies new messages and compares the result with the recorded states. */
  listen(): void {
    for (const message of this.client.take()) {
      if (typeof message.id === "string") this.#answered.add(message.id);
      this.#hear(message);
    }
  }

  #hear(message: Message): void {
    const key = String(message.room);
    const known = this.known.get(key);
    switch (message.type) {
      case "hello":
        this.session = message.session as string;
        return;
      case "joined":
        this.#joined(key, message);
        return;
      case "presence":
        // The session was taken over, and the room is not joined again yet.
        if (known === undefined) return;
        if (message.state === "joined") {
          assert.ok(!known.names.has(message.username as string), `${message.username} joined ${key} twice`);
          known.names.add(message.username as string);
        } else {
          assert.ok(known.names.delete(message.username as string), `${message.username} left ${key} twice`);
        }
        known.moments = known.moments.map((moment) => moment + 1);
        this.#checkNames(key, known);
        return;
      case "ack":
        if (String(message.id).startsWith("leave")) this.known.delete(key);
        else if (message.seq !== undefined && known !== undefined) this.#advance(key, known, message);
        return;
      case "chat":
      case "set":
        if (known !== undefined) this.#advance(key, known, message);
        return;
      case "who":
        if (known !== undefined) assert.deepEqual(new Set(message.members as string[]), known.names, `who of ${key}`);
        return;
      case "topic":
        if (known !== undefined) {
          const { seq } = known;
          this.#world.later(() => this.#checkTopic(key, message.topic, seq));
        }
        return;
      case "rooms":
        for (const { room, count, unread } of message.rooms as readonly {
          room: string;
          count: number;
          unread: number;
        }[]) {
          const known = this.known.get(room);
          if (known === undefined) continue;
          assert.equal(count, known.names.size, `count of ${room}`);
          const { seq } = known;
          if (unread !== undefined) this.#world.later(() => this.#checkUnread(room, unread, 0, seq));
        }
        return;
      default:
        return;
    }
  }

  #joined(key: string, message: Message): void {
    const { members, count, topic, read, unread, position } = message as Message & {
      readonly members: readonly string[];
      readonly read?: number;
      readonly unread?: number;
      readonly position: { readonly seq: number };
    };
    assert.equal(members.length, count);
    const names = new Set(members);
    assert.ok(names.has(this.name), `${this.name} is in ${key}`);
    const states = this.#world.roster.states.get(key) as Set<string>[];
    const known: Known = { names, moments: [...states.keys()], seq: position.seq };
    this.known.set(key, known);
    this.#checkNames(key, known);
    const { seq } = position;
    this.#world.later(() => this.#checkTopic(key, topic ?? "", seq));
    if (read !== undefined) this.#world.later(() => this.#checkUnread(key, unread, read, seq));
  }

  /** The known members must match a recorded state, and after each change the next one. */
  #checkNames(key: string, known: Known): void {
    const states = this.#world.roster.states.get(key) as Set<string>[];
    known.moments = known.moments.filter((moment) => isSame(states[moment], known.names));
    assert.notDeepEqual(known.moments, [], `${[...known.names]} were never in ${key} at once`);
  }

  #advance(key: string, known: Known, { seq }: Message): void {
    assert.equal(seq, known.seq + 1, `the next entry of ${key}`);
    known.seq += 1;
  }

  #checkTopic(key: string, topic: unknown, seq: number): void {
    const set = this.#world
      .entriesOf(key)
      .findLast((entry) => entry.kind === "set" && entry.changes.has("topic") && entry.seq <= seq);
    assert.equal(topic, set === undefined ? "" : textOf(set), `the topic of ${key} at ${seq}`);
  }

  #checkUnread(key: string, unread: unknown, read: number, until: number): void {
    const entries = this.#world.entriesOf(key).filter(({ seq }) => seq > read && seq <= until);
    const others = entries.filter(({ kind, author }) => kind === "message" && author.name !== this.name);
    assert.equal(unread, others.length, `unread in ${key} from ${read} to ${until}`);
  }

  /** Whether the client knows the current members. */
  isUpToDate(): boolean {
    this.listen();
    return [...this.known].every(([key, { moments }]) => {
      const states = this.#world.roster.states.get(key) as Set<string>[];
      return moments.includes(states.length - 1);
    });
  }
}

function isSame(a: ReadonlySet<string> | undefined, b: ReadonlySet<string>): boolean {
  return a !== undefined && a.size === b.size && a.isSubsetOf(b);
}

/** A hub with slow ports, and its clients. */
class World {
  readonly roster: RecordedRoster;
  readonly gate = new Gate();
  readonly fixture: HubFixture;
  readonly #log: RoomLog;
  readonly #seats: (Listener | FakeClient | undefined)[] = [];
  readonly #left: FakeClient[] = [];
  /** The session of a seat that was dropped, and the rooms that it was in. */
  readonly #dropped: { readonly session: string; readonly rooms: readonly string[] }[] = [];
  /** Checks that need the whole log. */
  readonly #checks: (() => void)[] = [];
  readonly #entries = new Map<string, readonly Entry[]>();
  #said = 0;

  constructor(log: RoomLog, isRosterLate: boolean) {
    this.#log = log;
    let roster: RecordedRoster | undefined;
    this.fixture = new HubFixture({
      log: new LateLog(log, this.gate),
      roster: (store) => {
        roster = new RecordedRoster(store);
        return isRosterLate ? new LateRoster(roster, this.gate) : roster;
      },
    });
    assert.ok(roster);
    this.roster = roster;
  }

  later(check: () => void): void {
    this.#checks.push(check);
  }

  entriesOf(room: string): readonly Entry[] {
    return this.#entries.get(room) as readonly Entry[];
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const who of PEOPLE.keys()) this.act(who, 0, "come");
    for (const step of steps) {
      if (step.type === "turn") await turn();
      else if (step.type === "answer") this.gate.release(step.index);
      else if (step.type === "pass") this.#pass(step.ms);
      else this.act(step.who, step.room, step.action);
    }
    await this.#finish();
  }

  act(who: number, roomIndex: number, action: Action): void {
    const seat = this.#seats[who];
    const room = ROOMS[roomIndex] as string;
    if (action === "come") {
      if (seat === undefined) this.#seats[who] = this.#come(who);
    } else if (seat instanceof Listener) {
      this.#actAs(seat, who, room, action);
    } else if (seat !== undefined) {
      this.#actAsVersion1(seat, who, room, action);
    }
  }

  #come(who: number): Listener | FakeClient {
    const client = this.fixture.connect();
    if (who >= VERSION_1_FROM) return client;
    const name = PEOPLE[who] as string;
    const listener = new Listener(this, name, client);
    const first = this.#seats[0];
    if (first instanceof Listener) first.listen();
    const dropped = this.#dropped[who];
    const session = who === 1 && first instanceof Listener ? first.session : undefined;
    // The session may have ended. Then the name may be free.
    if (dropped !== undefined) listener.ask({ type: "hello", version: 2, session: dropped.session });
    else if (session !== undefined) listener.ask({ type: "hello", version: 2, session, share: true });
    if (session === undefined) listener.ask({ type: "hello", version: 2, username: name });
    for (const room of dropped?.rooms ?? []) listener.ask({ type: "join", room });
    return listener;
  }

  #actAs(seat: Listener, who: number, room: string, action: Exclude<Action, "come">): void {
    this.#said += 1;
    switch (action) {
      case "join":
      case "leave":
        seat.ask({ type: action, room });
        return;
      case "chat":
        seat.ask({ type: "chat", room, message: `message ${this.#said}` });
        return;
      case "topic":
        seat.ask({ type: "topic", room, topic: `topic ${this.#said}` });
        return;
      case "read":
        seat.ask({ type: "read", room, seq: 0 });
        return;
      case "ask":
      case "rename":
        seat.ask({ type: "who", room });
        seat.ask({ type: "topic", room });
        seat.ask({ type: "rooms" });
        return;
      case "drop":
        seat.listen();
        if (seat.session !== undefined) this.#dropped[who] = { session: seat.session, rooms: [...seat.known.keys()] };
        this.#drop(who, seat.client);
        return;
      case "bye":
        seat.listen();
        seat.ask({ type: "bye" });
        this.#seats[who] = undefined;
        this.#left.push(seat.client);
        return;
      case "take back": {
        seat.listen();
        if (seat.session === undefined) return;
        const next = new Listener(this, seat.name, this.fixture.connect());
        this.#seats[who] = next;
        next.ask({ type: "hello", version: 2, session: seat.session });
        for (const each of ROOMS) if (seat.known.has(each)) next.ask({ type: "join", room: each });
      }
    }
  }

  #actAsVersion1(seat: FakeClient, who: number, room: string, action: Exclude<Action, "come">): void {
    this.#said += 1;
    if (action === "join") seat.ask({ type: "join", room, username: PEOPLE[who] as string });
    else if (action === "rename") seat.ask({ type: "join", room, username: `${PEOPLE[who]}${this.#said}` });
    else if (action === "leave") seat.ask({ type: "leave" });
    else if (action === "chat") seat.ask({ type: "chat", message: `message ${this.#said}` });
    else if (action === "drop" || action === "bye") this.#drop(who, seat);
  }

  #pass(ms: number): void {
    this.fixture.now += ms;
    this.fixture.roster.sweep();
  }

  #drop(who: number, client: FakeClient): void {
    this.#seats[who] = undefined;
    client.client.gone();
    this.#left.push(client);
  }

  async #finish(): Promise<void> {
    this.gate.open();
    const listeners = this.#seats.filter((seat) => seat instanceof Listener);
    for (const listener of listeners) {
      const id = listener.ask({ type: "ping" });
      const isDone = () => listener.hasAnswer(id) || listener.client.client.isGone;
      await until(isDone, () => `an answer to ${listener.name}'s last ping`);
    }
    await Promise.all(this.#left.map(({ client }) => client.departure));
    for (const listener of listeners) {
      if (listener.client.client.isGone) continue;
      await until(
        () => listener.isUpToDate(),
        () => `${listener.name} knows who is there`,
        5_000,
      );
    }
    for (const room of ROOMS) {
      const { entries, more } = await this.#log.read(room, { limit: 10_000 });
      assert.equal(more, false);
      this.#entries.set(room, entries);
    }
    for (const check of this.#checks) check();
    assert.deepEqual(this.fixture.reported, []);
  }
}

const action = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Action>("join") },
  { weight: 10, arbitrary: fc.constantFrom<Action>("come", "leave", "chat", "topic", "read", "ask") },
  { weight: 4, arbitrary: fc.constantFrom<Action>("rename", "drop", "bye", "take back") },
);
const who = fc.nat(PEOPLE.length - 1);
const room = fc.nat(ROOMS.length - 1);
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ type: fc.constant("act" as const), who, room, action }) },
    { weight: 5, arbitrary: fc.record({ type: fc.constant("answer" as const), index: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.constant({ type: "turn" as const }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("pass" as const), ms: fc.constantFrom(10_000, 120_000) }) },
  ),
  { maxLength: 120, size: "max" },
);

describe("snapshots and events of a room agree", { timeout: 600_000 }, () => {
  test("with a slow memory log", async () => {
    const property = fc.asyncProperty(steps, async (each) => {
      const log = new MemoryRoomLog();
      await new World(log, false).run(each);
      await log.close();
    });
    await fc.assert(property, { numRuns: 300 * RUNS });
  });

  test("with a slow roster, too", async () => {
    const property = fc.asyncProperty(steps, async (each) => {
      const log = new MemoryRoomLog();
      await new World(log, true).run(each);
      await log.close();
    });
    await fc.assert(property, { numRuns: 300 * RUNS });
  });

  test("with a slow SQLite log", async () => {
    const property = fc.asyncProperty(steps, async (each) => {
      const folder = await mkdtemp(join(tmpdir(), "landline-moment-"));
      const log = await SqliteRoomLog.open({ folder, durability: "process" });
      try {
        await new World(log, false).run(each);
      } finally {
        await log.close();
        await rm(folder, { recursive: true });
      }
    });
    await fc.assert(property, { numRuns: 12 * RUNS });
  });
});
