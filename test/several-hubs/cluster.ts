import assert from "node:assert/strict";
import { MemoryRoomLog } from "../../packages/server/src/adapters/memory/mod.ts";
import type { Entry, RosterUser } from "../../packages/server/src/hub/mod.ts";
import { Node } from "./node.ts";
import { Observer } from "./observer.ts";
import { Scheduler } from "./scheduler.ts";
import { LEASE_MS, LIMITS, Stores } from "./stores.ts";

export const ROOMS = ["lobby", "kitchen"];

const SWEEP_MS = 1_000;
/** After this long, all leases and sessions of nodes and clients that are gone have run out, in milliseconds. */
const EXPIRY_MS = LEASE_MS + LIMITS.resumeMs + 4 * SWEEP_MS;
/** Most steps until a cluster without faults is at rest. */
const STEPS_MAX = 10_000;

interface Kick {
  readonly room: string;
  readonly user: RosterUser;
  readonly seq: number;
}

/** Several nodes on shared stores, and their clients. */
export class Cluster implements Disposable {
  readonly stores = new Stores();
  readonly scheduler = new Scheduler();
  readonly nodes: Node[] = [];
  readonly observers: readonly Observer[];
  readonly #crashed: Node[] = [];
  readonly #log = new MemoryRoomLog(this.stores.rooms);
  readonly #kicks: Kick[] = [];
  #random: number;

  constructor(nodes: number, random: number) {
    this.#random = random;
    const ada = new Observer("ada", "ada", this.scheduler);
    const bob = new Observer("bob", "bob", this.scheduler);
    // A second client of ada, and a stranger who wants bob's name.
    const shared = new Observer("ada2", "ada", this.scheduler);
    ada.partner = shared;
    shared.partner = ada;
    const stranger = new Observer("bob2", "bob", this.scheduler);
    this.observers = [ada, bob, shared, stranger];
    for (let i = 0; i < nodes; i += 1) this.nodes.push(this.#newNode());
  }

  [Symbol.dispose](): void {
    this.scheduler[Symbol.dispose]();
  }

  /** Connects and joins, without faults. */
  async enter(): Promise<void> {
    for (const [i, observer] of this.observers.entries()) {
      observer.connect(this.node(i));
      await this.rest();
      observer.hear();
      for (const room of ROOMS) observer.join(room);
      await this.rest();
      observer.hear();
    }
  }

  node(index: number): Node {
    return this.nodes[index % this.nodes.length] as Node;
  }

  observer(index: number): Observer {
    return this.observers[index % this.observers.length] as Observer;
  }

  /** Carries out everything that needs no time, in a random order and without faults. */
  async rest(): Promise<void> {
    for (let steps = 0; await this.scheduler.step(this.#nextRandom(), 0); steps += 1) {
      assert.ok(steps < STEPS_MAX, "the nodes do not come to rest");
    }
  }

  /** Lets time pass. */
  async elapse(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= SWEEP_MS) {
      this.stores.now += Math.min(left, SWEEP_MS);
      await this.scheduler.stepDue(this.stores.now);
      for (const node of this.nodes) {
        if (!node.isPaused) await this.scheduler.act(node, () => node.hub.sweep());
      }
    }
  }

  /** Kills a node, and starts another one. */
  crash(index: number): void {
    const i = index % this.nodes.length;
    const node = this.nodes[i] as Node;
    this.scheduler.crash(node);
    this.#crashed.push(node);
    this.nodes[i] = this.#newNode();
  }

  /** Appends the kick of a user. */
  async kick(room: string, { name }: Observer): Promise<void> {
    const id = this.stores.names.ownerOf(name);
    if (id === undefined) return;
    const author = { id: "admin", name: "admin" };
    const user = { id, name };
    const [result] = await this.#log.append([{ kind: "kick", room, id: undefined, author, user, reason: "" }]);
    assert.ok(result?.type === "appended");
    this.#kicks.push({ room, user, seq: result.seq });
  }

  /** Fails if a node did what it must not do, or if two users have the same name. */
  check(): void {
    for (const { violations } of [...this.nodes, ...this.#crashed]) assert.deepEqual(violations, []);
    const users = new Map<string, object>();
    for (const { name, user, isServed } of this.observers) {
      if (!isServed) continue;
      assert.equal(users.get(name) ?? user, user, `two users have the name ${name}`);
      users.set(name, user);
    }
  }

  /** Ends all faults, and waits until leases and sessions have run out and all clients are back. */
  async heal(): Promise<void> {
    for (const node of this.nodes) {
      node.isPaused = false;
      node.roster.isCutOff = false;
    }
    const endsAt = this.stores.now + EXPIRY_MS;
    for (let i = 0; this.stores.now < endsAt || !this.#isSettled; i += 1) {
      const left = this.observers.map(({ waitsFor }) => waitsFor).join("\n");
      assert.ok(this.stores.now < endsAt + EXPIRY_MS, `clients are waiting:\n${left}`);
      for (const [index, observer] of this.observers.entries()) {
        // Not always at once: the name of a client without a session is in use for a while.
        if (observer.state !== "offline" || i % 3 === 0) observer.retry(this.node(index + i));
      }
      await this.rest();
      for (const observer of this.observers) observer.hear();
      for (const node of this.nodes) node.log.findLosses();
      await this.elapse(SWEEP_MS);
      this.check();
    }
  }

  /** Checks what every client knows, after {@link heal}. */
  async judge(): Promise<void> {
    await this.#judgeAnswers();
    const names = this.observers.filter(({ state }) => state === "online").map(({ name }) => name);
    assert.deepEqual(
      this.stores.names.keys,
      [...new Set(names)].sort(),
      "other names are in use than those of the clients",
    );
    for (const room of ROOMS) {
      this.#judgeMembers(room);
      const { entries } = await this.#log.read(room, { limit: 10_000 });
      this.#judgeEntries(room, entries);
    }
    this.#judgeKicks();
  }

  get #isSettled(): boolean {
    return this.observers.every((observer) => observer.isSettled || this.#isNameless(observer));
  }

  /** Whether another user has the client's name. */
  #isNameless({ state, name, user }: Observer): boolean {
    const isOther = (other: Observer) => other.name === name && other.user !== user && other.state === "online";
    return state === "offline" && this.observers.some(isOther);
  }

  /** Each connection answers, and each list of members is what the client was told. */
  async #judgeAnswers(): Promise<void> {
    for (const observer of this.observers) {
      for (const room of ROOMS) observer.who(room);
      observer.ping();
    }
    await this.rest();
    for (const observer of this.observers) observer.hear();
    const waiting = this.observers.filter((observer) => !observer.isSettled && !this.#isNameless(observer));
    assert.deepEqual(
      waiting.map(({ waitsFor }) => waitsFor),
      [],
      "connections do not answer",
    );
  }

  #judgeMembers(room: string): void {
    const inside = this.observers.filter(({ rooms, state }) => state === "online" && rooms.has(room));
    const expected = [...new Set(inside.map(({ name }) => name))].sort();
    const { members } = this.stores.roster.members.page(room, 100);
    assert.deepEqual(members.map(({ name }) => name).sort(), expected, `the members of ${room} are others`);
    for (const { label, rooms } of inside) {
      assert.deepEqual(
        [...(rooms.get(room)?.members ?? [])].sort(),
        expected,
        `${label} knows other members of ${room}`,
      );
    }
  }

  #judgeEntries(room: string, entries: readonly Entry[]): void {
    const last = entries.at(-1)?.seq ?? 0;
    for (const { label, stays, rooms, state, said } of this.observers) {
      for (const { from, seen, last: until } of stays.filter(({ name }) => name === room)) {
        const expected = entries.filter(({ seq }) => seq > from && seq <= until).map(({ seq }) => seq);
        assert.deepEqual(seen, expected, `${label} saw other entries of ${room}, or in another order`);
      }
      const stay = state === "online" ? rooms.get(room) : undefined;
      assert.equal(stay?.last ?? last, last, `${label} does not know the last entries of ${room}`);
      for (const each of said) {
        if (each.room !== room) continue;
        const stored = entries.filter(({ id }) => id === each.id);
        assert.ok(stored.length <= 1, `${each.id} is stored twice`);
        const [entry] = stored;
        if (each.seq !== undefined) {
          const text = entry?.kind === "message" ? entry.text : entry?.kind === "set" ? entry.changes.get("topic") : "";
          const actual = [entry?.seq, entry?.author.name, text];
          assert.deepEqual(actual, [each.seq, each.username, each.text], `${each.id} is not stored as acknowledged`);
        } else if (each.refusal !== undefined && !each.isInDoubt) {
          assert.equal(entry, undefined, `${each.id} is stored, and was refused with ${each.refusal}`);
        }
      }
    }
  }

  /** After a kick, its user is in the room only if it joined again on its own account. */
  #judgeKicks(): void {
    for (const { room, user, seq } of this.#kicks) {
      const { id, name } = user;
      if (this.stores.names.ownerOf(name) !== id) continue;
      for (const { label, rooms, state } of this.observers.filter((each) => each.name === name)) {
        const stay = state === "online" ? rooms.get(room) : undefined;
        if (stay === undefined) continue;
        assert.ok(stay.joinedAt >= seq, `${label} is still in ${room}, and was kicked`);
        const isUnaware = stay.resyncs.some(({ from, to }) => from < seq && seq <= to);
        assert.equal(
          isUnaware,
          false,
          `${label} was kicked out of ${room}, and came back as if entries were missing only`,
        );
      }
    }
  }

  #newNode(): Node {
    return new Node(this.stores, this.scheduler, 1_000 * (this.nodes.length + this.#crashed.length));
  }

  #nextRandom(): number {
    this.#random = (Math.imul(this.#random, 1_103_515_245) + 12_345) >>> 1;
    return this.#random;
  }
}
