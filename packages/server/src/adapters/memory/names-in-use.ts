import type { ClaimedName } from "../../hub/mod.ts";

/** The names with one skeleton: their owners by key. If any of them is not ASCII, all have the same owner. */
interface Alike {
  readonly ascii: Map<string, string>;
  readonly others: Map<string, string>;
}

/** The names in use and their owners, by user id. An owner may have several names. */
export class NamesInUse {
  /** The owner and skeleton of each name, by key. */
  readonly #names = new Map<string, { readonly owner: string; readonly skeleton: string }>();
  readonly #alike = new Map<string, Alike>();

  /** Gives the owner the name, unless another owner has it or a look-alike. */
  claim({ key, skeleton }: ClaimedName, owner: string): "claimed" | "in-use" | "look-alike" {
    const current = this.#names.get(key);
    if (current !== undefined) return current.owner === owner ? "claimed" : "in-use";
    let alike = this.#alike.get(skeleton);
    if (alike === undefined) {
      alike = { ascii: new Map(), others: new Map() };
      this.#alike.set(skeleton, alike);
    } else if (isTaken(alike, key, owner)) {
      return "look-alike";
    }
    this.#names.set(key, { owner, skeleton });
    group(alike, key).set(key, owner);
    return "claimed";
  }

  release(key: string): void {
    const current = this.#names.get(key);
    if (current === undefined) return;
    this.#names.delete(key);
    const alike = this.#alike.get(current.skeleton) as Alike;
    group(alike, key).delete(key);
    if (alike.ascii.size === 0 && alike.others.size === 0) this.#alike.delete(current.skeleton);
  }
}

/** Whether another owner blocks the claim. Fast: an owner has one or two names, and the first other owner decides. */
function isTaken({ ascii, others }: Alike, key: string, owner: string): boolean {
  for (const other of others.values()) if (other !== owner) return true;
  if (isAscii(key)) return false;
  for (const other of ascii.values()) if (other !== owner) return true;
  return false;
}

function group(alike: Alike, key: string): Map<string, string> {
  return isAscii(key) ? alike.ascii : alike.others;
}

function isAscii(key: string): boolean {
  return /^[\0-\x7f]*$/.test(key);
}
