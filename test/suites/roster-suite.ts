/**
 * The suite that every `Roster` passes, with one node and with two nodes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { nameKey, skeletonOf } from "../../packages/server/src/core/mod.ts";
import type {
  Claim,
  ClaimedName,
  HeldSession,
  Holder,
  Roster,
  RosterChange,
  RosterUser,
  TakenSession,
} from "../../packages/server/src/hub/mod.ts";
import { until } from "../until.ts";

/** The times and limits of the rosters under test. */
export const ROSTER_LIMITS = {
  awayMs: 10_000,
  resumeMs: 120_000,
  detachedPerAddressMax: 3,
  connectionsPerPersonMax: 3,
  leaseMs: 15_000,
} as const;

/** Rosters of several nodes, and their clocks. */
export interface RosterWorld {
  readonly views: readonly Roster[];
  /** Lets time pass for all nodes. Only the nodes in `awake` act; the others are suspended. @default all */
  pass(ms: number, awake?: readonly Roster[]): void;
}

export function rosterSuite(name: string, factory: (nodes: number) => RosterWorld | Promise<RosterWorld>): void {
  for (const nodes of [1, 2]) {
    describe(`${name} as a Roster, ${nodes === 1 ? "one node" : "two nodes"}`, () => suite(() => factory(nodes)));
  }
  describe(`${name} as a Roster: leases`, () => leases(() => factory(2)));
}

const { awayMs, resumeMs, detachedPerAddressMax, connectionsPerPersonMax, leaseMs } = ROSTER_LIMITS;

function named(text: string): ClaimedName {
  return { text, key: nameKey(text), skeleton: skeletonOf(text) };
}

function room(text: string): { readonly text: string; readonly key: string } {
  return { text, key: nameKey(text) };
}

/** Whether the claim succeeded, or why it did not. */
function outcome(claim: Claim | "unknown"): string {
  return typeof claim === "string" ? claim : "claimed";
}

/** A client with a session: its holder and the roster of its node. */
class Client {
  readonly roster: Roster;
  readonly holder: Holder;
  readonly user: RosterUser;

  constructor(roster: Roster, holder: Holder, user: RosterUser) {
    this.roster = roster;
    this.holder = holder;
    this.user = user;
  }

  enter(text: string): Promise<boolean> {
    return this.roster.enter(this.holder, room(text));
  }

  leave(text: string): Promise<void> {
    return this.roster.leave(this.holder, nameKey(text));
  }

  rename(text: string, ...leaving: readonly string[]): Promise<Claim | "unknown"> {
    return this.roster.rename(this.holder, named(text), leaving);
  }

  detach(): Promise<void> {
    return this.roster.detach(this.holder);
  }

  end(): Promise<void> {
    return this.roster.end(this.holder);
  }

  get held(): HeldSession {
    return {
      ...this.holder,
      user: { ...this.user, ...named(this.user.name) },
      address: "192.0.2.1",
      isLasting: true,
      rooms: [],
      attempt: 0,
    };
  }
}

class Fixture {
  readonly world: RosterWorld;
  /** The first and the last node. They are the same if there is only one. */
  readonly here: Roster;
  readonly there: Roster;
  readonly changes = new Map<Roster, RosterChange[]>();
  #last = 0;

  constructor(world: RosterWorld) {
    this.world = world;
    this.here = world.views[0] as Roster;
    this.there = world.views.at(-1) as Roster;
    for (const view of world.views) {
      const changes: RosterChange[] = [];
      this.changes.set(view, changes);
      view.follow((change) => changes.push(change));
    }
  }

  next(text: string): string {
    this.#last += 1;
    return `${text}${this.#last}`;
  }

  claim(text: string, roster: Roster, options: { address?: string; isLasting?: boolean } = {}): Promise<Claim> {
    return this.#open(this.#holder(roster), text, roster, options);
  }

  async client(text: string, roster: Roster, options: { address?: string; isLasting?: boolean } = {}): Promise<Client> {
    const holder = this.#holder(roster);
    const user = await this.#open(holder, text, roster, options);
    assert.ok(typeof user !== "string", `${text}: ${user}`);
    return new Client(roster, holder, user);
  }

  async share(of: Client, roster: Roster): Promise<Client | string> {
    const holder = this.#holder(roster);
    const user = await roster.share({ ...holder, address: "192.0.2.1", isLasting: true }, of.holder.session);
    return typeof user === "string" ? user : new Client(roster, holder, user);
  }

  async takeOver(
    of: Client,
    roster: Roster,
    attempt = Number.POSITIVE_INFINITY,
  ): Promise<(Client & { readonly taken: TakenSession }) | string> {
    const holder = { session: of.holder.session, connection: this.next(`${roster.node}.`) };
    const taken = await roster.takeOver({ ...holder, address: "192.0.2.1", attempt });
    return typeof taken === "string" ? taken : Object.assign(new Client(roster, holder, taken.user), { taken });
  }

  async members(text: string, roster = this.there): Promise<readonly string[]> {
    const { members, count } = await roster.members(nameKey(text), 100);
    assert.equal(members.length, count);
    return members.map(({ name }) => name).sort();
  }

  /** Waits until every node has been told this, in any order. */
  async hears(...expected: readonly (readonly string[])[]): Promise<void> {
    const heard = new Map(this.world.views.map((view) => [view, [] as (readonly string[])[]]));
    const all = () =>
      this.world.views.every((view) => {
        const changes = heard.get(view) as (readonly string[])[];
        for (const change of (this.changes.get(view) as RosterChange[]).splice(0)) {
          if (change.type === "replaced" || change.type === "ended") continue;
          changes.push([change.type, change.room, change.user.name]);
        }
        return changes.length >= expected.length;
      });
    await until(all, () => `${JSON.stringify(expected)}; heard ${JSON.stringify([...heard.values()])}`);
    for (const each of heard.values()) assert.deepEqual([...each].sort(), [...expected].sort());
  }

  #holder(roster: Roster): Holder {
    return { session: this.next("session"), connection: this.next(`${roster.node}.`) };
  }

  #open(
    holder: Holder,
    text: string,
    roster: Roster,
    { address = "192.0.2.1", isLasting = true }: { address?: string; isLasting?: boolean },
  ): Promise<Claim> {
    return roster.open({ ...holder, address, isLasting }, named(text));
  }
}

function suite(factory: () => RosterWorld | Promise<RosterWorld>): void {
  let fixture: Fixture;
  let here: Roster;
  let there: Roster;

  beforeEach(async () => {
    fixture = new Fixture(await factory());
    ({ here, there } = fixture);
  });
  afterEach(async () => {
    for (const view of fixture.world.views) await view.close();
  });

  describe("names", () => {
    test("open() gives a name to one user, in any spelling", async () => {
      const ada = await fixture.client("Ada", here);
      assert.equal(ada.user.name, "Ada");
      assert.equal(await fixture.claim("ada", there), "in-use");
      const bob = await fixture.client("Bob", there);
      assert.notEqual(bob.user.id, ada.user.id);
      await ada.end();
      const next = await fixture.client("ADA", there);
      assert.notEqual(next.user.id, ada.user.id);
    });

    test("open() gives a name to one of many concurrent claims", async () => {
      const views = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? here : there));
      const claims = await Promise.all(views.map((view) => fixture.claim("ada", view)));
      assert.deepEqual(claims.map(outcome).sort(), ["claimed", ...Array(19).fill("in-use")]);
    });

    test("open() accepts one of many concurrent look-alikes", async () => {
      const texts = ["\u0430da", "a\u0501a", "ad\u0430", "\u0430d\u0430", "\uff41da", "\u{1d41a}da"];
      const claims = await Promise.all(texts.map((text, i) => fixture.claim(text, i % 2 === 0 ? here : there)));
      assert.deepEqual(claims.map(outcome).sort(), ["claimed", ...Array(texts.length - 1).fill("look-alike")]);
    });

    test("open() refuses a look-alike of a name in use, in either order, until that user has ended", async () => {
      for (const [first, second] of [
        ["bob", "\u0412ob"],
        ["\u0412ob", "bob"],
        ["\u0412ob", "b\u043eb"],
      ] as const) {
        const user = await fixture.client(first, here);
        assert.equal(await fixture.claim(second, there), "look-alike", `${first} ${second}`);
        await user.end();
        const other = await fixture.client(second, there);
        await other.end();
      }
    });

    test("open() accepts different ASCII names, and refuses a non-ASCII look-alike of any of them", async () => {
      const users = [await fixture.client("mall0", here), await fixture.client("rnallO", there)];
      users.push(await fixture.client("maIlO", here));
      for (const user of users) {
        assert.equal(await fixture.claim("m\u0430llo", there), "look-alike");
        await user.end();
      }
      assert.equal(outcome(await fixture.claim("m\u0430llo", there)), "claimed");
    });

    test("accepts any name and room, such as __proto__", async () => {
      for (const text of ["__proto__", "constructor", "hasownproperty"]) {
        const user = await fixture.client(text, here);
        assert.equal(await fixture.claim(text, there), "in-use");
        assert.equal(await user.enter(text), true);
        await fixture.hears(["joined", text, text]);
        assert.deepEqual(await fixture.members(text), [text]);
      }
      assert.equal(await fixture.claim("__prot\u043e__", there), "look-alike");
      assert.equal((await there.rooms(10)).length, 3);
    });

    test("rename() changes the name in all rooms, and frees the old one", async () => {
      const ada = await fixture.client("Ada", here);
      await ada.enter("lobby");
      await fixture.hears(["joined", "lobby", "Ada"]);
      assert.deepEqual(await ada.rename("Eve"), { id: ada.user.id, name: "Eve" });
      await fixture.hears(["renamed", "lobby", "Eve"]);
      assert.deepEqual(await fixture.members("lobby"), ["Eve"]);
      assert.equal(await fixture.claim("eve", there), "in-use");
      assert.equal(outcome(await fixture.claim("ada", there)), "claimed");
    });

    test("rename() to another spelling or a look-alike of the own name succeeds", async () => {
      const bob = await fixture.client("Bob", here);
      assert.equal(outcome(await bob.rename("BOB")), "claimed");
      assert.equal(await fixture.claim("bob", there), "in-use");
      assert.equal(outcome(await bob.rename("\u0412ob")), "claimed");
      assert.equal(await fixture.claim("bob", there), "look-alike");
      await bob.end();
      assert.equal(outcome(await fixture.claim("bob", there)), "claimed");
    });

    test("rename() leaves the given rooms under the old name, or changes nothing when the name is in use", async () => {
      const ada = await fixture.client("Ada", here);
      await fixture.client("Bob", there);
      for (const text of ["lobby", "kitchen"]) await ada.enter(text);
      await fixture.hears(["joined", "lobby", "Ada"], ["joined", "kitchen", "Ada"]);
      assert.equal(await ada.rename("bob", "lobby"), "in-use");
      assert.equal(await ada.rename("b\u043eb", "lobby"), "look-alike");
      assert.deepEqual(await fixture.members("lobby"), ["Ada"]);
      assert.equal(outcome(await ada.rename("Eve", "lobby")), "claimed");
      await fixture.hears(["left", "lobby", "Ada"], ["renamed", "kitchen", "Eve"]);
    });
  });

  describe("members", () => {
    test("are counted once for all sessions of a user", async () => {
      const ada = await fixture.client("Ada", here);
      const second = await fixture.share(ada, there);
      assert.ok(second instanceof Client);
      assert.deepEqual(second.user, ada.user);
      assert.equal(await ada.enter("lobby"), true);
      assert.equal(await second.enter("lobby"), true);
      assert.equal(await second.enter("lobby"), true);
      await fixture.hears(["joined", "lobby", "Ada"]);
      assert.deepEqual(await fixture.members("lobby"), ["Ada"]);
      assert.deepEqual(await there.rooms(9), [{ room: "lobby", count: 1 }]);
      await ada.leave("lobby");
      await ada.leave("lobby");
      await ada.leave("kitchen");
      await fixture.hears();
      assert.deepEqual(await fixture.members("lobby"), ["Ada"]);
      await second.leave("lobby");
      await fixture.hears(["left", "lobby", "Ada"]);
      assert.deepEqual(await fixture.members("lobby"), []);
      assert.deepEqual(await there.rooms(9), []);
    });

    test("are reported to this node before the call resolves", async () => {
      const ada = await fixture.client("Ada", here);
      const changes = fixture.changes.get(here) as RosterChange[];
      const told: number[] = [];
      await ada.enter("lobby").then(() => told.push(changes.length));
      await ada.leave("lobby").then(() => told.push(changes.length));
      assert.deepEqual(told, [1, 2]);
      assert.deepEqual(changes, [
        { type: "joined", room: "lobby", user: ada.user },
        { type: "left", room: "lobby", user: ada.user },
      ]);
    });

    test("are listed up to the limit, and all counted", async () => {
      const users = await Promise.all(["Ada", "Bob", "Eve"].map((name) => fixture.client(name, here)));
      for (const user of users) await user.enter("lobby");
      await fixture.hears(...["Ada", "Bob", "Eve"].map((name) => ["joined", "lobby", name]));
      const { members, count } = await there.members("lobby", 2);
      assert.deepEqual([members.length, count], [2, 3]);
      for (const { id, name } of members) assert.equal(users.find(({ user }) => user.name === name)?.user.id, id);
      assert.deepEqual(await there.members("lobby", 0), { members: [], count: 3 });
      assert.deepEqual(await there.members("kitchen", 10), { members: [], count: 0 });
    });

    test("make the largest rooms come first", async () => {
      const users = await Promise.all(["a", "b", "c"].map((name) => fixture.client(name, here)));
      const sizes = { small: 1, large: 3, middle: 2, gone: 1 };
      for (const [text, size] of Object.entries(sizes)) for (const user of users.slice(0, size)) await user.enter(text);
      await users[0]?.leave("gone");
      await fixture.hears(
        ...["small a", "large a", "large b", "large c", "middle a", "middle b", "gone a"].map((each) => [
          "joined",
          ...each.split(" "),
        ]),
        ["left", "gone", "a"],
      );
      const all = [
        { room: "large", count: 3 },
        { room: "middle", count: 2 },
        { room: "small", count: 1 },
      ];
      assert.deepEqual(await there.rooms(10), all);
      assert.deepEqual(await there.rooms(2), all.slice(0, 2));
      assert.deepEqual(await there.rooms(0), []);
    });

    test("are listed with exactly the changes that were reported before the call", async () => {
      const names = ["Ada", "Bob", "Eve"];
      const users = await Promise.all(names.map((name) => fixture.client(name, here)));
      const inside = new Set<string>();
      here.follow((change) => {
        if (change.type === "joined") inside.add(change.user.name);
        else if (change.type === "left") inside.delete(change.user.name);
      });
      const lists: Promise<unknown>[] = [];
      const expected: unknown[] = [];
      const look = () => {
        lists.push(fixture.members("lobby", here), here.rooms(10));
        expected.push([...inside].sort(), inside.size === 0 ? [] : [{ room: "lobby", count: inside.size }]);
      };
      const changes = users.flatMap((user) => {
        look();
        const entered = user.enter("lobby");
        look();
        return [entered, entered.then(look)];
      });
      changes.push(users[1]?.leave("lobby") as Promise<void>);
      look();
      await Promise.all(changes);
      look();
      assert.deepEqual(await Promise.all(lists), expected);
    });

    test("in a returned list do not change later", async () => {
      const ada = await fixture.client("Ada", here);
      await ada.enter("lobby");
      const before = await here.members("lobby", 10);
      await ada.rename("Eve");
      const bob = await fixture.client("Bob", here);
      await bob.enter("lobby");
      assert.deepEqual(before, { members: [ada.user], count: 1 });
    });
  });

  describe("sessions", () => {
    test("a session waits for its client, and comes back with its rooms before others notice", async () => {
      const ada = await fixture.client("Ada", here);
      await ada.enter("Lobby");
      await ada.enter("kitchen");
      await fixture.hears(["joined", "lobby", "Ada"], ["joined", "kitchen", "Ada"]);
      await ada.detach();
      fixture.world.pass(awayMs - 1);
      const back = await fixture.takeOver(ada, there);
      assert.ok(back instanceof Client);
      assert.deepEqual(back.taken, {
        user: ada.user,
        rooms: [room("Lobby"), room("kitchen")],
        hasJoined: true,
        attempt: 0,
        previous: undefined,
      });
      fixture.world.pass(awayMs);
      await fixture.hears();
      assert.deepEqual(await fixture.members("lobby"), ["Ada"]);
    });

    test("a user leaves after awayMs, joins again when it comes back, and ends after resumeMs", async () => {
      const ada = await fixture.client("Ada", here);
      await ada.enter("lobby");
      await fixture.hears(["joined", "lobby", "Ada"]);
      await ada.detach();
      fixture.world.pass(awayMs);
      await fixture.hears(["left", "lobby", "Ada"]);
      assert.deepEqual(await fixture.members("lobby"), []);
      fixture.world.pass(resumeMs - awayMs - 1);
      assert.equal(await fixture.claim("ada", there), "in-use");
      const back = await fixture.takeOver(ada, there);
      assert.ok(back instanceof Client);
      await fixture.hears(["joined", "lobby", "Ada"]);
      await back.detach();
      fixture.world.pass(awayMs);
      await fixture.hears(["left", "lobby", "Ada"]);
      fixture.world.pass(resumeMs - awayMs);
      assert.equal(await fixture.takeOver(back, here), "unknown");
      assert.equal(outcome(await fixture.claim("ada", here)), "claimed");
      await fixture.hears();
      for (const changes of fixture.changes.values()) assert.deepEqual(changes, []);
    });

    test("end() and a session that does not last leave at once, and free the name", async () => {
      const ada = await fixture.client("Ada", here);
      const bob = await fixture.client("Bob", there, { isLasting: false });
      for (const user of [ada, bob]) await user.enter("lobby");
      await fixture.hears(["joined", "lobby", "Ada"], ["joined", "lobby", "Bob"]);
      await ada.end();
      await bob.detach();
      await fixture.hears(["left", "lobby", "Ada"], ["left", "lobby", "Bob"]);
      assert.equal(await fixture.takeOver(ada, there), "unknown");
      for (const text of ["Ada", "Bob"]) assert.equal(outcome(await fixture.claim(text, here)), "claimed");
    });

    test("the end of a guest's last session is reported to every node", async () => {
      const ada = await fixture.client("Ada", here);
      const second = await fixture.share(ada, there);
      assert.ok(second instanceof Client);
      await ada.end();
      for (const changes of fixture.changes.values()) assert.deepEqual(changes, []);
      await second.end();
      for (const changes of fixture.changes.values()) assert.deepEqual(changes, [{ type: "ended", user: ada.user.id }]);
    });

    test("a user leaves a room when none of its sessions there has had a connection for awayMs", async () => {
      const ada = await fixture.client("Ada", here);
      const second = await fixture.share(ada, there);
      assert.ok(second instanceof Client);
      for (const each of [ada, second]) await each.enter("lobby");
      await second.enter("kitchen");
      await fixture.hears(["joined", "lobby", "Ada"], ["joined", "kitchen", "Ada"]);
      await second.detach();
      fixture.world.pass(awayMs);
      await fixture.hears(["left", "kitchen", "Ada"]);
      await ada.detach();
      fixture.world.pass(awayMs - 1);
      await fixture.hears();
      fixture.world.pass(1);
      await fixture.hears(["left", "lobby", "Ada"]);
      // What a session does while others of its user are away concerns itself alone.
      const back = await fixture.takeOver(second, here);
      assert.ok(back instanceof Client);
      await fixture.hears(["joined", "lobby", "Ada"], ["joined", "kitchen", "Ada"]);
      await back.leave("lobby");
      await fixture.hears(["left", "lobby", "Ada"]);
    });

    test("takeOver() goes to the latest attempt, and replaces the connection before", async () => {
      const ada = await fixture.client("Ada", here);
      const first = await fixture.takeOver(ada, there, 1);
      const third = await fixture.takeOver(ada, here, 3);
      assert.ok(first instanceof Client && third instanceof Client);
      assert.equal(first.taken.previous, ada.holder.connection);
      assert.equal(third.taken.previous, first.holder.connection);
      assert.equal(await fixture.takeOver(ada, there, 2), "unknown");
      assert.equal(await fixture.takeOver(ada, there, 3), "unknown");
      const uncounted = await fixture.takeOver(ada, there);
      assert.ok(uncounted instanceof Client);
      assert.ok((await fixture.takeOver(ada, here, 4)) instanceof Client);
      // Each node hears of its own connections only.
      const replaced = (view: Roster) =>
        (fixture.changes.get(view) as RosterChange[]).map((change) => change.type === "replaced" && change.connection);
      const fromHere = [ada, third].map(({ holder }) => holder.connection);
      const fromThere = [first, uncounted].map(({ holder }) => holder.connection);
      await until(() => replaced(here).length >= 2 && replaced(there).length >= 2, "the replaced connections are told");
      if (here === there) assert.deepEqual(replaced(here).toSorted(), [...fromHere, ...fromThere].toSorted());
      else assert.deepEqual([replaced(here), replaced(there)], [fromHere, fromThere]);
    });

    test("takeOver() succeeds for one of many concurrent connections with the same attempt", async () => {
      const ada = await fixture.client("Ada", here);
      const views = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? here : there));
      const taken = await Promise.all(views.map((view) => fixture.takeOver(ada, view, 1)));
      assert.equal(taken.filter((each) => each instanceof Client).length, 1);
    });

    test("what a connection does after it was replaced has no effect", async () => {
      const ada = await fixture.client("Ada", here);
      await ada.enter("lobby");
      await fixture.hears(["joined", "lobby", "Ada"]);
      const back = await fixture.takeOver(ada, there);
      assert.ok(back instanceof Client);
      assert.equal(await ada.enter("kitchen"), false);
      assert.equal(await ada.rename("Eve"), "unknown");
      await ada.leave("lobby");
      await ada.detach();
      await ada.end();
      await fixture.hears();
      fixture.world.pass(awayMs);
      assert.deepEqual(await fixture.members("lobby"), ["Ada"]);
      assert.deepEqual(await fixture.members("kitchen"), []);
      assert.equal(await fixture.claim("ada", here), "in-use");
    });

    test("what a connection does after it has ended has no effect", async () => {
      const ada = await fixture.client("Ada", here);
      await ada.detach();
      assert.equal(await ada.enter("kitchen"), false);
      await ada.end();
      assert.ok((await fixture.takeOver(ada, there)) instanceof Client);
    });

    test("share() and takeOver() refuse unknown sessions, and takeOver() one that does not last", async () => {
      const ada = await fixture.client("Ada", here, { isLasting: false });
      assert.equal(await fixture.takeOver(ada, there), "unknown");
      assert.ok((await fixture.share(ada, there)) instanceof Client);
      const nobody = new Client(here, { session: "no such session", connection: "none" }, ada.user);
      assert.equal(await fixture.takeOver(nobody, there), "unknown");
      assert.equal(await fixture.share(nobody, there), "unknown");
      assert.equal(await nobody.enter("lobby"), false);
    });

    test("a user has at most connectionsPerPersonMax connections, on all nodes", async () => {
      const ada = await fixture.client("Ada", here);
      const waiting = await fixture.share(ada, there);
      assert.ok(waiting instanceof Client);
      await waiting.detach();
      for (let i = 1; i < connectionsPerPersonMax; i += 1) {
        assert.ok((await fixture.share(ada, i % 2 === 0 ? here : there)) instanceof Client);
      }
      assert.equal(await fixture.share(ada, there), "too-many-connections");
      assert.equal(await fixture.takeOver(waiting, there), "too-many-connections");
      // A connection that takes over another one is not one more.
      assert.ok((await fixture.takeOver(ada, there)) instanceof Client);
    });

    test("of the sessions that wait for clients from one address only the newest are kept", async () => {
      const clients: Client[] = [];
      for (let i = 0; i <= detachedPerAddressMax; i += 1) {
        const client = await fixture.client(`user${i}`, i % 2 === 0 ? here : there, { address: "192.0.2.7" });
        await client.enter("lobby");
        clients.push(client);
      }
      const elsewhere = await fixture.client("elsewhere", here, { address: "192.0.2.8" });
      await elsewhere.detach();
      await fixture.hears(...clients.map(({ user }) => ["joined", "lobby", user.name]));
      for (const client of clients) await client.detach();
      // The one that has waited longest leaves at once.
      await fixture.hears(["left", "lobby", "user0"]);
      assert.equal(outcome(await fixture.claim("user0", there)), "claimed");
      assert.equal(await fixture.takeOver(clients[0] as Client, there), "unknown");
      for (const client of [...clients.slice(1), elsewhere]) {
        assert.ok((await fixture.takeOver(client, there)) instanceof Client, client.user.name);
      }
    });
  });
}

function leases(factory: () => RosterWorld | Promise<RosterWorld>): void {
  let fixture: Fixture;
  let here: Roster;
  let there: Roster;

  beforeEach(async () => {
    fixture = new Fixture(await factory());
    ({ here, there } = fixture);
  });
  afterEach(async () => {
    for (const view of fixture.world.views) await view.close();
  });

  test("nodes have different ids", () => {
    assert.notEqual(here.node, there.node);
  });

  test("a node that renews its lease keeps it and its members", async () => {
    const ada = await fixture.client("Ada", here);
    await ada.enter("lobby");
    fixture.world.pass(10 * leaseMs + resumeMs);
    assert.ok(here.isLeased() && there.isLeased());
    await fixture.hears(["joined", "lobby", "Ada"]);
    assert.equal(await ada.enter("kitchen"), true);
  });

  test("the connections of a node end with its lease, by the clock of another node", async () => {
    const ada = await fixture.client("Ada", here);
    await ada.enter("lobby");
    await fixture.hears(["joined", "lobby", "Ada"]);
    fixture.world.pass(leaseMs + awayMs - 1, [there]);
    await fixture.hears();
    assert.equal(here.isLeased(), false);
    // Twice the time in which a node looks for renewals, because it may have looked just before.
    fixture.world.pass(2_000, [there]);
    await fixture.hears(["left", "lobby", "Ada"]);
    assert.equal(await fixture.claim("ada", there), "in-use");
    fixture.world.pass(resumeMs, [there]);
    assert.equal(outcome(await fixture.claim("ada", there)), "claimed");
  });

  test("a lease ends for its own node before it ends for the others", async () => {
    const ada = await fixture.client("Ada", here);
    await ada.enter("lobby");
    let isLeased = true;
    there.follow((change) => {
      if (change.type === "left") isLeased = here.isLeased();
    });
    fixture.world.pass(leaseMs + awayMs + 2_000, [there]);
    assert.equal(isLeased, false);
  });

  test("a node without a lease changes nothing, and keeps its id until it claims again", async () => {
    const ada = await fixture.client("Ada", here);
    await ada.enter("lobby");
    await fixture.hears(["joined", "lobby", "Ada"]);
    const { node } = here;
    fixture.world.pass(leaseMs, [there]);
    const lost = { code: "lease-lost" };
    await assert.rejects(ada.enter("kitchen"), lost);
    await assert.rejects(ada.leave("lobby"), lost);
    await assert.rejects(ada.rename("Eve"), lost);
    await assert.rejects(ada.detach(), lost);
    await assert.rejects(ada.end(), lost);
    await assert.rejects(fixture.claim("Bob", here), lost);
    await assert.rejects(fixture.share(ada, here), lost);
    await assert.rejects(fixture.takeOver(ada, here), lost);
    // A late renewal does not bring the lease back.
    fixture.world.pass(1_000);
    assert.equal(here.isLeased(), false);
    assert.equal(here.node, node);
    await fixture.hears();
  });

  test("reclaim() gives the node a new id and its sessions back, as the node knows them", async () => {
    const ada = await fixture.client("Ada", here);
    await ada.enter("lobby");
    await ada.enter("kitchen");
    await fixture.hears(["joined", "lobby", "Ada"], ["joined", "kitchen", "Ada"]);
    const { node } = here;
    fixture.world.pass(leaseMs + awayMs + 2_000, [there]);
    await fixture.hears(["left", "lobby", "Ada"], ["left", "kitchen", "Ada"]);
    assert.deepEqual(await here.reclaim([{ ...ada.held, rooms: [room("lobby"), room("attic")] }]), []);
    assert.equal(here.isLeased(), true);
    assert.notEqual(here.node, node);
    await fixture.hears(["joined", "lobby", "Ada"], ["joined", "attic", "Ada"]);
    assert.equal(await ada.enter("kitchen"), true);
    fixture.world.pass(leaseMs + awayMs);
    assert.deepEqual(await fixture.members("attic"), ["Ada"]);
  });

  test("reclaim() before the others have noticed changes nothing that they see", async () => {
    const ada = await fixture.client("Ada", here);
    await ada.enter("lobby");
    await fixture.hears(["joined", "lobby", "Ada"]);
    fixture.world.pass(leaseMs, [there]);
    assert.equal(here.isLeased(), false);
    assert.deepEqual(await here.reclaim([{ ...ada.held, rooms: [room("lobby")] }]), []);
    fixture.world.pass(leaseMs + awayMs);
    await fixture.hears();
    assert.deepEqual(await fixture.members("lobby"), ["Ada"]);
  });

  test("reclaim() claims the names of ended sessions again, with the same user ids", async () => {
    const ada = await fixture.client("Ada", here);
    await ada.enter("lobby");
    fixture.world.pass(leaseMs + resumeMs + 2_000, [there]);
    await fixture.hears(["joined", "lobby", "Ada"], ["left", "lobby", "Ada"]);
    assert.deepEqual(await here.reclaim([{ ...ada.held, rooms: [room("lobby")], attempt: 2 }]), []);
    await fixture.hears(["joined", "lobby", "Ada"]);
    assert.deepEqual((await there.members("lobby", 9)).members, [ada.user]);
    assert.equal(await fixture.claim("ada", there), "in-use");
    assert.equal(await fixture.takeOver(ada, there, 2), "unknown");
    assert.ok((await fixture.takeOver(ada, there, 3)) instanceof Client);
  });

  test("reclaim() returns the connections whose session or name another one has by now", async () => {
    const [ada, bob, eve] = await Promise.all(["Ada", "Bob", "Eve"].map((text) => fixture.client(text, here)));
    assert.ok(ada && bob && eve);
    fixture.world.pass(leaseMs + 2_000, [there]);
    const taken = await fixture.takeOver(bob, there);
    assert.ok(taken instanceof Client);
    fixture.world.pass(resumeMs, [there]);
    const other = await fixture.client("ADA", there);
    for (const each of [other, taken]) await each.enter("lobby");
    const lost = await here.reclaim([ada, bob, eve].map(({ held }) => ({ ...held, rooms: [room("lobby")] })));
    assert.deepEqual(lost.toSorted(), [ada, bob].map(({ holder }) => holder.connection).toSorted());
    assert.deepEqual(await fixture.members("lobby"), ["ADA", "Bob", "Eve"]);
    // Also a session that was taken over and waits for its client since.
    await taken.detach();
    fixture.world.pass(leaseMs + 2_000, [there]);
    assert.deepEqual(await here.reclaim([bob.held]), [bob.holder.connection]);
    assert.ok((await fixture.takeOver(taken, there)) instanceof Client);
  });

  test("close() ends the node's connections without waiting for its lease", async () => {
    const ada = await fixture.client("Ada", here);
    await ada.enter("lobby");
    await fixture.hears(["joined", "lobby", "Ada"]);
    await here.close();
    assert.ok((await fixture.takeOver(ada, there)) instanceof Client);
  });
}
