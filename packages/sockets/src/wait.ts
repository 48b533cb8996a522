import { SocketError, type SocketErrorFields } from "./errors.ts";

/** How long a waiting method waits, and what ends the wait early. */
export interface WaitOptions {
  /** Rejects with the signal's reason when it aborts. Nothing is lost by that. */
  readonly signal?: AbortSignal | undefined;
  /** Rejects with a `timeout` error after this many milliseconds. Nothing is lost by that. @default Infinity */
  readonly timeoutMs?: number | undefined;
}

/**
 * One suspended operation that something may end early; where nothing can, `Promise.withResolvers` does. It settles once;
 * settling removes its timer and its abort listener. Only an aborted or timed-out wait calls `cancel`, so that its owner
 * can forget it.
 */
export class Wait<T> {
  readonly promise: Promise<T>;
  readonly #resolve: (value: T | PromiseLike<T>) => void;
  readonly #reject: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;
  #isSettled = false;

  /** `action` reads `Cannot read from 127.0.0.1:8080`; `facts` are what a timeout's error has beside its text. */
  constructor(
    { signal, timeoutMs }: WaitOptions = {},
    action: () => string = () => "",
    cancel: () => void = () => undefined,
    facts?: () => SocketErrorFields,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    if (timeoutMs !== undefined) {
      checkTimeout(timeoutMs);
      if (timeoutMs !== Number.POSITIVE_INFINITY) {
        this.#timer = setTimeout(() => {
          cancel();
          this.reject(new SocketError("timeout", `${action()}: timed out after ${timeoutMs} ms`, facts?.()));
        }, timeoutMs);
      }
    }
    if (signal !== undefined) {
      this.#signal = signal;
      this.#onAbort = () => {
        cancel();
        this.reject(signal.reason);
      };
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  resolve(value: T | PromiseLike<T>): void {
    if (this.#settle()) this.#resolve(value);
  }

  reject(error: unknown): void {
    if (this.#settle()) this.#reject(error);
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    clearTimeout(this.#timer);
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
    return true;
  }
}

/** Work that an abort or a timeout ends for the caller; the work looks at `wait.isSettled` before it does anything. */
export function endEarly(
  action: () => string,
  options: WaitOptions | undefined,
  work: (wait: Wait<void>) => Promise<void>,
): Promise<void> {
  const wait = new Wait<void>(options, action);
  work(wait).then(
    () => wait.resolve(),
    (error: unknown) => wait.reject(error),
  );
  return wait.promise;
}

/** Node cuts longer timers to 1 ms; refuse them instead. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** @throws {RangeError} when the time is no time. */
export function checkTimeout(timeoutMs: number, name = "timeoutMs"): void {
  if (timeoutMs >= 0 && (timeoutMs <= TIMER_MS_MAX || timeoutMs === Number.POSITIVE_INFINITY)) return;
  throw new RangeError(`${name} must be 0 to ${TIMER_MS_MAX} or Infinity: ${timeoutMs}`);
}

/** Why an operation is not even begun: its signal is aborted already, or its time is no time. */
export function refusalOf(options: WaitOptions | undefined): Promise<never> | undefined {
  if (options === undefined) return undefined;
  if (options.signal?.aborted) return Promise.reject(options.signal.reason);
  try {
    checkTimeout(options.timeoutMs ?? 0);
    return undefined;
  } catch (error) {
    return Promise.reject(error);
  }
}
