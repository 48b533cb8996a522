import type { Bus, Hint } from "../../packages/server/src/hub/mod.ts";
import type { Process, Scheduler } from "./scheduler.ts";

/** A bus that drops, delays and reorders hints. */
export class FaultyBus implements Bus {
  readonly #inner: Bus;
  readonly #process: Process;
  readonly #scheduler: Scheduler;

  constructor(inner: Bus, process: Process, scheduler: Scheduler) {
    this.#inner = inner;
    this.#process = process;
    this.#scheduler = scheduler;
  }

  publish(hint: Hint): void {
    this.#inner.publish(hint);
  }

  follow(listener: (hint: Hint) => void): void {
    this.#inner.follow((hint) => {
      const run = (fault: number) => {
        if (fault % 4 !== 3) listener(hint);
      };
      this.#scheduler.add({ of: this.#process, run });
    });
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
