import type { HttpResponse } from "./http-response.ts";
import { type RequestOptions, request } from "./request.ts";

/** Options for {@link get}. */
export type GetOptions = Omit<RequestOptions, "method" | "body" | "json">;

/**
 * Sends a GET request. Resolves when the head of the response has arrived. Read the body from the response.
 *
 * Every status is a response, 404 and 500 included. Redirects are followed. The connection closes when the body has
 * been read to its end, when reading stops early, and on every error. Close a response whose body you do not read.
 *
 * Asks for gzip, deflate and br, and decompresses the body while it is read.
 *
 * A body without a length ends with the connection. If it is cut off, it looks complete. This is also true over TLS,
 * because many servers omit the closing alert.
 *
 * The head of the response must arrive within 30 seconds (`headTimeoutMs`), and each piece of the body within 30
 * seconds (`chunkTimeoutMs`). The whole body has no time limit without `timeoutMs`.
 *
 * @throws {TypeError} for a URL that is not `http:` or `https:`, and for invalid headers.
 * @throws {RangeError} for a time limit that is negative or above 2^31 - 1, and for another limit that is not a whole
 * number.
 * @throws {SocketError} as `connect`.
 * @throws {SocketError} `timeout`, with the name of the option whose time has passed.
 * @throws {SocketError} `malformed` with `offset` when the response is not valid HTTP/1.1.
 * @throws {SocketError} `malformed` when the compressed body is damaged.
 * @throws {SocketError} `end-of-stream` when the response is cut off.
 * @throws {SocketError} `limit` above `headerBytesMax`, `bodyBytesMax`, `chunkOverheadBytesMax` or `redirectsMax`.
 * @throws {SocketError} `tls` when the certificate is not valid for the host, and for a redirect from `https:` to
 * `http:`.
 *
 * @example
 * ```ts
 * import { serve } from "@landline/sockets";
 * import { get } from "@landline/sockets/http";
 * import assert from "node:assert/strict";
 *
 * await using server = await serve({}, async (connection) => {
 *   await connection.readUntil("\r\n\r\n");
 *   await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
 * });
 * const response = await get(`http://localhost:${server.address.port}/`, { timeoutMs: 10_000 });
 * assert.equal(response.status, 200);
 * assert.equal(await response.text(), "hello");
 * ```
 */
export function get(url: string | URL, options: GetOptions = {}): Promise<HttpResponse> {
  return request(url, { ...options, method: "GET", body: undefined, json: undefined });
}
