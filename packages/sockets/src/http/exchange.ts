import { type ConnectOptions, connect } from "../tcp/connect.ts";
import type { Connection } from "../tcp/connection.ts";
import type { TlsClientOptions } from "../tcp/tls-client.ts";
import type { BodyReader } from "./body-reader.ts";
import type { OutgoingBody } from "./request-body.ts";
import type { RequestDeadlines } from "./request-deadlines.ts";
import { ResponseDecoder, type ResponseDecoderOptions, type ResponseEvent } from "./response-decoder.ts";
import type { ResponseHead } from "./response-head.ts";
import { sendBody } from "./send-body.ts";

/** Options for {@link Exchange}. */
export interface ExchangeOptions extends ResponseDecoderOptions, Pick<ConnectOptions, "lookup" | "allowAddress"> {
  readonly tls?: TlsClientOptions | undefined;
}

/** What is sent. */
export interface OutgoingRequest {
  readonly url: URL;
  readonly head: Uint8Array;
  readonly body: OutgoingBody;
}

/** The server may take this long to close its side when all has been said. */
const LINGER_MS = 500;
const NO_BYTES = new Uint8Array(0);

/**
 * One request and its answer on a connection of their own. It reads only when asked, so a slow reader slows the server.
 * The first of these ends it: the last byte, an error, a deadline, an abort, {@link close}.
 *
 * The answer is read while the request's body is being sent. Sending stops when the answer is whole, and with the head
 * of an answer from 300 up: the server does not want the rest (RFC 9112, section 9.5). A 2xx answer may depend on it.
 */
export class Exchange implements BodyReader {
  readonly #options: ExchangeOptions;
  readonly #deadlines: RequestDeadlines;
  readonly #decoder: ResponseDecoder;
  readonly #sending = new AbortController();
  readonly #events: ResponseEvent[] = [];
  #connection: Connection | undefined;
  #trailers: Headers = new Headers();
  #isOver = false;

  constructor(options: ExchangeOptions, deadlines: RequestDeadlines) {
    this.#options = options;
    this.#deadlines = deadlines;
    this.#decoder = new ResponseDecoder(options);
  }

  /** What came after a chunked body; empty before its end. */
  get trailers(): Headers {
    return this.#trailers;
  }

  /** Connects, sends the request and waits for the head of the final answer. */
  async open({ url, head, body }: OutgoingRequest): Promise<ResponseHead> {
    const { signal } = this.#deadlines;
    const { method = "GET", tls = true, lookup, allowAddress } = this.#options;
    this.#deadlines.expectHead(`${method === "GET" ? "Cannot get from" : `Cannot complete ${method} to`} ${url.host}`);
    signal.addEventListener("abort", this.#onAbort, { once: true });
    try {
      const isSecure = url.protocol === "https:";
      this.#connection = await connect({
        host: url.hostname.replace(/^\[|\]$/g, ""),
        port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
        signal,
        lookup,
        allowAddress,
        lingerMs: LINGER_MS,
        tls: isSecure ? tls : undefined,
      });
      // An abort may have come between the connection and its being known here.
      signal.throwIfAborted();
      this.#connection.send(head);
      if (body.kind !== "none") void this.#send(this.#connection, body);
      for (;;) {
        const event = await this.#next();
        if (event.type !== "head") continue;
        if (event.head.status >= 300) this.#sending.abort();
        return event.head;
      }
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** This answer is the response. It is over with its head when it has no body. */
  accept(): void {
    this.#deadlines.arrived();
    const [event] = this.#events;
    if (event?.type === "end") this.#ended(event.trailers);
  }

  /** This answer is not the response: the request goes on elsewhere. */
  leave(): void {
    this.#finish(false);
    this.#deadlines.setSending(false);
  }

  /** The next bytes of the body; `null` at its end. */
  async read(): Promise<Uint8Array | null> {
    this.#deadlines.signal.throwIfAborted();
    if (this.#isOver) return null;
    try {
      this.#deadlines.expectBytes();
      const event = await this.#next();
      this.#deadlines.arrived();
      if (event.type === "data") return event.bytes;
      if (event.type === "end") this.#ended(event.trailers);
      return null;
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Gives up what was not read. Idempotent. */
  close(): void {
    this.#finish(false);
    this.#deadlines.end();
  }

  #ended(trailers: Headers): void {
    this.#trailers = trailers;
    this.close();
  }

  /** Never rejects: what goes wrong ends the exchange. */
  async #send(connection: Connection, body: OutgoingBody): Promise<void> {
    const { chunkTimeoutMs: timeoutMs } = this.#deadlines;
    const timeoutError = () => this.#deadlines.timeout("the server took nothing", timeoutMs, "chunkTimeoutMs");
    this.#deadlines.setSending(true);
    try {
      await sendBody(connection, body, { signal: this.#sending.signal, timeoutMs, timeoutError });
    } catch (error) {
      if (!this.#sending.signal.aborted) this.#deadlines.abort(error);
    } finally {
      if (!this.#isOver) this.#deadlines.setSending(false);
    }
  }

  async #next(): Promise<ResponseEvent> {
    const connection = this.#connection as Connection;
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      // An error that came with events is thrown by the call after them.
      this.#decoder.decode(NO_BYTES);
      const chunk = await connection.read();
      this.#events.push(...(chunk === null ? this.#decoder.end() : this.#decoder.decode(chunk)));
    }
  }

  readonly #onAbort = (): void => this.#finish(true);

  /** Breaks the connection off; returns what the caller is to be told. */
  #failed(error: unknown): unknown {
    this.#finish(true);
    this.#connection?.reset();
    this.#deadlines.end();
    const { signal } = this.#deadlines;
    return signal.aborted ? signal.reason : error;
  }

  #finish(isBroken: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sending.abort();
    this.#deadlines.signal.removeEventListener("abort", this.#onAbort);
    this.#events.length = 0;
    if (isBroken) this.#connection?.reset();
    else void this.#connection?.close();
  }
}
