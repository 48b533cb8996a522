/** How long somebody counts as writing, in milliseconds: twice as long as it takes a client that writes to say so again. */
const WRITING_MS = 6_000;

/**
 * Who is writing in a room, for those who show it: told of the `typing` events, and of what ends the writing.
 * Whoever is not heard of for six seconds counts as having stopped.
 */
export class Writers {
  readonly #changed: () => void;
  /** When each is taken to have stopped. */
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  /** @param changed called when somebody begins or stops. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Those who are writing, the first to begin first. */
  get names(): readonly string[] {
    return [...this.#timers.keys()];
  }

  /** A `typing` event came. */
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

  /** Forgets everybody, without a word; leaves no timer. */
  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
