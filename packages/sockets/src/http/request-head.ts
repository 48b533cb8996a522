import { ACCEPTED_CODINGS } from "./decompressed-body.ts";
import { framingFields, type OutgoingBody } from "./request-body.ts";

/** Headers to send: an object, `Headers`, or any list of pairs. */
export type RequestHeaders = Readonly<Record<string, string>> | Iterable<readonly [string, string]>;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** These say how the message is framed and what becomes of the connection: not the caller's to decide. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "transfer-encoding",
  "upgrade",
]);
/** Meant for one origin only. */
const SECRET_HEADERS: readonly string[] = ["authorization", "cookie", "proxy-authorization", "host"];

/**
 * Checks the headers that a caller gave. Unlike `Headers` alone it refuses CR and LF at the ends of a value too.
 *
 * @throws {TypeError} for CR, LF or NUL, a name that is none, and headers that the request writes itself.
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

/** @throws {TypeError} for a name that no header can have: a mistyped one would protect nothing. */
export function headerNames(names: readonly string[] = []): readonly string[] {
  if (Array.isArray(names) && names.every((name) => TOKEN.test(name))) return [...names];
  throw new TypeError(`secretHeaders must be a list of names: ${JSON.stringify(names)}`);
}

/** The same headers without those that another origin must not see, and those that the caller adds to them. */
export function withoutSecrets(headers: Headers, names: readonly string[]): Headers {
  const rest = new Headers(headers);
  for (const name of [...SECRET_HEADERS, ...names]) rest.delete(name);
  return rest;
}

/** The same headers without those that describe a body. */
export function withoutContent(headers: Headers): Headers {
  const rest = new Headers(headers);
  for (const name of [...rest.keys()]) if (name.startsWith("content-")) rest.delete(name);
  return rest;
}

/** What a request's head is made of. */
export interface RequestHead {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  /** Names of headers that are for one origin only, beside those that always are. */
  readonly secretHeaders: readonly string[];
  readonly body: OutgoingBody;
  /** Whether a compressed answer is welcome. */
  readonly decompress: boolean;
}

/** The bytes of a request before its body. */
export function encodeRequestHead({ method, url, headers, body, decompress }: RequestHead): Uint8Array {
  const lines = [`${method} ${url.pathname}${url.search} HTTP/1.1`];
  if (!headers.has("host")) lines.push(`host: ${url.host}`);
  lines.push("connection: close");
  if (!headers.has("accept")) lines.push("accept: */*");
  if (!headers.has("accept-encoding")) {
    // A range of a compressed body could not be decompressed. Without this field any coding may come.
    const isWelcome = decompress && !headers.has("range");
    lines.push(`accept-encoding: ${isWelcome ? ACCEPTED_CODINGS : "identity"}`);
  }
  if (!headers.has("user-agent")) lines.push("user-agent: landline");
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  lines.push(...framingFields(method, body));
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

/** @throws {TypeError} when it is no method, or one that is not spoken here. */
export function checkMethod(method: string): void {
  if (!TOKEN.test(method)) throw new TypeError(`method must be a token: ${JSON.stringify(method)}`);
  if (method === "CONNECT") throw new TypeError("method CONNECT is not supported");
}
