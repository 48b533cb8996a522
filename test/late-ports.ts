/**
 * A log and a presence whose answers tests release, in any order that a slow disk or network could cause.
 *
 * @module
 */
import type {
  AppendResult,
  Entry,
  NewEntry,
  Page,
  Presence,
  PresenceChange,
  ReadOptions,
  RoomLog,
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

  state(room: string): Promise<ReadonlyMap<string, string>> {
    return this.#late(this.#log.state(room));
  }

  follow(listener: (entries: readonly Entry[]) => void): void {
    this.#log.follow(listener);
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  async #late<T>(answer: Promise<T>): Promise<T> {
    await this.#gate.pass();
    return await answer;
  }
}

/** A presence that acts and answers late, like one in another process. Changes of one room keep their order. */
export class LatePresence implements Presence {
  readonly #presence: Presence;
  readonly #gate: Gate;
  readonly #last = new Map<string, Promise<void>>();

  constructor(presence: Presence, gate: Gate) {
    this.#presence = presence;
    this.#gate = gate;
  }

  enter(room: string, name: string, origin?: unknown): Promise<void> {
    return this.#inTurn(room, () => this.#presence.enter(room, name, origin));
  }

  leave(room: string, name: string, origin?: unknown): Promise<void> {
    return this.#inTurn(room, () => this.#presence.leave(room, name, origin));
  }

  members(room: string, limit: number): ReturnType<Presence["members"]> {
    return this.#late(this.#presence.members(room, limit));
  }

  rooms(limit: number): ReturnType<Presence["rooms"]> {
    return this.#late(this.#presence.rooms(limit));
  }

  follow(listener: (change: PresenceChange) => void): void {
    this.#presence.follow(listener);
  }

  close(): Promise<void> {
    return this.#presence.close();
  }

  async #inTurn(room: string, change: () => Promise<void>): Promise<void> {
    const before = this.#last.get(room);
    const changed = (async () => {
      await before;
      await this.#gate.pass();
      await change();
    })();
    this.#last.set(room, changed);
    await changed;
    await this.#gate.pass();
  }

  async #late<T>(answer: Promise<T>): Promise<T> {
    await this.#gate.pass();
    return await answer;
  }
}
