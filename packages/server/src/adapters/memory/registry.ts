import type { Registry } from "../../hub/mod.ts";

/** Who has which name, on this one server. */
export class MemoryRegistry implements Registry {
  readonly #owners = new Map<string, string>();

  async claim(name: string, owner: string): Promise<boolean> {
    const current = this.#owners.get(name);
    if (current === undefined) this.#owners.set(name, owner);
    return current === undefined || current === owner;
  }

  async release(name: string, owner: string): Promise<void> {
    if (this.#owners.get(name) === owner) this.#owners.delete(name);
  }

  async close(): Promise<void> {
    this.#owners.clear();
  }
}
