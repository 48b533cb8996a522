import { turn } from "../until.ts";

/** Something whose steps run, wait, or never run again: a node. */
export interface Process {
  /** Its steps wait. */
  isPaused: boolean;
  /** Its steps never run. */
  isCrashed: boolean;
}

/** Something that will happen in a process: a result or an event arrives, or a deferred function is called. */
export interface Step {
  readonly of: Process;
  /** It stays behind the earlier steps of the same process that are in one of these lanes. @default none */
  readonly behind?: readonly string[];
  /** Its lanes. @default `behind` */
  readonly lanes?: readonly string[];
  /** The latest time for it, unless the process is paused, in milliseconds. @default none */
  readonly dueAt?: number;
  /** @param fault chooses a fault; 0 for none */
  run(fault: number): void;
}

/**
 * Carries out one step after the other, in an order that the test chooses. Replaces `setImmediate`, so that a process does
 * nothing between its steps.
 */
export class Scheduler {
  #steps: Step[] = [];
  #current: Process | undefined;
  readonly #setImmediate: typeof setImmediate = globalThis.setImmediate;

  constructor() {
    const defer = (run: () => void) => {
      if (this.#current === undefined) this.#setImmediate(run);
      else this.add({ of: this.#current, behind: ["immediates"], run });
    };
    globalThis.setImmediate = defer as unknown as typeof setImmediate;
  }

  [Symbol.dispose](): void {
    globalThis.setImmediate = this.#setImmediate;
  }

  add(step: Step): void {
    if (!step.of.isCrashed) this.#steps.push(step);
  }

  /** Runs `act` as the process, with everything that follows from it without another step. */
  async act(of: Process, act: () => void): Promise<void> {
    this.#current = of;
    act();
    // Node runs all microtasks before the next turn.
    await turn();
    this.#current = undefined;
  }

  /** Carries out the first step that can be, from the step number `pick` on. Returns false if there is none. */
  async step(pick: number, fault: number): Promise<boolean> {
    const count = this.#steps.length;
    for (let i = 0; i < count; i += 1) {
      const index = (pick + i) % count;
      if (!this.#isReady(index)) continue;
      await this.#carryOut(index, fault);
      return true;
    }
    return false;
  }

  /** Carries out the steps that are due, without faults. */
  async stepDue(now: number): Promise<void> {
    for (let i = 0; i < this.#steps.length; i += 1) {
      if (((this.#steps[i] as Step).dueAt ?? now + 1) > now || !this.#isReady(i)) continue;
      await this.#carryOut(i, 0);
      i = -1;
    }
  }

  /** The process executes nothing any more. */
  crash(process: Process): void {
    process.isCrashed = true;
    this.#steps = this.#steps.filter(({ of }) => of !== process);
  }

  async #carryOut(index: number, fault: number): Promise<void> {
    const [step] = this.#steps.splice(index, 1) as [Step];
    await this.act(step.of, () => step.run(fault));
  }

  #isReady(index: number): boolean {
    const { of, behind = [] } = this.#steps[index] as Step;
    if (of.isPaused) return false;
    for (let i = 0; behind.length > 0 && i < index; i += 1) {
      const earlier = this.#steps[i] as Step;
      if (earlier.of === of && (earlier.lanes ?? earlier.behind)?.some((lane) => behind.includes(lane))) return false;
    }
    return true;
  }
}
