/** How long somebody counts as writing, in milliseconds: twice as long as it takes a client that writes to say so again. */
const WRITING_MS = 6_000;

/** Who is writing in a room. */
export class Writers {
  readonly #changed: () => void;
  /** When each is taken to have stopped. */
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get names(): readonly string[] {
    return [...this.#timers.keys()];
  }

  wrote(name: string): void {
    clearTimeout(this.#timers.get(name));
    const isNew = !this.#timers.has(name);
    this.#timers.set(
      name,
      setTimeout(() => this.stopped(name), WRITING_MS),
    );
    if (isNew) this.#changed();
  }

  /** The message came, or its author left, or nothing was heard any more. */
  stopped(name: string): void {
    clearTimeout(this.#timers.get(name));
    if (this.#timers.delete(name)) this.#changed();
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
