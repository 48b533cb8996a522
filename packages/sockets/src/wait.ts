import { SocketError, type SocketErrorFields } from "./errors.ts";

/** Options of every method that waits. */
export interface WaitOptions {
  /** Aborts the wait: it rejects with the signal's reason. No data is lost. */
  readonly signal?: AbortSignal | undefined;
  /** Rejects with a `timeout` error after this many milliseconds. No data is lost. @default Infinity */
  readonly timeoutMs?: number | undefined;
}

/**
 * A pending operation with a timeout and an abort signal. It settles once, and settling removes its timer and its abort
 * listener. Only an abort or a timeout calls `cancel`, so that the owner can forget the operation. Without options use
 * `Promise.withResolvers`.
 */
export class Wait<T> {
  readonly promise: Promise<T>;
  readonly #resolve: (value: T | PromiseLike<T>) => void;
  readonly #reject: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;
  #isSettled = false;

  /**
   * `action` is the start of the error text, such as `Cannot read from 127.0.0.1:8080`. `facts` are the fields of the
   * timeout error.
   */
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

/**
 * Runs `work` until it ends, aborts or times out. `work` continues in the background and must check `wait.isSettled`
 * before each effect.
 */
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

/** Node sets longer timers to 1 ms, so they are refused. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** @throws {RangeError} when the time is negative, NaN, or above 2^31 - 1 and not `Infinity`. */
export function checkTimeout(timeoutMs: number, name = "timeoutMs"): void {
  if (timeoutMs >= 0 && (timeoutMs <= TIMER_MS_MAX || timeoutMs === Number.POSITIVE_INFINITY)) return;
  throw new RangeError(`${name} must be 0 to ${TIMER_MS_MAX} or Infinity: ${timeoutMs}`);
}

/**
 * Returns a rejected promise when the operation must not start: its signal is already aborted or its timeout is
 * invalid.
 */
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
