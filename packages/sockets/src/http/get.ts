import type { HttpResponse } from "./http-response.ts";
import { type RequestOptions, request } from "./request.ts";

/** Options for {@link get}. */
export type GetOptions = Omit<RequestOptions, "method" | "body" | "json">;

/**
 * Gets a URL. Resolves when the head of the answer is there; the body is read from the response.
 *
 * Any status is an answer, 404 and 500 too. Redirects are followed. The connection is closed when the body has been
 * read to its end, when reading it is given up, and on every error; a response whose body nobody reads is to be closed.
 *
 * gzip, deflate and br are asked for and undone as the body is read.
 *
 * A body without a length ends with the connection, so one that was cut off cannot be told from one that ended; over
 * TLS too, where the server may leave its closing alert out.
 *
 * The head of the response has 30 seconds to arrive (`headTimeoutMs`), then each piece of the body has 30 seconds
 * (`chunkTimeoutMs`). A body that keeps coming may take any time unless there is a `timeoutMs`.
 *
 * @throws {TypeError} for a URL that is neither `http:` nor `https:` and for headers that cannot be sent.
 * @throws {RangeError} for a time limit that is negative or above 2^31 - 1, and any other limit that is not a whole number.
 * @throws {SocketError} what `connect` throws; `timeout` with the option whose time has passed; `malformed` with `offset` when the answer is not HTTP/1.1;
 * `malformed` when its body is not compressed as it says; `end-of-stream` when it is cut off; `limit` above
 * `headerBytesMax`, `bodyBytesMax`, `chunkOverheadBytesMax` or `redirectsMax`; `tls` when the
 * certificate is not the host's, and for a redirect from `https:` to `http:`.
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
