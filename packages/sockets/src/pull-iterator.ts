const OVER: IteratorReturnResult<void> = { done: true, value: undefined };

/**
 * An async iterator that pulls each item, with one promise per item where an async generator creates three. Leaving a
 * loop does not change the source. Neither does an error: `next` may be called again after it.
 */
export class PullIterator<T> implements AsyncGenerator<T, void, void> {
  readonly #pull: () => Promise<IteratorResult<T, void>>;
  #isOver = false;

  constructor(pull: () => Promise<IteratorResult<T, void>>) {
    this.#pull = pull;
  }

  /** Creates the result for `pull`: the item, or the end for `null` and `undefined`. */
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
