/**
 * HTTP/1.1 requests on the toolkit's own connections. Each request has its own connection. There are no cookies, no
 * cache and no connection pool.
 *
 * @module
 */
export { type GetOptions, get } from "./get.ts";
export { HttpResponse } from "./http-response.ts";
export { type RequestOptions, request } from "./request.ts";
export type { RequestBody, RequestBodyOptions } from "./request-body.ts";
export type { RequestHeaders } from "./request-head.ts";
export {
  ResponseDecoder,
  type ResponseDecoderOptions,
  type ResponseEvent,
} from "./response-decoder.ts";
export type { ResponseHead } from "./response-head.ts";
