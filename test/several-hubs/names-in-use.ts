import { nameKey } from "../../packages/server/src/core/mod.ts";
import type { Roster, RosterUser } from "../../packages/server/src/hub/mod.ts";

/** The names in use, as a view of the roster without delays reports them. */
export class NamesInUse {
  /** The users' ids by the key of their names. */
  readonly #owners = new Map<string, string>();

  constructor(roster: Roster) {
    roster.follow((change) => {
      if (change.type === "ended") this.#end(change.user);
    });
  }

  get keys(): readonly string[] {
    return [...this.#owners.keys()].sort();
  }

  /** The id of the user with this name. */
  ownerOf(name: string): string | undefined {
    return this.#owners.get(nameKey(name));
  }

  add({ id, name }: RosterUser): void {
    this.#owners.set(nameKey(name), id);
  }

  #end(id: string): void {
    for (const [key, owner] of this.#owners) if (owner === id) this.#owners.delete(key);
  }
}
