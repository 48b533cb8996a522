import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fc } from "../../../../../test/seed.ts";
import { ROSTER_LIMITS, rosterSuite } from "../../../../../test/suites/roster-suite.ts";
import { nameKey, skeletonOf } from "../../core/mod.ts";
import type { GuestStorage, RosterChange, RosterUser } from "../../hub/mod.ts";
import { MemoryRoster, RosterStore } from "./mod.ts";

/** Shorter than the interval in which nodes renew their leases. */
const STEP_MS = 1_000;

rosterSuite("MemoryRoster", (nodes) => {
  const { leaseMs } = ROSTER_LIMITS;
  // Every node has a clock of its own.
  let nowMs = 0;
  const store = new RosterStore({ limits: ROSTER_LIMITS, now: () => nowMs });
  const views = Array.from({ length: nodes }, (_, i) => {
    const lease = { leaseMs, now: () => nowMs + 1_000_000 * (i + 1) };
    return new MemoryRoster(store, nodes === 1 ? undefined : lease);
  });
  return {
    views,
    pass: (ms, awake = views) => {
      for (let passed = 0; passed < ms; passed += STEP_MS) {
        nowMs += Math.min(STEP_MS, ms - passed);
        for (const view of awake) view.sweep();
      }
    },
  };
});

const { awayMs, resumeMs, detachedPerAddressMax } = ROSTER_LIMITS;

/** A server's roster, whose sessions are in a map of JSON texts. */
class Server implements GuestStorage {
  nowMs = 0;
  readonly roster: MemoryRoster;
  readonly changes: RosterChange[] = [];
  readonly #stored: Map<string, string>;

  /** Starts on what an earlier server stored. */
  constructor(stored = new Map<string, string>()) {
    this.#stored = stored;
    const store = new RosterStore({ limits: ROSTER_LIMITS, now: () => this.nowMs, storage: this });
    this.roster = new MemoryRoster(store);
    this.roster.follow((change) => this.changes.push(change));
    store.restore();
  }

  load(): ReadonlyMap<string, unknown> {
    return new Map([...this.#stored].map(([key, text]) => [key, JSON.parse(text)]));
  }

  set(table: string, key: string, value: unknown): void {
    assert.equal(table, "session");
    if (value === undefined) this.#stored.delete(key);
    else this.#stored.set(key, JSON.stringify(value));
  }

  /** The server ends without warning, and another one starts. */
  restart(): Server {
    return new Server(new Map(this.#stored));
  }

  get storedCount(): number {
    return this.#stored.size;
  }

  async open(text: string, isLasting = true, address = "192.0.2.1"): Promise<RosterUser | string> {
    const session = { session: `s ${text}`, connection: `c ${text}`, address, isLasting };
    return await this.roster.open(session, { text, key: nameKey(text), skeleton: skeletonOf(text) });
  }

  enter(text: string, room: string): Promise<boolean> {
    return this.roster.enter({ session: `s ${text}`, connection: `c ${text}` }, { text: room, key: nameKey(room) });
  }

  takeOver(text: string, attempt = Number.POSITIVE_INFINITY) {
    return this.roster.takeOver({ session: `s ${text}`, connection: "new", address: "192.0.2.9", attempt });
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.roster.sweep();
  }

  async members(room: string): Promise<readonly string[]> {
    return (await this.roster.members(room, 99)).members.map(({ name }) => name).sort();
  }
}

describe("MemoryRoster after a restart", () => {
  test("drops sessions that are damaged, and keeps the others", async () => {
    const good = { user: "u", name: "Ada", rooms: ["lobby"], hasJoined: true, attempt: 1, address: "192.0.2.1" };
    const other = { ...good, user: "v", name: "Bob" };
    const damaged: Readonly<Record<string, unknown>> = {
      null: null,
      number: 1,
      list: [],
      "no fields": {},
      "no user": { ...other, user: "" },
      "an invalid name": { ...other, name: "a b" },
      "a name that is a number": { ...other, name: 7 },
      "a room that is a number": { ...other, rooms: [5] },
      "a negative attempt": { ...other, attempt: -1 },
      "no address": { ...other, address: null },
      "another name of the same user": { ...good, name: "Bob" },
      "another user's name": { ...other, name: "ADA" },
    };
    const sessions = { "s Ada": good, ...damaged };
    const stored = new Map(Object.entries(sessions).map(([id, value]) => [id, JSON.stringify(value)]));
    const server = new Server(stored);
    assert.equal(server.storedCount, 1);
    assert.deepEqual(await server.members("lobby"), ["Ada"]);
    assert.equal(typeof (await server.open("Bob")), "object", "no name is left claimed");
  });

  test("drops or restores any JSON value", async () => {
    const field = fc.oneof(fc.jsonValue(), fc.constantFrom("Ada", "ada", "u", "v", true, 1));
    const rooms = fc.oneof(fc.jsonValue(), fc.array(fc.constantFrom("lobby", "Lobby", "a,b")));
    const value = fc.record({ user: field, name: field, rooms, hasJoined: field, attempt: field, address: field });
    const sessions = fc.dictionary(fc.string(), fc.oneof(value, fc.jsonValue()));
    await fc.assert(
      fc.asyncProperty(sessions, async (stored) => {
        const server = new Server(new Map(Object.entries(stored).map(([id, each]) => [id, JSON.stringify(each)])));
        assert.ok(new Set(await server.members("lobby")).size <= server.storedCount);
        server.pass(resumeMs);
        assert.deepEqual(await server.members("lobby"), [], "a ghost");
        assert.equal(typeof (await server.open("Ada")), "object", "the name is free");
      }),
    );
  });

  test("has the sessions that last, with the same users and rooms, and they wait for their clients", async () => {
    const before = new Server();
    const ada = await before.open("Ada");
    await before.open("Seed", false);
    for (const name of ["Ada", "Seed"]) await before.enter(name, "Lobby");
    await before.enter("Ada", "attic");
    await before.roster.leave({ session: "s Ada", connection: "c Ada" }, "attic");
    const after = before.restart();
    assert.deepEqual(await after.members("lobby"), ["Ada"]);
    assert.deepEqual(await after.members("attic"), []);
    assert.equal(await after.open("ADA"), "in-use");
    assert.notEqual(await after.open("Seed"), "in-use");
    after.pass(awayMs - 1);
    const taken = await after.takeOver("Ada");
    assert.ok(typeof taken !== "string");
    assert.deepEqual([taken.user, taken.rooms], [ada, [{ text: "Lobby", key: "lobby" }]]);
    assert.deepEqual([taken.hasJoined, taken.previous], [true, undefined]);
    after.pass(resumeMs);
    assert.deepEqual(
      after.changes.filter(({ type }) => type === "left"),
      [],
    );
  });

  test("ends sessions that nobody takes back, and forgets them", async () => {
    const before = new Server();
    await before.open("Ada");
    await before.enter("Ada", "lobby");
    const after = before.restart();
    after.pass(resumeMs);
    assert.equal(await after.takeOver("Ada"), "unknown");
    assert.equal(after.storedCount, 0);
    assert.equal(after.restart().changes.length, 0);
    // Also those that ended before the restart.
    await before.roster.end({ session: "s Ada", connection: "c Ada" });
    assert.equal(before.storedCount, 0);
  });

  test("has the attempt of the last takeover and the present name", async () => {
    const before = new Server();
    await before.open("Ada");
    await before.takeOver("Ada", 7);
    const eve = { text: "Eve", key: "eve", skeleton: skeletonOf("Eve") };
    await before.roster.rename({ session: "s Ada", connection: "new" }, eve, []);
    const after = before.restart();
    assert.equal(await after.open("Eve"), "in-use");
    assert.equal(await after.takeOver("Ada", 7), "unknown");
    assert.notEqual(await after.takeOver("Ada", 8), "unknown");
  });

  test("keeps the newest sessions of one address only", async () => {
    const before = new Server();
    for (let i = 0; i <= detachedPerAddressMax; i += 1) await before.open(`user${i}`);
    await before.open("elsewhere", true, "192.0.2.2");
    const after = before.restart();
    assert.equal(after.storedCount, detachedPerAddressMax + 1);
    assert.equal(after.changes.filter(({ type }) => type === "ended").length, 1);
  });

  test("drops sessions whose name is not valid any more or belongs to another user", async () => {
    const session = (user: string, name: string) =>
      JSON.stringify({ user, name, rooms: ["lobby", "a b"], hasJoined: true, attempt: 0, address: "a" });
    const after = new Server(
      new Map([
        ["one", session("1", "Ada")],
        ["two", session("2", "ada")],
        ["three", session("3", "A da")],
        ["four", session("1", "Ada")],
      ]),
    );
    assert.equal(after.storedCount, 2);
    assert.deepEqual(await after.members("lobby"), ["Ada"]);
    assert.deepEqual(
      after.changes.flatMap((change) => (change.type === "ended" ? [change.user] : [])),
      ["2", "3"],
    );
  });
});

test("with an awayMs of 0, a user leaves its rooms when its connection ends", async () => {
  const roster = new MemoryRoster(new RosterStore({ limits: { ...ROSTER_LIMITS, awayMs: 0 }, now: () => 0 }));
  const changes: RosterChange[] = [];
  roster.follow((change) => changes.push(change));
  const holder = { session: "s", connection: "c" };
  const name = { text: "Ada", key: "ada", skeleton: skeletonOf("Ada") };
  await roster.open({ ...holder, address: "192.0.2.1", isLasting: true }, name);
  await roster.enter(holder, { text: "lobby", key: "lobby" });
  await roster.detach(holder);
  assert.deepEqual(
    changes.map(({ type }) => type),
    ["joined", "left"],
  );
});
