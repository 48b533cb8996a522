/**
 * A log and a roster whose answers tests release, in any order that a slow disk or network could cause.
 *
 * @module
 */
import type { Name } from "../packages/server/src/core/mod.ts";
import type {
  AppendResult,
  ClaimedName,
  Follower,
  HeldSession,
  Holder,
  NewEntry,
  NewSession,
  Page,
  ReadOptions,
  RoomLog,
  Roster,
  RosterChange,
  Takeover,
} from "../packages/server/src/hub/mod.ts";

/** Holds answers until a test releases them. */
export class Gate {
  #isOpen = false;
  readonly #waiting: (() => void)[] = [];

  /** Resolves when a test releases it. */
  pass(): Promise<void> {
    return this.#isOpen ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Releases one waiting answer. */
  release(index: number): void {
    this.#waiting.splice(index % Math.max(1, this.#waiting.length), 1)[0]?.();
  }

  /** Releases all answers, also future ones. */
  open(): void {
    this.#isOpen = true;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** A log that acts at once and answers late. */
export class LateLog implements RoomLog {
  readonly #log: RoomLog;
  readonly #gate: Gate;

  constructor(log: RoomLog, gate: Gate) {
    this.#log = log;
    this.#gate = gate;
  }

  open(room: string): ReturnType<RoomLog["open"]> {
    return this.#late(this.#log.open(room));
  }

  release(room: string): Promise<void> {
    return this.#late(this.#log.release(room));
  }

  append(entries: readonly NewEntry[]): Promise<readonly AppendResult[]> {
    return this.#late(this.#log.append(entries));
  }

  read(room: string, options: ReadOptions): Promise<Page> {
    return this.#late(this.#log.read(room, options));
  }

  follow(follower: Follower): void {
    this.#log.follow(follower);
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  async #late<T>(answer: Promise<T>): Promise<T> {
    await this.#gate.pass();
    return await answer;
  }
}

/** A roster that acts and answers late, like one in another process. Changes of one session keep their order. */
export class LateRoster implements Roster {
  readonly #roster: Roster;
  readonly #gate: Gate;
  readonly #last = new Map<string, Promise<void>>();

  constructor(roster: Roster, gate: Gate) {
    this.#roster = roster;
    this.#gate = gate;
  }

  get node(): string {
    return this.#roster.node;
  }

  isLeased(): boolean {
    return this.#roster.isLeased();
  }

  open(session: NewSession, name: ClaimedName): ReturnType<Roster["open"]> {
    return this.#inTurn(session.session, () => this.#roster.open(session, name));
  }

  share(session: NewSession, of: string): ReturnType<Roster["share"]> {
    return this.#inTurn(session.session, () => this.#roster.share(session, of));
  }

  takeOver(takeover: Takeover): ReturnType<Roster["takeOver"]> {
    return this.#inTurn(takeover.session, () => this.#roster.takeOver(takeover));
  }

  rename(holder: Holder, name: ClaimedName, leaving: readonly string[]): ReturnType<Roster["rename"]> {
    return this.#inTurn(holder.session, () => this.#roster.rename(holder, name, leaving));
  }

  enter(holder: Holder, room: Name): Promise<boolean> {
    return this.#inTurn(holder.session, () => this.#roster.enter(holder, room));
  }

  leave(holder: Holder, room: string): Promise<void> {
    return this.#inTurn(holder.session, () => this.#roster.leave(holder, room));
  }

  detach(holder: Holder): Promise<void> {
    return this.#inTurn(holder.session, () => this.#roster.detach(holder));
  }

  end(holder: Holder): Promise<void> {
    return this.#inTurn(holder.session, () => this.#roster.end(holder));
  }

  members(room: string, limit: number): ReturnType<Roster["members"]> {
    return this.#late(this.#roster.members(room, limit));
  }

  rooms(limit: number): ReturnType<Roster["rooms"]> {
    return this.#late(this.#roster.rooms(limit));
  }

  follow(listener: (change: RosterChange) => void): void {
    this.#roster.follow(listener);
  }

  sweep(): void {
    this.#roster.sweep();
  }

  reclaim(sessions: readonly HeldSession[]): Promise<readonly string[]> {
    return this.#late(this.#roster.reclaim(sessions));
  }

  close(): Promise<void> {
    return this.#roster.close();
  }

  async #inTurn<T>(session: string, change: () => Promise<T>): Promise<T> {
    const before = this.#last.get(session);
    const changed = (async () => {
      await before;
      await this.#gate.pass();
      return await change();
    })();
    this.#last.set(
      session,
      changed.then(
        () => undefined,
        () => undefined,
      ),
    );
    const result = await changed;
    await this.#gate.pass();
    return result;
  }

  async #late<T>(answer: Promise<T>): Promise<T> {
    await this.#gate.pass();
    return await answer;
  }
}
