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

/** A request to send. */
export interface OutgoingRequest {
  readonly url: URL;
  readonly head: Uint8Array;
  readonly body: OutgoingBody;
}

/** Time for the server to close its side after the exchange, in milliseconds. */
const LINGER_MS = 500;
const NO_BYTES = new Uint8Array(0);

/**
 * One request and its response on a connection of their own. It reads only on demand, so a slow reader slows the server
 * down. It ends with the last byte, an error, a deadline, an abort or {@link close}, whichever comes first.
 *
 * The response is read while the request's body is being sent. Sending stops when the response is complete, or when a
 * status of 300 or above arrives: the server does not want the rest (RFC 9112, section 9.5). It continues after the
 * head of a 2xx response, which may depend on the body.
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

  /** Trailer fields of a chunked body. Empty before its end. */
  get trailers(): Headers {
    return this.#trailers;
  }

  /** Connects, sends the request and waits for the head of the final response. */
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
      // The signal may have aborted just after the connection was established.
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

  /** Uses this as the final response. Without a body the exchange ends here. */
  accept(): void {
    this.#deadlines.arrived();
    const [event] = this.#events;
    if (event?.type === "end") this.#ended(event.trailers);
  }

  /** Drops this response, because the request continues elsewhere. */
  leave(): void {
    this.#finish(false);
    this.#deadlines.setSending(false);
  }

  /** Returns the next bytes of the body, or `null` at its end. */
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

  /** Discards the rest of the body and closes the connection. Idempotent. */
  close(): void {
    this.#finish(false);
    this.#deadlines.end();
  }

  #ended(trailers: Headers): void {
    this.#trailers = trailers;
    this.close();
  }

  /** Sends the body. Never rejects: an error ends the exchange. */
  async #send(connection: Connection, body: OutgoingBody): Promise<void> {
    const { chunkTimeoutMs: timeoutMs } = this.#deadlines;
    const timeoutError = () => this.#deadlines.timeout("the server accepted no bytes", timeoutMs, "chunkTimeoutMs");
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
      // The decoder throws an error that follows events on the next call.
      this.#decoder.decode(NO_BYTES);
      const chunk = await connection.read();
      this.#events.push(...(chunk === null ? this.#decoder.end() : this.#decoder.decode(chunk)));
    }
  }

  readonly #onAbort = (): void => this.#finish(true);

  /** Resets the connection. Returns the error for the caller. */
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
