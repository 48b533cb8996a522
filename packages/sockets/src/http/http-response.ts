import { SocketError } from "../errors.ts";
import type { BodyReader } from "./body-reader.ts";
import type { Exchange } from "./exchange.ts";
import type { ResponseHead } from "./response-head.ts";

/**
 * The answer to a request: its head, and its body to be read once, in one of these ways: `bytes()`, `text()`, `json()`,
 * `body`, or `for await (const chunk of response)`. It is read from the socket only as fast as it is taken.
 *
 * Reading to the end, leaving the loop, cancelling the stream and any error close the connection. Otherwise call
 * {@link close}, or declare the response with `await using`.
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
  /** The URL that answered, after redirects. */
  readonly url: string;
  /** From 200, as 1xx answers are skipped. */
  readonly status: number;
  /** The reason phrase; often empty. For people only. */
  readonly reason: string;
  /** As they came: `content-encoding` and `content-length` describe the body before it was decompressed. */
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

  /** Whether reading the body was begun. */
  get bodyUsed(): boolean {
    return this.#isUsed;
  }

  /** Fields that came after a chunked body; empty until the body has been read. */
  get trailers(): Headers {
    return this.#exchange.trailers;
  }

  /** The body as a Web Stream, always the same one; empty where there is no body. */
  get body(): ReadableStream<Uint8Array> {
    this.#stream ??= this.#openStream();
    return this.#stream;
  }

  /**
   * The whole body.
   *
   * @throws {TypeError} when reading it was begun before.
   * @throws {SocketError} `end-of-stream` when it is cut off, `limit`, `malformed`, `timeout`, `reset`.
   */
  async bytes(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this) chunks.push(chunk);
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  }

  /** The whole body as UTF-8, whatever charset it claims; what is not UTF-8 becomes U+FFFD. Throws as {@link bytes}. */
  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  /** The whole body as JSON. Throws as {@link bytes}, and `malformed` when it is not JSON. */
  async json(): Promise<unknown> {
    const text = await this.text();
    try {
      return JSON.parse(text);
    } catch {
      // The origin's text would quote the body.
      throw new SocketError("malformed", "Cannot read the response: its body is not JSON", { operation: "json" });
    }
  }

  /** Chunk by chunk as they arrive. Leaving the loop closes the connection. Throws as {@link bytes}. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    this.#use();
    return readAll(this.#body);
  }

  /** Gives up what was not read of the body and closes the connection. Idempotent. */
  async close(): Promise<void> {
    this.#isUsed = true;
    this.#body.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #use(): void {
    if (this.#isUsed) throw new TypeError("The body was read before, or the response is closed");
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
      // Nothing is read ahead: looking at `body` does not use it.
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
