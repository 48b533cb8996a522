import { SocketError } from "../errors.ts";
import { checkTimeout } from "../wait.ts";

/** The time limits of a request, and the caller's signal. */
export interface RequestDeadlineOptions {
  /**
   * Longest time for all of it: name lookup, connecting, redirects, both bodies. In milliseconds.
   * @default Infinity
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Longest wait for the head of the response, in milliseconds: name lookup, connecting, TLS handshake and redirects
   * included. A request with a body starts it again when the body is sent; `chunkTimeoutMs` limits the sending.
   * @default 30000
   */
  readonly headTimeoutMs?: number | undefined;
  /**
   * Longest silence of the server, in milliseconds: while it is to take the request's body, and between two pieces of
   * the response's body. Time in which nobody reads the response does not count.
   * @default 30000
   */
  readonly chunkTimeoutMs?: number | undefined;
  /** Ends the request, or the reading of its response's body, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * What ends a request early: its three time limits and the caller's signal. It lasts through all redirects, until the
 * response's body is read or given up.
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
  /** `Cannot get from localhost:8080`. */
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

  /** Aborted when a limit passes or the caller aborts, with the reason that the caller gets. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The head of the response is waited for. A redirect goes on with the same wait. */
  expectHead(action: string): void {
    this.#action = action;
    if (this.#waitsFor !== "head") this.#waitFor("head");
  }

  /** A piece of the response's body is waited for. */
  expectBytes(): void {
    this.#waitFor("bytes");
  }

  /** What was waited for is there. */
  arrived(): void {
    this.#waitFor(undefined);
  }

  /** Whether the request's body is being sent: a server that says nothing may wait for the rest of it. */
  setSending(isSending: boolean): void {
    if (this.#isSending === isSending) return;
    this.#isSending = isSending;
    this.#waitFor(this.#waitsFor);
  }

  /** Ends the request with this reason, also while nobody reads its response. */
  abort(reason: unknown): void {
    this.end();
    this.#controller.abort(reason);
  }

  /** The request is over. Idempotent. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#total);
    clearTimeout(this.#wait);
    this.#callerSignal?.removeEventListener("abort", this.#onAbort);
  }

  /** The error for a limit that passed. */
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
