import { SocketError } from "../errors.ts";
import { NO_BODY } from "./request-body.ts";
import { type RequestHead, withoutContent, withoutSecrets } from "./request-head.ts";
import type { ResponseHead } from "./response-head.ts";

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * The request that a response asks for; none when the response is not a redirect, names no place (a `Location` that is
 * missing or empty), or asks for a stream that has been read.
 *
 * @throws {SocketError} `malformed` for a place that cannot be requested; `tls` for one that is less secure.
 */
export function redirected(from: RequestHead, { status, headers }: ResponseHead): RequestHead | undefined {
  const location = headers.get("location") ?? "";
  if (!REDIRECTS.has(status) || location === "") return undefined;
  const method = redirectMethod(status, from.method);
  const keepsBody = status !== 303 && method === from.method;
  if (keepsBody && from.body.kind === "stream") return undefined;
  const url = redirectTarget(location, from.url);
  const kept = url.origin === from.url.origin ? from.headers : withoutSecrets(from.headers, from.secretHeaders);
  if (keepsBody) return { ...from, url, headers: kept };
  return { ...from, url, method, headers: withoutContent(kept), body: NO_BODY };
}

/** Why a URL cannot be requested, as the end of a sentence about it. */
export function invalidUrlReason(url: URL): string | undefined {
  if (url.protocol !== "http:" && url.protocol !== "https:") return "must begin with http: or https:";
  return url.port === "0" ? "must not have port 0" : undefined;
}

/** RFC 9110, section 15.4: 303 asks for a GET, and 301 and 302 are used as if they did for POST. */
function redirectMethod(status: number, method: string): string {
  const isSeeOther = status === 303 && method !== "HEAD";
  const isOldPost = (status === 301 || status === 302) && method === "POST";
  return isSeeOther || isOldPost ? "GET" : method;
}

function redirectTarget(location: string, from: URL): URL {
  const refuse = (code: "malformed" | "tls", reason: string): never => {
    throw new SocketError(code, `Cannot follow the redirect of ${from.host}: ${reason}`, { operation: "redirect" });
  };
  // The URL parser would leave some of them out, wherever they stand.
  if (/[\x00-\x1f\x7f]/.test(location)) return refuse("malformed", "its location has a control character");
  const next = URL.parse(withoutBytes(location), from.href) ?? refuse("malformed", "its location is not a URL");
  const reason = invalidUrlReason(next);
  if (reason !== undefined) return refuse("malformed", `its location ${reason}`);
  if (from.protocol === "https:" && next.protocol === "http:") return refuse("tls", "it leads from https to http");
  // A server must not choose the user name that another one sees.
  next.username = "";
  next.password = "";
  // RFC 9110, section 10.2.2.
  if (!location.includes("#")) next.hash = from.hash;
  return next;
}

/**
 * Bytes above 127 have no place in a URI. Whatever text they were meant to be, their percent-encoding is what the
 * server has; the URL parser reads the field's Latin-1 as characters and would encode them once more.
 */
function withoutBytes(location: string): string {
  return location.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}
