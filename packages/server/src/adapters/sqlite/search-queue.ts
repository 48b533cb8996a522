import { RoomLogError } from "../../hub/mod.ts";

/** How long a search may take, its waiting included, in milliseconds. */
const SEARCH_MS = 5_000;
/** Searches that are not done yet, of all askers. */
const SEARCHES_MAX = 64;

/** Does a part of a search; its result at the end. */
type Slice = () => Promise<unknown>;

interface Search {
  readonly slice: Slice;
  /** Nobody waits for it any more. */
  isOver: boolean;
  readonly settle: (outcome: { readonly value: unknown } | { readonly error: unknown }) => void;
}

/**
 * Searches in slices of some milliseconds, as SQLite cannot be interrupted: the askers take turns, and so do the searches
 * of each. Whoever asks much waits for himself.
 */
export class SearchQueue {
  /** By asker, whose turn it is first. */
  readonly #waiting = new Map<string, Search[]>();
  #count = 0;
  #isRunning = false;

  /**
   * Calls the slice until it gives a result.
   *
   * @throws {RoomLogError} `timeout`. `busy`: too many are waiting, and nobody has more of them than this asker; else the
   *   newest of whoever has most gives way.
   */
  add<T>(asker: string, slice: () => Promise<T | undefined>): Promise<T> {
    if (this.#count >= SEARCHES_MAX && !this.#makeRoom(asker)) return Promise.reject(busy());
    this.#count += 1;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const search: Search = {
      slice,
      isOver: false,
      settle: (outcome) => {
        search.isOver = true;
        clearTimeout(timer);
        if ("error" in outcome) reject(outcome.error);
        else resolve(outcome.value as T);
      },
    };
    const timer = setTimeout(() => {
      search.settle({ error: new RoomLogError("timeout", `Cannot search: it took more than ${SEARCH_MS} ms`) });
    }, SEARCH_MS);
    this.#queue(asker, search);
    if (!this.#isRunning) void this.#run();
    return promise;
  }

  #queue(asker: string, search: Search): void {
    const own = this.#waiting.get(asker);
    if (own === undefined) this.#waiting.set(asker, [search]);
    else own.push(search);
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const [asker, search] = next;
      try {
        const value = search.isOver ? undefined : await search.slice();
        if (value !== undefined) search.settle({ value });
      } catch (error) {
        search.settle({ error });
      }
      if (search.isOver) this.#count -= 1;
      else this.#queue(asker, search);
    }
    this.#isRunning = false;
  }

  #next(): readonly [string, Search] | undefined {
    const next = this.#waiting.entries().next().value;
    if (next === undefined) return undefined;
    const [asker, own] = next;
    const search = own.shift() as Search;
    // The others' turns come before its next one.
    this.#waiting.delete(asker);
    if (own.length > 0) this.#waiting.set(asker, own);
    return [asker, search];
  }

  /** Refuses a search of whoever has most, if that is not this asker. */
  #makeRoom(asker: string): boolean {
    let most: Search[] = this.#waiting.get(asker) ?? [];
    const own = most.length;
    for (const other of this.#waiting.values()) if (other.length > most.length) most = other;
    // With one more this asker would have as many.
    if (most.length <= own + 1) return false;
    most.pop()?.settle({ error: busy() });
    this.#count -= 1;
    return true;
  }
}

function busy(): RoomLogError {
  return new RoomLogError("busy", `Cannot search: ${SEARCHES_MAX} searches are waiting`);
}
