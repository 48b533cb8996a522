import { checkLimit } from "../codec/check-limit.ts";
import { SocketError } from "../errors.ts";
import type { ConnectOptions } from "../tcp/connect.ts";
import type { TlsClientOptions } from "../tcp/tls-client.ts";
import type { BodyReader } from "./body-reader.ts";
import { contentCodings, DecompressedBody } from "./decompressed-body.ts";
import { Exchange } from "./exchange.ts";
import { HttpResponse } from "./http-response.ts";
import { invalidUrlReason, redirected } from "./redirect.ts";
import { cancelBody, type OutgoingBody, outgoingBody, type RequestBodyOptions } from "./request-body.ts";
import { type RequestDeadlineOptions, RequestDeadlines } from "./request-deadlines.ts";
import {
  checkMethod,
  encodeRequestHead,
  headerNames,
  type RequestHead,
  type RequestHeaders,
  requestHeaders,
} from "./request-head.ts";
import type { ResponseHead } from "./response-head.ts";

/** Options for {@link request}. */
export interface RequestOptions extends RequestBodyOptions, RequestDeadlineOptions {
  /** The method, case-sensitive. @default "GET", or "POST" with a body */
  readonly method?: string | undefined;
  /** Headers to send. They can replace `host`, `accept`, `accept-encoding` and `user-agent`. */
  readonly headers?: RequestHeaders | undefined;
  /** Maximum number of redirects to follow. 0 returns the redirect itself. @default 5 */
  readonly redirectsMax?: number | undefined;
  /**
   * Names of `headers` for the first origin only, such as `x-api-key`. A redirect to another origin omits them, and
   * always omits `authorization`, `cookie`, `proxy-authorization` and `host`. All other headers are sent to every
   * origin.
   *
   * @default none
   */
  readonly secretHeaders?: readonly string[] | undefined;
  /**
   * Whether to ask for gzip, deflate and br and to decompress the body. A body in another coding and a partial body
   * (206) are returned as they are. `content-encoding` stays in the headers.
   *
   * @default true
   */
  readonly decompress?: boolean | undefined;
  /** Looks names up, as in `connect`. @default `dns.lookup` */
  readonly lookup?: ConnectOptions["lookup"];
  /** Decides which addresses may be connected to, as in `connect`. Applies to every redirect. @default all addresses */
  readonly allowAddress?: ConnectOptions["allowAddress"];
  /** TLS options for `https:`. @default Node's root certificates */
  readonly tls?: TlsClientOptions | undefined;
  /** Longest head of a response, in bytes. The trailers have the same limit of their own. @default 16384 */
  readonly headerBytesMax?: number | undefined;
  /**
   * Longest body of a response, in bytes, before and after decompression. `Infinity` for no limit.
   *
   * @default 67108864
   */
  readonly bodyBytesMax?: number | undefined;
  /**
   * Maximum framing overhead of a chunked response, in bytes. Each chunk may use 16 bytes and twice its data for free.
   *
   * @default 16384
   */
  readonly chunkOverheadBytesMax?: number | undefined;
}

/**
 * Sends a request with or without a body. See {@link get} for redirects, compression, time limits and closing.
 *
 * The body is sent at the pace of the server while the response is read. Sending stops when the response is complete,
 * or when its status is 300 or above. A stream that was not read to its end is then cancelled. It is also cancelled
 * when the request fails, even before it connects. If a stream fails, the request rejects with the stream's error, at
 * once for Node and Web streams.
 *
 * The redirects 307 and 308 ask for the body again. So do 301 and 302, unless the method is POST. Bytes, text and JSON
 * are sent again, even to other origins. A stream cannot be sent twice: the redirect itself is then the response.
 * Headers go to other origins too, except secret ones: see `secretHeaders`.
 *
 * @throws {TypeError} for an invalid method or body.
 * @throws {TypeError} as {@link get}.
 * @throws {RangeError} as {@link get}.
 * @throws {SocketError} as {@link get}.
 *
 * @example
 * ```ts
 * import { serve } from "@landline/sockets";
 * import { request } from "@landline/sockets/http";
 * import assert from "node:assert/strict";
 *
 * await using server = await serve({}, async (connection) => {
 *   await connection.readUntil("\r\n\r\n");
 *   assert.equal(Buffer.from(await connection.readExactly(7)).toString(), '{"a":1}');
 *   await connection.write("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
 * });
 * const response = await request(`http://localhost:${server.address.port}/`, { json: { a: 1 } });
 * assert.equal(response.status, 201);
 * await response.close();
 * ```
 */
export async function request(url: string | URL, options: RequestOptions = {}): Promise<HttpResponse> {
  const body = outgoingBody(options);
  try {
    const first = requestHead(checkUrl(new URL(url)), body, options);
    checkLimit("redirectsMax", options.redirectsMax ?? 0);
    return await start(first, options);
  } catch (error) {
    cancelBody(body);
    throw error;
  }
}

async function start(first: RequestHead, options: RequestOptions): Promise<HttpResponse> {
  const deadlines = new RequestDeadlines(options);
  if (first.body.kind === "stream") first.body.stream.onFailure((error) => deadlines.abort(error));
  try {
    return await follow(first, options, deadlines);
  } catch (error) {
    deadlines.end();
    throw error;
  }
}

/** Sends the request and follows redirects. */
async function follow(first: RequestHead, options: RequestOptions, deadlines: RequestDeadlines): Promise<HttpResponse> {
  const { redirectsMax = 5 } = options;
  let outgoing = first;
  for (let redirects = 0; ; redirects += 1) {
    const { url: target, method, body } = outgoing;
    const exchange = new Exchange({ ...options, method }, deadlines);
    const head = await exchange.open({ url: target, head: encodeRequestHead(outgoing), body });
    try {
      const next = redirectsMax === 0 ? undefined : redirected(outgoing, head);
      if (next === undefined) {
        const source = { exchange, body: bodyOf(exchange, head, options) };
        exchange.accept();
        return new HttpResponse(target.href, head, source);
      }
      if (redirects === redirectsMax) {
        const text = `Cannot get from ${target.host}: more than ${redirectsMax} redirects (option redirectsMax)`;
        throw new SocketError("limit", text, { operation: "redirect" });
      }
      outgoing = next;
      exchange.leave();
    } catch (error) {
      exchange.close();
      throw error;
    }
  }
}

function requestHead(url: URL, body: OutgoingBody, options: RequestOptions): RequestHead {
  const method = options.method ?? (body.kind === "none" ? "GET" : "POST");
  checkMethod(method);
  if (method === "TRACE" && body.kind !== "none") throw new TypeError("method TRACE cannot have a body");
  const headers = requestHeaders(options.headers);
  if (options.json !== undefined && !headers.has("content-type")) headers.set("content-type", "application/json");
  const { decompress = true } = options;
  return { method, url, headers, secretHeaders: headerNames(options.secretHeaders), body, decompress };
}

function bodyOf(exchange: Exchange, head: ResponseHead, options: RequestOptions): BodyReader {
  const { decompress = true, bodyBytesMax = 67_108_864 } = options;
  if (!decompress || head.status === 206) return exchange;
  const codings = contentCodings(head.headers);
  return codings.length === 0 ? exchange : new DecompressedBody(exchange, codings, bodyBytesMax);
}

function checkUrl(url: URL): URL {
  const reason = invalidUrlReason(url);
  if (reason !== undefined) throw new TypeError(`url ${reason}`);
  if (url.username !== "" || url.password !== "") {
    throw new TypeError("url must not contain a user name or password; send an authorization header instead");
  }
  return url;
}
