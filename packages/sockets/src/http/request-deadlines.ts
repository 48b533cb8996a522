import { SocketError } from "../errors.ts";
import { checkTimeout } from "../wait.ts";

/** The time limits of a request, and the caller's signal. */
export interface RequestDeadlineOptions {
  /**
   * Longest time for the whole request, in milliseconds: name lookup, connecting, redirects and both bodies.
   *
   * @default Infinity
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Longest wait for the head of the response, in milliseconds: name lookup, connecting, TLS handshake and redirects
   * included. With a request body the time starts again when the body is sent; `chunkTimeoutMs` limits the sending.
   *
   * @default 30000
   */
  readonly headTimeoutMs?: number | undefined;
  /**
   * Longest silence of the server, in milliseconds: while it should accept the request's body, and between two pieces
   * of the response's body. Time in which you do not read the response does not count.
   *
   * @default 30000
   */
  readonly chunkTimeoutMs?: number | undefined;
  /** Aborts the request or the reading of the response's body, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The three time limits of a request and the caller's signal. They last through all redirects, until the body of the
 * response is read or discarded.
 */
export class RequestDeadlines {
  readonly chunkTimeoutMs: number;
  readonly #headTimeoutMs: number;
  readonly #controller = new AbortController();
  readonly #callerSignal: AbortSignal | undefined;
  #total: NodeJS.Timeout | undefined;
  #wait: NodeJS.Timeout | undefined;
  #waitsFor: "head" | "bytes" | undefined;
  #isSending = false;
  #isOver = false;
  /** The start of the error texts, such as `Cannot get from localhost:8080`. */
  #action = "";

  /** @throws {RangeError} when a time limit is negative, NaN or above 2^31 - 1. */
  constructor(options: RequestDeadlineOptions) {
    const { timeoutMs = Number.POSITIVE_INFINITY, headTimeoutMs = 30_000, chunkTimeoutMs = 30_000, signal } = options;
    checkTimeout(timeoutMs, "timeoutMs");
    checkTimeout(headTimeoutMs, "headTimeoutMs");
    checkTimeout(chunkTimeoutMs, "chunkTimeoutMs");
    this.chunkTimeoutMs = chunkTimeoutMs;
    this.#headTimeoutMs = headTimeoutMs;
    this.#callerSignal = signal;
    if (signal?.aborted) {
      this.#controller.abort(signal.reason);
      return;
    }
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#total = this.#after(timeoutMs, "not done", "timeoutMs");
  }

  /** Aborts when a limit has passed or the caller aborts, with the error for the caller. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Starts the wait for the head of the response. A redirect continues the same wait. */
  expectHead(action: string): void {
    this.#action = action;
    if (this.#waitsFor !== "head") this.#waitFor("head");
  }

  /** Starts the wait for a piece of the response's body. */
  expectBytes(): void {
    this.#waitFor("bytes");
  }

  /** Ends the current wait. */
  arrived(): void {
    this.#waitFor(undefined);
  }

  /** While the request's body is being sent, a silent server may be waiting for the rest: the wait is suspended. */
  setSending(isSending: boolean): void {
    if (this.#isSending === isSending) return;
    this.#isSending = isSending;
    this.#waitFor(this.#waitsFor);
  }

  /** Ends the request with this reason, even when nobody reads its response. */
  abort(reason: unknown): void {
    this.end();
    this.#controller.abort(reason);
  }

  /** Ends the request and its timers. Idempotent. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#total);
    clearTimeout(this.#wait);
    this.#callerSignal?.removeEventListener("abort", this.#onAbort);
  }

  /** Returns the error for a limit that has passed. */
  timeout(state: string, ms: number, option: string): SocketError {
    const text = `${this.#action}: ${state} within ${ms} ms (option ${option})`;
    return new SocketError("timeout", text, { operation: "request" });
  }

  readonly #onAbort = (): void => this.abort(this.#callerSignal?.reason);

  #waitFor(what: "head" | "bytes" | undefined): void {
    clearTimeout(this.#wait);
    this.#waitsFor = what;
    if (what === undefined || this.#isSending || this.#isOver) return;
    this.#wait =
      what === "head"
        ? this.#after(this.#headTimeoutMs, "no response", "headTimeoutMs")
        : this.#after(this.chunkTimeoutMs, "nothing more arrived", "chunkTimeoutMs");
  }

  #after(ms: number, state: string, option: string): NodeJS.Timeout | undefined {
    if (ms === Number.POSITIVE_INFINITY) return undefined;
    return setTimeout(() => this.abort(this.timeout(state, ms, option)), ms);
  }
}
