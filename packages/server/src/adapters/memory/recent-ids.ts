import { nameKey } from "../../core/mod.ts";
import type { Entry } from "../../hub/mod.ts";

/** Ids that are remembered of each author; up to twice as many for a while. */
const IDS_MAX = 1_024;
/** Authors whose ids a room remembers; those who wrote first are forgotten. */
const AUTHORS_MAX = 1_024;

/** Deleting the oldest one by one would cost more than the rest: the older generation goes as a whole. */
interface Author {
  newer: Map<string, Entry>;
  older: Map<string, Entry>;
}

/** A room's entries by author and id, as far as they are remembered. */
export class RecentIds {
  readonly #authors = new Map<string, Author>();

  get(from: string, id: string): Entry | undefined {
    const author = this.#authors.get(nameKey(from));
    return author?.newer.get(id) ?? author?.older.get(id);
  }

  add(id: string, entry: Entry): void {
    const key = nameKey(entry.from);
    let author = this.#authors.get(key);
    if (author === undefined) {
      author = { newer: new Map(), older: new Map() };
      this.#authors.set(key, author);
      if (this.#authors.size > AUTHORS_MAX) this.#authors.delete(this.#authors.keys().next().value as string);
    }
    author.newer.set(id, entry);
    if (author.newer.size < IDS_MAX) return;
    author.older = author.newer;
    author.newer = new Map();
  }

  /** The entry is kept no longer, and must not be held here. */
  delete(entry: Entry): void {
    if (entry.id === undefined || this.get(entry.from, entry.id) !== entry) return;
    const author = this.#authors.get(nameKey(entry.from));
    if (author?.newer.delete(entry.id) === false) author.older.delete(entry.id);
  }
}
