import { nameKey } from "../../core/mod.ts";
import type { Entry } from "../../hub/mod.ts";

/** Ids remembered of each author. Up to twice as many at times. */
const IDS_MAX = 1_024;
/** Most authors remembered per room. Past this, one that has written nothing for longest is removed. */
const AUTHORS_MAX = 1_024;

/** Two generations: the older one is dropped as a whole, which costs less than removing the oldest id each time. */
interface Author {
  newer: Map<string, Entry>;
  older: Map<string, Entry>;
}

/** A room's recent entries by author and id, to detect duplicates. */
export class RecentIds {
  /** The one that has written nothing for longest comes first. */
  readonly #authors = new Map<string, Author>();

  get(name: string, id: string): Entry | undefined {
    const author = this.#authors.get(nameKey(name));
    return author?.newer.get(id) ?? author?.older.get(id);
  }

  add(id: string, entry: Entry): void {
    const key = nameKey(entry.author.name);
    const author = this.#authors.get(key) ?? { newer: new Map(), older: new Map() };
    // Move it to the end: the first author is the one that has written nothing for longest.
    this.#authors.delete(key);
    this.#authors.set(key, author);
    if (this.#authors.size > AUTHORS_MAX) this.#authors.delete(this.#authors.keys().next().value as string);
    author.newer.set(id, entry);
    if (author.newer.size < IDS_MAX) return;
    author.older = author.newer;
    author.newer = new Map();
  }

  /** Removes an entry that the log no longer keeps, so that its memory is freed. */
  delete(entry: Entry): void {
    if (entry.id === undefined || this.get(entry.author.name, entry.id) !== entry) return;
    const author = this.#authors.get(nameKey(entry.author.name));
    if (author?.newer.delete(entry.id) === false) author.older.delete(entry.id);
  }
}
