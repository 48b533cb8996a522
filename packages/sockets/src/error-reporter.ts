import { SocketError, textOf } from "./errors.ts";

/** Interval of reports about errors that any peer can cause. */
const REPORT_MS = 1_000;

/** Reports errors that belong to no call: to a function, or as process warnings. */
export class ErrorReporter {
  readonly #onError: ((error: Error) => void) | undefined;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(onError: ((error: Error) => void) | undefined) {
    this.#onError = onError;
  }

  /**
   * Reports to the function every time, or as a warning at most once per second: peers can make handlers fail and must
   * not fill the log.
   */
  report(error: Error): void {
    if (this.#onError === undefined) this.reportSeldom(() => error);
    else this.#tell(this.#onError, error);
  }

  /** Reports at most once per second. */
  reportSeldom(error: () => Error): void {
    const now = performance.now();
    if (now - this.#reportedAt < REPORT_MS) return;
    this.#reportedAt = now;
    this.#tell(this.#onError ?? warn, error());
  }

  #tell(tell: (error: Error) => void, error: Error): void {
    try {
      const result: unknown = tell(error);
      if (result instanceof Promise) result.catch(warn);
    } catch (failure) {
      // The caller must continue. The reporter's own error becomes a warning.
      warn(failure);
    }
  }
}

/** The warning includes the stack of what a handler threw, because only that shows the line. */
function warn(error: unknown): void {
  if (!(error instanceof Error)) {
    process.emitWarning(textOf(error));
    return;
  }
  const stack = stackOf(error instanceof SocketError ? error.cause : error);
  process.emitWarning(textOf(error), {
    type: textOf(error.name),
    ...(error instanceof SocketError && { code: error.code }),
    ...(stack !== undefined && { detail: stack }),
  });
}

/** Returns the stack if it has any frames. `stack` may be a getter that throws: Node creates it on first access. */
function stackOf(error: unknown): string | undefined {
  try {
    const stack = error instanceof Error ? String(error.stack) : "";
    return /\n +at /.test(stack) ? stack : undefined;
  } catch {
    return undefined;
  }
}
