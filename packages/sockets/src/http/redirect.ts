import { SocketError } from "../errors.ts";
import { NO_BODY } from "./request-body.ts";
import { type RequestHead, withoutContent, withoutSecrets } from "./request-head.ts";
import type { ResponseHead } from "./response-head.ts";

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Returns the next request after a redirect. `undefined` when the response is not a redirect, has no `Location` or an
 * empty one, or would need a stream to be sent again.
 *
 * @throws {SocketError} `malformed` when `Location` is not a valid target.
 * @throws {SocketError} `tls` for a redirect from `https:` to `http:`.
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

/** Why a URL cannot be requested, as the end of a sentence. */
export function invalidUrlReason(url: URL): string | undefined {
  if (url.protocol !== "http:" && url.protocol !== "https:") return "must begin with http: or https:";
  return url.port === "0" ? "must not have port 0" : undefined;
}

/** RFC 9110, section 15.4: 303 becomes a GET. 301 and 302 after a POST become a GET too, as in browsers. */
function redirectMethod(status: number, method: string): string {
  const isSeeOther = status === 303 && method !== "HEAD";
  const isOldPost = (status === 301 || status === 302) && method === "POST";
  return isSeeOther || isOldPost ? "GET" : method;
}

function redirectTarget(location: string, from: URL): URL {
  const refuse = (code: "malformed" | "tls", reason: string): never => {
    throw new SocketError(code, `Cannot follow the redirect of ${from.host}: ${reason}`, { operation: "redirect" });
  };
  // The URL parser would silently remove some of them.
  if (/[\x00-\x1f\x7f]/.test(location)) return refuse("malformed", "its location has a control character");
  const next = URL.parse(withoutBytes(location), from.href) ?? refuse("malformed", "its location is not a URL");
  const reason = invalidUrlReason(next);
  if (reason !== undefined) return refuse("malformed", `its location ${reason}`);
  if (from.protocol === "https:" && next.protocol === "http:") return refuse("tls", "it leads from https to http");
  // One server must not choose the credentials that another one receives.
  next.username = "";
  next.password = "";
  // RFC 9110, section 10.2.2: keep the fragment.
  if (!location.includes("#")) next.hash = from.hash;
  return next;
}

/**
 * Percent-encodes bytes above 127, which a URI must not contain. The field is decoded as Latin-1, so the URL parser
 * would encode these characters as UTF-8 and change the bytes that the server meant.
 */
function withoutBytes(location: string): string {
  return location.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}
