/** How long new work gathers before the first step, in milliseconds. */
const DELAY_MS = 200;
/** During commits, one part in this many of the time goes to housekeeping. */
const SHARE = 10;
/** How long to wait after an error, in milliseconds. */
const RETRY_MS = 1_000;

/** Background work, in steps of a few milliseconds. */
export interface Task {
  /** Does one step. Returns false if there was nothing to do. */
  step(): boolean;
}

/** Runs background tasks: all the time when the writer is idle, and with a small share of it during commits. */
export class Housekeeping {
  readonly #tasks: readonly Task[];
  readonly #guard: () => void;
  readonly #report: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #commits = 0;
  /** The index of the next task. */
  #next = 0;
  #hasFailed = false;

  /** `guard` is called before each step. Its errors are not caught. */
  constructor(tasks: readonly Task[], guard: () => void, report: (error: unknown) => void) {
    this.#tasks = tasks;
    this.#guard = guard;
    this.#report = report;
  }

  /** Schedules a run, because a task may have work. */
  wake(delayMs: number = DELAY_MS): void {
    this.#commits += 1;
    if (this.#timer !== undefined || this.#immediate !== undefined) return;
    this.#timer = setTimeout(() => this.#run(), delayMs);
  }

  /** Runs this task next and at once, because a caller waits for it. */
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
      // Report once, and not again at each retry on a full disk.
      if (!this.#hasFailed) this.#report(error);
      this.#hasFailed = true;
      this.#timer = setTimeout(() => this.#run(), RETRY_MS);
      return;
    }
    const tookMs = performance.now() - start;
    if (isBusy) this.#timer = setTimeout(() => this.#run(), tookMs * (SHARE - 1));
    else this.#immediate = setImmediate(() => this.#run());
  }

  /** Runs one step of the next task that has work. Returns false if none has. */
  #step(): boolean {
    for (let i = 0; i < this.#tasks.length; i += 1) {
      const task = this.#tasks[this.#next] as Task;
      this.#next = (this.#next + 1) % this.#tasks.length;
      if (task.step()) return true;
    }
    return false;
  }
}
