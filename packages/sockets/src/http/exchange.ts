import { SocketError } from "../errors.ts";
import { connect } from "../tcp/connect.ts";
import type { Connection } from "../tcp/connection.ts";
import type { TlsClientOptions } from "../tcp/tls-client.ts";
import type { BodyReader } from "./body-reader.ts";
import type { OutgoingBody } from "./request-body.ts";
import { ResponseDecoder, type ResponseEvent } from "./response-decoder.ts";
import type { ResponseHead } from "./response-head.ts";
import { sendBody } from "./send-body.ts";

/** Options for {@link Exchange}. */
export interface ExchangeOptions {
  readonly method: string;
  /** Whom the texts name. */
  readonly host: string;
  /** When all must be over, by `performance.now()`. */
  readonly deadlineAt: number;
  readonly timeoutMs?: number | undefined;
  readonly chunkTimeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly tls?: TlsClientOptions | undefined;
  readonly headerBytesMax?: number | undefined;
  readonly bodyBytesMax?: number | undefined;
  readonly chunkOverheadBytesMax?: number | undefined;
}

/** What is sent. */
export interface OutgoingRequest {
  readonly url: URL;
  readonly head: Uint8Array;
  readonly body: OutgoingBody;
}

/** The server may take this long to close its side when all has been said. */
const LINGER_MS = 500;

/**
 * One request and its answer on a connection of their own. It reads only when asked, so a slow reader slows the server;
 * and it owns the end: whichever comes first of the last byte, an error, the deadline, an abort and {@link close}.
 *
 * The answer is read while the request's body is being sent. Sending stops when the answer is whole, and with the head
 * of an answer from 300 up: the server does not want the rest (RFC 9112, section 9.5). A 2xx answer may depend on it.
 */
export class Exchange implements BodyReader {
  readonly #options: ExchangeOptions;
  readonly #decoder: ResponseDecoder;
  readonly #controller = new AbortController();
  readonly #sending = new AbortController();
  readonly #events: ResponseEvent[] = [];
  #connection: Connection | undefined;
  #timer: NodeJS.Timeout | undefined;
  #trailers: Headers = new Headers();
  #isSending = true;
  /** When the last of the request was handed over: from then on the server's silence counts. */
  #sentAt = 0;
  #isOver = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#decoder = new ResponseDecoder(options);
  }

  /** What came after a chunked body; empty before its end. */
  get trailers(): Headers {
    return this.#trailers;
  }

  /** Connects, sends the request and waits for the head of the final answer. */
  async open({ url, head, body }: OutgoingRequest): Promise<ResponseHead> {
    this.#watch();
    try {
      const isSecure = url.protocol === "https:";
      this.#connection = await connect({
        host: url.hostname.replace(/^\[|\]$/g, ""),
        port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
        signal: this.#controller.signal,
        lingerMs: LINGER_MS,
        ...(isSecure ? { tls: this.#options.tls ?? true } : {}),
      });
      this.#connection.send(head);
      void this.#send(this.#connection, body);
      for (;;) {
        const event = await this.#next();
        if (event.type !== "head") continue;
        if (event.head.status >= 300) this.#sending.abort();
        await this.#skipToBody();
        return event.head;
      }
    } catch (error) {
      this.#finish(true);
      // An abort may have come between the connection and its being known here.
      this.#connection?.reset();
      throw error;
    }
  }

  /** The next bytes of the body; `null` at its end. */
  async read(): Promise<Uint8Array | null> {
    this.#controller.signal.throwIfAborted();
    if (this.#isOver) return null;
    try {
      const event = await this.#next();
      if (event.type === "data") return event.bytes;
      if (event.type === "end") this.#trailers = event.trailers;
      this.#finish(false);
      return null;
    } catch (error) {
      this.#finish(true);
      throw error;
    }
  }

  /** Gives up what was not read. Idempotent. */
  close(): void {
    this.#finish(false);
  }

  /** An answer without a body is over with its head. */
  async #skipToBody(): Promise<void> {
    if (this.#events[0]?.type === "end") await this.read();
  }

  /** Never rejects: what goes wrong ends the exchange. */
  async #send(connection: Connection, body: OutgoingBody): Promise<void> {
    try {
      await sendBody(connection, body, { signal: this.#sending.signal, timeoutMs: this.#chunkTimeoutMs });
    } catch (error) {
      if (!this.#sending.signal.aborted) this.#abort(error);
    } finally {
      this.#sentAt = performance.now();
      this.#isSending = false;
    }
  }

  async #next(): Promise<ResponseEvent> {
    const connection = this.#connection as Connection;
    for (let event = this.#events.shift(); ; event = this.#events.shift()) {
      if (event !== undefined) return event;
      const chunk = await this.#receive(connection);
      this.#events.push(...(chunk === null ? this.#decoder.end() : this.#decoder.decode(chunk)));
    }
  }

  /** A server that is silent while the request is on its way is only waiting for the rest. */
  async #receive(connection: Connection): Promise<Uint8Array | null> {
    const { signal } = this.#controller;
    for (let timeoutMs = this.#chunkTimeoutMs; ; ) {
      const startedAt = performance.now();
      try {
        return await connection.read({ signal, timeoutMs });
      } catch (error) {
        const wasWaitedFor = !this.#isSending && startedAt >= this.#sentAt;
        if (signal.aborted || wasWaitedFor || !isTimeout(error)) throw error;
        const silentMs = this.#isSending ? 0 : performance.now() - this.#sentAt;
        timeoutMs = Math.max(0, this.#chunkTimeoutMs - silentMs);
      }
    }
  }

  get #chunkTimeoutMs(): number {
    return this.#options.chunkTimeoutMs ?? 30_000;
  }

  #watch(): void {
    const { signal, deadlineAt, timeoutMs, method, host } = this.#options;
    if (signal !== undefined) {
      if (signal.aborted) this.#abort(signal.reason);
      else signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    if (deadlineAt === Number.POSITIVE_INFINITY) return;
    const action = method === "GET" ? "Cannot get from" : `Cannot complete ${method} to`;
    const text = `${action} ${host}: timed out after ${timeoutMs} ms`;
    this.#timer = setTimeout(
      () => this.#abort(new SocketError("timeout", text, { operation: "request" })),
      Math.max(0, deadlineAt - performance.now()),
    );
  }

  readonly #onAbort = (): void => this.#abort(this.#options.signal?.reason);

  /** Also ends a body that nobody is reading at the moment. */
  #abort(reason: unknown): void {
    this.#controller.abort(reason);
    this.#finish(true);
  }

  #finish(isBroken: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#sending.abort();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#events.length = 0;
    if (isBroken) this.#connection?.reset();
    else void this.#connection?.close();
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof SocketError && error.code === "timeout";
}
