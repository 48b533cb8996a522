import { SocketError } from "../errors.ts";
import { checkTimeout } from "../wait.ts";
import { Exchange } from "./exchange.ts";
import { HttpResponse } from "./http-response.ts";
import { checkMethod, encodeRequestHead, type RequestHeaders, requestHeaders, withoutSecrets } from "./request-head.ts";

/** Options for {@link request}. */
export interface RequestOptions {
  /** Case matters. Methods with a body are not supported yet. @default "GET" */
  readonly method?: string | undefined;
  /** Sent besides `host`, `accept`, `accept-encoding` and `user-agent`, or instead of them. */
  readonly headers?: RequestHeaders | undefined;
  /** One deadline for all: lookup, connecting, redirects, the whole body. In milliseconds. @default Infinity */
  readonly timeoutMs?: number | undefined;
  /** Longest silence of the server while something is waited for, in milliseconds. @default 30000 */
  readonly chunkTimeoutMs?: number | undefined;
  /** Ends the request, or the reading of its body, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Redirects that are followed; 0 gives the redirect itself. @default 5 */
  readonly redirectsMax?: number | undefined;
  /** Longest head of an answer (and as much again for its trailers), in bytes. @default 16384 */
  readonly headerBytesMax?: number | undefined;
  /** Longest body, in bytes, however it is read. `Infinity` for downloads of any size. @default 67108864 */
  readonly bodyBytesMax?: number | undefined;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Sends a request without a body, `HEAD` or `OPTIONS` for example; see {@link get}, which says the rest.
 *
 * @throws {TypeError} for a method that is none; as {@link get}.
 * @throws {SocketError} as {@link get}.
 */
export async function request(url: string | URL, options: RequestOptions = {}): Promise<HttpResponse> {
  const { redirectsMax = 5, timeoutMs = Number.POSITIVE_INFINITY } = options;
  let method = options.method ?? "GET";
  let headers = requestHeaders(options.headers);
  let target = checkUrl(new URL(url));
  checkMethod(method);
  checkTimeout(timeoutMs);
  checkTimeout(options.chunkTimeoutMs ?? 0);
  const deadlineAt = performance.now() + timeoutMs;

  for (let redirects = 0; ; redirects += 1) {
    const exchange = new Exchange({ ...options, method, host: target.host, deadlineAt });
    const head = await exchange.open(target, encodeRequestHead(method, target, headers));
    const location = head.headers.get("location");
    if (!REDIRECTS.has(head.status) || location === null || redirectsMax === 0) {
      return new HttpResponse(target.href, head, exchange);
    }
    exchange.close();
    if (redirects === redirectsMax) {
      const text = `Cannot get from ${target.host}: more than redirectsMax ${redirectsMax} redirects`;
      throw new SocketError("limit", text, { operation: "redirect" });
    }
    const next = redirectTarget(location, target);
    if (next.origin !== target.origin) headers = withoutSecrets(headers);
    method = redirectMethod(head.status, method);
    target = next;
  }
}

function checkUrl(url: URL): URL {
  if (url.protocol === "https:") throw new TypeError("https: is not supported yet; only http: URLs can be requested");
  if (url.protocol !== "http:") throw new TypeError(`url must begin with http: (found ${url.protocol})`);
  if (url.username !== "" || url.password !== "") {
    throw new TypeError("url must not contain a user name or password; send an authorization header instead");
  }
  return url;
}

function redirectTarget(location: string, from: URL): URL {
  const action = `Cannot follow the redirect of ${from.host}`;
  const next = URL.parse(location, from.href);
  if (next === null) throw new SocketError("malformed", `${action}: its location is no URL`, { operation: "redirect" });
  if (from.protocol === "https:" && next.protocol === "http:") {
    throw new SocketError("tls", `${action}: it leads from https to http`, { operation: "redirect" });
  }
  if (next.protocol !== "http:" && next.protocol !== "https:") {
    throw new SocketError("malformed", `${action}: it leads away from HTTP`, { operation: "redirect" });
  }
  // Whoever redirects does not choose whom we are there.
  next.username = "";
  next.password = "";
  return checkUrl(next);
}

/** RFC 9110, section 15.4: 303 asks for a GET, and 301 and 302 are used as if they did for POST. */
function redirectMethod(status: number, method: string): string {
  const isSeeOther = status === 303 && method !== "HEAD";
  const isOldPost = (status === 301 || status === 302) && method === "POST";
  return isSeeOther || isOldPost ? "GET" : method;
}
