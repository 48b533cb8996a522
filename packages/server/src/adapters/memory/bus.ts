import type { Bus, Hint } from "../../hub/mod.ts";

/** One node's end of a bus in memory. Nodes of one process share the set of ends. */
export class MemoryBus implements Bus {
  readonly #ends: Set<MemoryBus>;
  #listener: ((hint: Hint) => void) | undefined;

  constructor(ends: Set<MemoryBus> = new Set()) {
    this.#ends = ends;
    ends.add(this);
  }

  publish(hint: Hint): void {
    if (!this.#ends.has(this)) return;
    for (const end of this.#ends) if (end !== this) end.#listener?.(hint);
  }

  follow(listener: (hint: Hint) => void): void {
    this.#listener = listener;
  }

  async close(): Promise<void> {
    this.#ends.delete(this);
    this.#listener = undefined;
  }
}
