import { limitPage } from "./page-limits.ts";
import { charactersOf, type Entry, type Page, type ReadBounds, RoomLogError } from "./ports/room-log.ts";
import type { RoomSearch } from "./ports/room-search.ts";

/** Longest time of a search, including its wait in the queue, in milliseconds. */
const SEARCH_MS = 5_000;
/** Most unfinished searches, of all askers. */
const SEARCHES_MAX = 64;

/** What is searched: the newest matches before a `seq`. */
export interface SearchRange extends ReadBounds {
  readonly before?: number | undefined;
}

interface Search {
  /** Takes one step. Returns the result when the search is complete. */
  readonly step: () => Promise<Page | undefined>;
  /** Whether the search has settled. */
  isOver: boolean;
  readonly settle: (outcome: { readonly page: Page } | { readonly error: unknown }) => void;
}

/**
 * Runs searches step by step. The askers take turns, and so do the searches of each asker. So a busy asker delays
 * only itself.
 */
export class Searches {
  readonly #port: RoomSearch;
  /** The waiting searches by asker, in the order of their turns. */
  readonly #waiting = new Map<string, Search[]>();
  #count = 0;
  #isRunning = false;

  constructor(port: RoomSearch) {
    this.#port = port;
  }

  /**
   * Finds the newest matches, oldest first.
   *
   * @throws {RoomLogError} `timeout` when the search takes too long.
   * @throws {RoomLogError} `busy` when the queue is full. The search of this asker is refused, unless another asker
   *   has more; then that asker's newest search is.
   */
  search(asker: string, room: string, query: string, range: SearchRange): Promise<Page> {
    if (this.#count >= SEARCHES_MAX && !this.#makeRoom(asker)) return Promise.reject(busy());
    this.#count += 1;
    const { promise, resolve, reject } = Promise.withResolvers<Page>();
    const search: Search = {
      step: this.#steps(room, query, range),
      isOver: false,
      settle: (outcome) => {
        search.isOver = true;
        clearTimeout(timer);
        if ("error" in outcome) reject(outcome.error);
        else resolve(outcome.page);
      },
    };
    const timer = setTimeout(() => {
      search.settle({ error: new RoomLogError("timeout", `Cannot search: it took more than ${SEARCH_MS} ms`) });
    }, SEARCH_MS);
    this.#queue(asker, search);
    if (!this.#isRunning) void this.#run();
    return promise;
  }

  #steps(room: string, query: string, { before, limit, charactersMax }: SearchRange): Search["step"] {
    const entries: Entry[] = [];
    let next = before;
    return async () => {
      // Ask for one entry more than requested, to know whether there are more.
      const options = { before: next, limit: limit + 1 - entries.length, charactersMax };
      const found = await this.#port.search(room, query, options);
      entries.push(...found.entries);
      next = found.before;
      const { items, more } = limitPage(entries, { limit, sizeMax: charactersMax, sizeOf: charactersOf });
      return more || next === undefined ? { entries: items.reverse(), more } : undefined;
    };
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
        const page = search.isOver ? undefined : await search.step();
        if (page !== undefined) search.settle({ page });
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
    // Move the asker behind the others.
    this.#waiting.delete(asker);
    if (own.length > 0) this.#waiting.set(asker, own);
    return [asker, search];
  }

  /** Refuses the newest search of the asker with the most, unless this asker would then have as many. */
  #makeRoom(asker: string): boolean {
    let most: Search[] = this.#waiting.get(asker) ?? [];
    const own = most.length;
    for (const other of this.#waiting.values()) if (other.length > most.length) most = other;
    // With its new search, this asker would have as many.
    if (most.length <= own + 1) return false;
    most.pop()?.settle({ error: busy() });
    this.#count -= 1;
    return true;
  }
}

function busy(): RoomLogError {
  return new RoomLogError("busy", `Cannot search: ${SEARCHES_MAX} searches are waiting`);
}
