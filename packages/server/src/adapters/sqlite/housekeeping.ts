/** How long new work is left to gather, in milliseconds. */
const DELAY_MS = 200;
/** While messages are committed, one part in this many of the time is for housekeeping. */
const SHARE = 10;
/** After an error, in milliseconds. */
const RETRY_MS = 1_000;

/** Work behind the commits, in steps of a few milliseconds. */
export interface Task {
  /** Does a little of it; false if there was nothing to do. */
  step(): boolean;
}

/** Does the tasks when nothing else is to be done, and with a small part of the time when there always is. */
export class Housekeeping {
  readonly #tasks: readonly Task[];
  readonly #guard: () => void;
  readonly #report: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #commits = 0;
  /** Whose turn it is. */
  #next = 0;
  #hasFailed = false;

  /** `guard` is called before each step; what it throws is not caught. */
  constructor(tasks: readonly Task[], guard: () => void, report: (error: unknown) => void) {
    this.#tasks = tasks;
    this.#guard = guard;
    this.#report = report;
  }

  /** There may be something to do. */
  wake(delayMs: number = DELAY_MS): void {
    this.#commits += 1;
    if (this.#timer !== undefined || this.#immediate !== undefined) return;
    this.#timer = setTimeout(() => this.#run(), delayMs);
  }

  /** Somebody waits for this task. */
  hurry(task: Task): void {
    this.#next = this.#tasks.indexOf(task);
    if (this.#immediate !== undefined) return;
    this.stop();
    this.#immediate = setImmediate(() => this.#run());
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#timer = undefined;
    this.#immediate = undefined;
  }

  #run(): void {
    this.stop();
    const isBusy = this.#commits > 0;
    this.#commits = 0;
    const start = performance.now();
    this.#guard();
    try {
      if (!this.#step()) return;
      this.#hasFailed = false;
    } catch (error) {
      // Once, and not every second until there is room on the disk again.
      if (!this.#hasFailed) this.#report(error);
      this.#hasFailed = true;
      this.#timer = setTimeout(() => this.#run(), RETRY_MS);
      return;
    }
    const tookMs = performance.now() - start;
    if (isBusy) this.#timer = setTimeout(() => this.#run(), tookMs * (SHARE - 1));
    else this.#immediate = setImmediate(() => this.#run());
  }

  /** One step of the next task that has something to do. */
  #step(): boolean {
    for (let i = 0; i < this.#tasks.length; i += 1) {
      const task = this.#tasks[this.#next] as Task;
      this.#next = (this.#next + 1) % this.#tasks.length;
      if (task.step()) return true;
    }
    return false;
  }
}
