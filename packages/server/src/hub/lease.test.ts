import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type FakeClient, HubFixture, pick } from "../../../../test/hub-fixture.ts";
import { failOnLeaks } from "../../../../test/leaks.ts";
import { idle } from "../../../../test/until.ts";
import { MemoryRoster, RosterStore } from "../adapters/memory/mod.ts";
import { type Command, DEFAULT_LIMITS } from "../core/mod.ts";
import {
  type Claim,
  type ClaimedName,
  type HeldSession,
  type NewSession,
  type RosterChange,
  RosterError,
} from "./mod.ts";

failOnLeaks();

const LEASE_MS = 15_000;
const { awayMs, resumeMs } = DEFAULT_LIMITS;
const chat = (id: string): Command => ({ type: "chat", id, room: "lobby", message: id });

/** Two hubs on one roster. Their rooms' logs are apart. */
class Pair {
  nowMs = 0;
  readonly changes: RosterChange[] = [];
  readonly here: HubFixture;
  readonly there: HubFixture;

  constructor(Here: typeof MemoryRoster = MemoryRoster) {
    const store = new RosterStore({ limits: DEFAULT_LIMITS, now: () => this.nowMs });
    const lease = { leaseMs: LEASE_MS, now: () => this.nowMs };
    this.here = new HubFixture({ roster: () => new Here(store, lease) });
    this.there = new HubFixture({ roster: () => new MemoryRoster(store, lease) });
    store.observers.add({ node: "", changed: (change) => this.changes.push(change) });
  }

  /** Lets time pass. Hubs that do not sweep are suspended. */
  async pass(ms: number, ...awake: readonly HubFixture[]): Promise<void> {
    await idle();
    for (let passed = 0; passed < ms; passed += 1_000) {
      this.nowMs += Math.min(1_000, ms - passed);
      for (const { hub } of awake) hub.sweep();
    }
    await idle();
  }

  /** The changes of the members since the last call. */
  told(): readonly (readonly string[])[] {
    return this.changes
      .splice(0)
      .flatMap((change) =>
        change.type === "joined" || change.type === "left" ? [[change.type, change.room, change.user.name]] : [],
      );
  }
}

async function entriesOf(fixture: HubFixture): Promise<number> {
  return (await fixture.log.read("lobby", { limit: 9 })).entries.filter(({ kind }) => kind === "message").length;
}

describe("Hub: a node that lost its lease", () => {
  test("commits nothing and keeps its connections, then goes on with a new id", async () => {
    const pair = new Pair();
    const { here, there } = pair;
    const ada = await here.member("Ada", "lobby");
    const seed = await here.seedMember("Seed", "lobby");
    ada.take();
    const { node } = here.roster;
    await pair.pass(LEASE_MS, there);
    assert.deepEqual(pick(await ada.hear(chat("1")), "type", "id", "code"), [["error", "1", "busy"]]);
    const [refused] = await ada.hear({ type: "join", id: "2", room: "attic" });
    assert.deepEqual([refused?.type, refused?.code], ["error", "busy"]);
    assert.equal(await entriesOf(here), 0);
    assert.deepEqual((await here.log.read("attic", { limit: 1 })).entries, [], "the room got a name");
    assert.deepEqual([ada.link.closes, seed.link.closes], [[], []]);
    pair.told();

    await pair.pass(1_000, there, here);
    assert.notEqual(here.roster.node, node);
    // A version 1 client has no session that outlasts the lease.
    assert.deepEqual(pair.told(), [
      ["left", "lobby", "Seed"],
      ["joined", "lobby", "Seed"],
    ]);
    assert.deepEqual(pick(ada.take(), "username", "state"), [
      ["Seed", "left"],
      ["Seed", "joined"],
    ]);
    assert.deepEqual(pick(await ada.hear(chat("3")), "type", "id"), [["ack", "3"]]);
    assert.equal(await entriesOf(here), 1);
    assert.deepEqual(pick(seed.take(), "message"), [["3"]]);
    await pair.pass(LEASE_MS + awayMs + resumeMs, there, here);
    assert.deepEqual(pair.told(), []);
    assert.deepEqual([here.reported, there.reported], [[], []]);
  });

  test("comes back to rooms that its users have left for the others", async () => {
    const pair = new Pair();
    const { here, there } = pair;
    const ada = await here.member("Ada", "lobby");
    pair.told();
    await pair.pass(LEASE_MS + awayMs + 2_000, there);
    assert.deepEqual(pair.told(), [["left", "lobby", "Ada"]]);
    await pair.pass(1_000, there, here);
    assert.deepEqual(pair.told(), [["joined", "lobby", "Ada"]]);
    assert.deepEqual(pick(await ada.hear(chat("1")), "type"), [["ack"]]);
    // Also when the session has ended meanwhile.
    await pair.pass(LEASE_MS + resumeMs + 2_000, there);
    await pair.pass(1_000, there, here);
    assert.deepEqual(pair.told().at(-1), ["joined", "lobby", "Ada"]);
    assert.equal(await there.claim("ada"), false);
    assert.deepEqual(pick(await ada.hear(chat("2")), "type"), [["ack"]]);
  });

  test("says bye to connections whose name or session another one has by now, which wrote nothing", async () => {
    const pair = new Pair();
    const { here, there } = pair;
    const greeted = async (username: string): Promise<readonly [FakeClient, string]> => {
      const client = here.connect();
      const [hello] = await client.hear({ type: "hello", version: 2, username }, { type: "join", room: "lobby" });
      return [client, hello?.session as string];
    };
    const [ada] = await greeted("Ada");
    const [bob, session] = await greeted("Bob");
    const [cy] = await greeted("Cy");
    await pair.pass(LEASE_MS + 2_000, there);
    const taker = there.connect();
    assert.equal((await taker.hear({ type: "hello", version: 2, session }))[0]?.username, "Bob");
    await pair.pass(resumeMs, there);
    const thief = await there.member("ada", "lobby");
    for (const each of [ada, bob, cy]) {
      each.take();
      assert.deepEqual(pick(await each.hear(chat("no")), "code"), [["busy"]]);
    }
    await pair.pass(1_000, there, here);
    for (const each of [ada, bob]) {
      assert.deepEqual(pick(each.take(), "type", "code", "reconnect"), [["bye", "replaced", false]]);
      assert.equal(each.link.closes.length, 1);
      assert.deepEqual(await each.hear(chat("never")), []);
    }
    assert.equal(await entriesOf(here), 0);
    assert.deepEqual(pick(await cy.hear(chat("yes")), "type"), [["ack"]]);
    assert.deepEqual([...(await there.members("lobby"))].sort(), ["Bob", "Cy", "ada"]);
    assert.deepEqual([taker.link.closes, thief.link.closes], [[], []]);
    assert.deepEqual([here.reported, there.reported], [[], []]);
  });

  test("leaves no ghost of a client that left a room, said bye or vanished meanwhile", async () => {
    const pair = new Pair();
    const { here, there } = pair;
    const [ada, bob, cy] = await Promise.all(["Ada", "Bob", "Cy"].map((name) => here.member(name, "lobby", "attic")));
    const seed = await here.seedMember("Seed", "lobby");
    assert.ok(ada && bob && cy);
    await pair.pass(LEASE_MS, there);
    assert.equal((await ada.hear({ type: "leave", id: "l", room: "lobby" })).at(-1)?.type, "ack");
    await bob.hear({ type: "bye" });
    await cy.vanish();
    await seed.vanish();
    await pair.pass(1_000, there, here);
    await pair.pass(awayMs, there, here);
    assert.deepEqual(await there.members("lobby"), []);
    assert.deepEqual(await there.members("attic"), ["Ada"]);
    await pair.pass(resumeMs, there, here);
    for (const name of ["Bob", "Cy", "Seed"]) assert.equal(await there.claim(name), true, name);
    assert.deepEqual(here.reported, []);
  });

  test("ends a session that was opened while it claimed the others again", async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    /** Claims late. Later calls come after that. */
    class Late extends MemoryRoster {
      #isClaiming = false;

      override async reclaim(sessions: readonly HeldSession[]): Promise<readonly string[]> {
        this.#isClaiming = true;
        await gate;
        return super.reclaim(sessions);
      }

      override async open(session: NewSession, name: ClaimedName): Promise<Claim> {
        if (this.#isClaiming) await gate;
        return super.open(session, name);
      }
    }
    const pair = new Pair(Late);
    const { here, there } = pair;
    await pair.pass(LEASE_MS, there);
    here.hub.sweep();
    const eve = here.connect();
    assert.deepEqual(await eve.hear({ type: "hello", version: 2, username: "Eve" }), []);
    open();
    assert.deepEqual(pick(await eve.hear(), "type", "code"), [["error", "busy"]]);
    assert.equal(await there.claim("Eve"), true);
    assert.deepEqual(here.reported, []);
  });

  test("claims once more when it loses the lease again while it claims", async () => {
    const { promise: gate, resolve: claim } = Promise.withResolvers<void>();
    /** Claims late, and then loses the lease again. */
    class Late extends MemoryRoster {
      override async reclaim(sessions: readonly HeldSession[]): Promise<readonly string[]> {
        await gate;
        return super.reclaim(sessions);
      }

      override async detach(): Promise<void> {
        throw new RosterError("lease-lost", "lost again");
      }
    }
    const pair = new Pair(Late);
    const { here, there } = pair;
    const [ada, bob] = [await here.member("Ada", "lobby"), await here.member("Bob", "lobby")];
    await pair.pass(LEASE_MS + resumeMs + 1_000, there);
    assert.equal(await there.claim("Bob"), true);
    here.hub.sweep();
    await ada.vanish();
    claim();
    assert.equal((await bob.hear()).at(-1)?.type, "bye");
    assert.deepEqual(here.reported, []);
  });
});
