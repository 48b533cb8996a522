import { SocketError, textOf } from "./errors.ts";

/** What happens as often as strangers wish is told once in this time. */
const REPORT_MS = 1_000;

/** Tells of what goes wrong beside any one call: to a function, or as warnings of the process. */
export class ErrorReporter {
  readonly #onError: ((error: Error) => void) | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(onError: ((error: Error) => void) | undefined) {
    this.#onError = onError;
  }

  /** Each time to the function. Strangers can make handlers fail: a log of warnings must not be theirs to fill. */
  report(error: Error): void {
    if (this.#onError === undefined) this.reportSeldom(() => error);
    else this.#tell(this.#onError, error);
  }

  /** At most once a second. */
  reportSeldom(error: () => Error): void {
    const now = performance.now();
    if (now - this.#toldAt < REPORT_MS) return;
    this.#toldAt = now;
    this.#tell(this.#onError ?? warn, error());
  }

  #tell(tell: (error: Error) => void, error: Error): void {
    try {
      const result: unknown = tell(error);
      if (result instanceof Promise) result.catch(warn);
    } catch (failure) {
      // Who reports must go on; what the reporter itself threw is not lost either.
      warn(failure);
    }
  }
}

/** With the stack of what a handler threw: it is the only one that shows the line. */
function warn(error: unknown): void {
  if (!(error instanceof Error)) {
    process.emitWarning(textOf(error));
    return;
  }
  const { name, message, cause } = error;
  const thrown = error instanceof SocketError ? cause : error;
  const stack = thrown instanceof Error && thrown.stack?.includes("\n    at ") ? thrown.stack : undefined;
  process.emitWarning(message, {
    type: name,
    ...(error instanceof SocketError && { code: error.code }),
    ...(stack !== undefined && { detail: stack }),
  });
}
