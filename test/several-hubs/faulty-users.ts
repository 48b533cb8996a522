import type { Position } from "../../packages/server/src/core/mod.ts";
import type { Users } from "../../packages/server/src/hub/mod.ts";
import type { Process, Scheduler } from "./scheduler.ts";

/** What is stored about users, over a slow network. */
export class FaultyUsers implements Users {
  readonly #inner: Users;
  readonly #process: Process;
  readonly #scheduler: Scheduler;

  constructor(inner: Users, process: Process, scheduler: Scheduler) {
    this.#inner = inner;
    this.#process = process;
    this.#scheduler = scheduler;
  }

  readPosition(user: string, room: string): Promise<Position | undefined> {
    return this.#later(() => this.#inner.readPosition(user, room));
  }

  markRead(user: string, room: string, position: Position): Promise<Position> {
    return this.#later(() => this.#inner.markRead(user, room, position));
  }

  forget(user: string): Promise<void> {
    return this.#later(() => this.#inner.forget(user));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #later<T>(call: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#scheduler.add({ of: this.#process, run: () => void call().then(resolve, reject) });
    return promise;
  }
}
