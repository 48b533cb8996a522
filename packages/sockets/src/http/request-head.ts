import { ACCEPTED_CODINGS } from "./decompressed-body.ts";
import { framingFields, type OutgoingBody } from "./request-body.ts";

/** Headers to send: an object, a `Headers`, or any iterable of pairs. */
export type RequestHeaders = Readonly<Record<string, string>> | Iterable<readonly [string, string]>;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** The request sets these itself: they control the framing of the message and the connection. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "transfer-encoding",
  "upgrade",
]);
/** Never sent to another origin after a redirect. */
const SECRET_HEADERS: readonly string[] = ["authorization", "cookie", "proxy-authorization", "host"];

/**
 * Validates the caller's headers. Stricter than `Headers`, which strips CR and LF at the ends of a value.
 *
 * @throws {TypeError} for CR, LF or NUL, an invalid name, and headers that the request sets itself.
 */
export function requestHeaders(given: RequestHeaders = {}): Headers {
  const headers = new Headers();
  const pairs = Symbol.iterator in given ? (given as Iterable<readonly [string, string]>) : Object.entries(given);
  for (const [name, value] of pairs) {
    if (!TOKEN.test(name)) throw new TypeError(`headers must have valid names: ${JSON.stringify(name)}`);
    if (/[\r\n\0]/.test(value)) throw new TypeError(`headers must not contain CR, LF or NUL: ${name}`);
    if (OWN_HEADERS.has(name.toLowerCase())) throw new TypeError(`headers must not contain ${name}`);
    headers.append(name, value);
  }
  return headers;
}

/** @throws {TypeError} for an invalid header name, because a mistyped name would protect nothing. */
export function headerNames(names: readonly string[] = []): readonly string[] {
  if (Array.isArray(names) && names.every((name) => TOKEN.test(name))) return [...names];
  throw new TypeError(`secretHeaders must be a list of names: ${JSON.stringify(names)}`);
}

/** Returns the headers without secret ones: the built-in list and the caller's `names`. */
export function withoutSecrets(headers: Headers, names: readonly string[]): Headers {
  const rest = new Headers(headers);
  for (const name of [...SECRET_HEADERS, ...names]) rest.delete(name);
  return rest;
}

/** Returns the headers without those that describe a body. */
export function withoutContent(headers: Headers): Headers {
  const rest = new Headers(headers);
  for (const name of [...rest.keys()]) if (name.startsWith("content-")) rest.delete(name);
  return rest;
}

/** The parts of a request's head. */
export interface RequestHead {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  /** The caller's names of headers that other origins must not receive. */
  readonly secretHeaders: readonly string[];
  readonly body: OutgoingBody;
  /** Whether to ask for a compressed response. */
  readonly decompress: boolean;
}

/** Encodes the head of a request. */
export function encodeRequestHead({ method, url, headers, body, decompress }: RequestHead): Uint8Array {
  const lines = [`${method} ${url.pathname}${url.search} HTTP/1.1`];
  if (!headers.has("host")) lines.push(`host: ${url.host}`);
  lines.push("connection: close");
  if (!headers.has("accept")) lines.push("accept: */*");
  if (!headers.has("accept-encoding")) {
    // A range of a compressed body cannot be decompressed. Without this field the server may use any coding.
    const isWelcome = decompress && !headers.has("range");
    lines.push(`accept-encoding: ${isWelcome ? ACCEPTED_CODINGS : "identity"}`);
  }
  if (!headers.has("user-agent")) lines.push("user-agent: landline");
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  lines.push(...framingFields(method, body));
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

/** @throws {TypeError} when the method is not a token, and for CONNECT. */
export function checkMethod(method: string): void {
  if (!TOKEN.test(method)) throw new TypeError(`method must be a token: ${JSON.stringify(method)}`);
  if (method === "CONNECT") throw new TypeError("method CONNECT is not supported");
}
