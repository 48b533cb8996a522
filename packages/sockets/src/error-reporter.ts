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
  const stack = stackOf(error instanceof SocketError ? error.cause : error);
  process.emitWarning(textOf(error), {
    type: textOf(error.name),
    ...(error instanceof SocketError && { code: error.code }),
    ...(stack !== undefined && { detail: stack }),
  });
}

/** None where no code of ours or the user's is in it, and none where it cannot be had: Node makes it when it is asked. */
function stackOf(error: unknown): string | undefined {
  try {
    const stack = error instanceof Error ? String(error.stack) : "";
    return /\n +at /.test(stack) ? stack : undefined;
  } catch {
    return undefined;
  }
}
