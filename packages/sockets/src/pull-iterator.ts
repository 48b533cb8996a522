const OVER: IteratorReturnResult<void> = { done: true, value: undefined };

/**
 * Iterates what is pulled, with one promise an item where an async generator makes three. Leaving a loop leaves the source
 * as it is; so does an error, after which `next` may be called again.
 */
export class PullIterator<T> implements AsyncGenerator<T, void, void> {
  readonly #pull: () => Promise<IteratorResult<T, void>>;
  #isOver = false;

  constructor(pull: () => Promise<IteratorResult<T, void>>) {
    this.#pull = pull;
  }

  /** What `pull` resolves with: the item, or the end where there is none. */
  static result<T>(item: T | null | undefined): IteratorResult<T, void> {
    return item === null || item === undefined ? OVER : { done: false, value: item };
  }

  next(): Promise<IteratorResult<T, void>> {
    return this.#isOver ? Promise.resolve(OVER) : this.#pull();
  }

  return(): Promise<IteratorResult<T, void>> {
    this.#isOver = true;
    return Promise.resolve(OVER);
  }

  throw(error: unknown): Promise<IteratorResult<T, void>> {
    this.#isOver = true;
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
  }
}
