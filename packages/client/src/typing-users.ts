/** Time after which a user counts as no longer typing, in milliseconds: two intervals of `typing` messages. */
const TYPING_MS = 6_000;

/**
 * The users who are typing in a room, for a user interface. Pass it each `typing` event with {@link typed}, and each
 * message and departure with {@link stopped}. A user is removed after 6 seconds without a `typing` event.
 */
export class TypingUsers {
  readonly #changed: () => void;
  /** One timer per user, which ends the typing. */
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  /** @param changed called when the list of names changes, except by {@link clear}. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Their names, in the order in which they began. */
  get names(): readonly string[] {
    return [...this.#timers.keys()];
  }

  /** A `typing` event of this user arrived. */
  typed(name: string): void {
    clearTimeout(this.#timers.get(name));
    const isNew = !this.#timers.has(name);
    this.#timers.set(
      name,
      setTimeout(() => this.stopped(name), TYPING_MS),
    );
    if (isNew) this.#changed();
  }

  /** The user's message arrived, or the user left. */
  stopped(name: string): void {
    clearTimeout(this.#timers.get(name));
    if (this.#timers.delete(name)) this.#changed();
  }

  /** Removes all users and their timers. Does not call `changed`. */
  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
