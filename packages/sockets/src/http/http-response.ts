import { SocketError } from "../errors.ts";
import type { BodyReader } from "./body-reader.ts";
import type { Exchange } from "./exchange.ts";
import type { ResponseHead } from "./response-head.ts";

/**
 * The response to a request: its head and its body. Read the body once, in one of these ways: `bytes()`, `text()`,
 * `json()`, `body`, or `for await (const chunk of response)`. Bytes are read from the socket only as fast as you take
 * them.
 *
 * The connection closes when you read to the end, leave the loop or cancel the stream, and on every error. Otherwise
 * call {@link close}, or declare the response with `await using`.
 *
 * @example
 * ```ts
 * import { serve } from "@landline/sockets";
 * import { get } from "@landline/sockets/http";
 * import assert from "node:assert/strict";
 *
 * await using server = await serve({ port: 0 }, async (connection) => {
 *   await connection.readUntil("\r\n\r\n");
 *   await connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
 * });
 * await using response = await get(`http://localhost:${server.address.port}/`, { timeoutMs: 10_000 });
 * assert.ok(response.ok);
 * let bytes = 0;
 * for await (const chunk of response) bytes += chunk.length;
 * assert.equal(bytes, 6);
 * ```
 */
export class HttpResponse implements AsyncDisposable {
  /** The URL of the response, after redirects. */
  readonly url: string;
  /** The status, 200 or above: 1xx responses are skipped. */
  readonly status: number;
  /** The reason phrase, often empty. Do not make decisions from it. */
  readonly reason: string;
  /** The headers as received. `content-encoding` and `content-length` describe the body before decompression. */
  readonly headers: Headers;
  /** The server's version of HTTP. */
  readonly version: "1.0" | "1.1";
  readonly #exchange: Exchange;
  readonly #body: BodyReader;
  #isUsed = false;
  #stream: ReadableStream<Uint8Array> | undefined;

  /** @internal See {@link get}. */
  constructor(url: string, head: ResponseHead, source: { exchange: Exchange; body: BodyReader }) {
    this.url = url;
    this.status = head.status;
    this.reason = head.reason;
    this.headers = head.headers;
    this.version = head.version;
    this.#exchange = source.exchange;
    this.#body = source.body;
  }

  /** Whether the status is 2xx. */
  get ok(): boolean {
    return this.status >= 200 && this.status <= 299;
  }

  /** Whether reading of the body has started or the response is closed. */
  get bodyUsed(): boolean {
    return this.#isUsed;
  }

  /** Trailer fields of a chunked body. Empty until the body has been read to its end. */
  get trailers(): Headers {
    return this.#exchange.trailers;
  }

  /** The body as a Web Stream; the same object each time. Empty when the response has no body. */
  get body(): ReadableStream<Uint8Array> {
    this.#stream ??= this.#openStream();
    return this.#stream;
  }

  /**
   * Reads the whole body.
   *
   * @throws {TypeError} when the body is already being read or the response is closed.
   * @throws {SocketError} `end-of-stream` when the body is cut off.
   * @throws {SocketError} `limit` when it exceeds `bodyBytesMax`.
   * @throws {SocketError} `malformed` when its framing or compression is invalid.
   * @throws {SocketError} `timeout` or `reset` when the connection ends early.
   */
  async bytes(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this) chunks.push(chunk);
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  }

  /**
   * Reads the whole body as UTF-8, without regard to its declared charset. Invalid bytes become U+FFFD. Throws as
   * {@link bytes}.
   */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  /**
   * Reads the whole body as JSON. Throws as {@link bytes}.
   *
   * @throws {SocketError} `malformed` when it is not JSON.
   */
  async json(): Promise<unknown> {
    const text = await this.text();
    try {
      return JSON.parse(text);
    } catch {
      // The message of `JSON.parse` quotes the body.
      throw new SocketError("malformed", "Cannot read the response: its body is not JSON", { operation: "json" });
    }
  }

  /** Yields chunks as they arrive. Leaving the loop closes the connection. Throws as {@link bytes}. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    this.#use();
    return readAll(this.#body);
  }

  /** Discards the rest of the body and closes the connection. Idempotent. */
  async close(): Promise<void> {
    this.#isUsed = true;
    this.#body.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #use(): void {
    if (this.#isUsed) throw new TypeError("Cannot read the response: its body was read before or it is closed");
    this.#isUsed = true;
  }

  #openStream(): ReadableStream<Uint8Array> {
    let isFirst = true;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          if (isFirst) this.#use();
          isFirst = false;
          const chunk = await this.#body.read();
          if (chunk === null) controller.close();
          else controller.enqueue(chunk);
        },
        cancel: () => this.close(),
      },
      // Nothing is read ahead: accessing `body` does not use it.
      { highWaterMark: 0 },
    );
  }
}

async function* readAll(body: BodyReader): AsyncGenerator<Uint8Array, void, void> {
  try {
    for (let chunk = await body.read(); chunk !== null; chunk = await body.read()) yield chunk;
  } finally {
    body.close();
  }
}
