import { RoomLogError } from "../../hub/mod.ts";

/** How long a search may take, its waiting included, in milliseconds. */
const SEARCH_MS = 5_000;
/** Searches that wait for an earlier one. */
const SEARCHES_MAX = 64;

/** One search after another: SQLite cannot be interrupted, so what is given up before its turn is never begun. */
export class SearchQueue {
  #last: Promise<unknown> = Promise.resolve();
  #count = 0;

  /** @throws {RoomLogError} `busy`, `timeout`. */
  add<T>(search: () => Promise<T>): Promise<T> {
    if (this.#count >= SEARCHES_MAX) {
      return Promise.reject(new RoomLogError("busy", `Cannot search: ${this.#count} searches are waiting`));
    }
    this.#count += 1;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let isOver = false;
    const timer = setTimeout(() => {
      isOver = true;
      reject(new RoomLogError("timeout", `Cannot search: it took more than ${SEARCH_MS} ms`));
    }, SEARCH_MS);
    this.#last = this.#last.then(async () => {
      try {
        if (!isOver) resolve(await search());
      } catch (error) {
        reject(error);
      } finally {
        clearTimeout(timer);
        this.#count -= 1;
      }
    });
    return promise;
  }
}
