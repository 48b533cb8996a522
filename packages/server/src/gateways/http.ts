import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { Connection } from "@landline/sockets";
import { addressKey, KeyedBuckets, type Rate, type RateLimits } from "../core/mod.ts";
import { type Asset, acceptsGzip } from "./assets.ts";
import type { ConnectionStream } from "./connection-stream.ts";
import { HttpStream } from "./http-stream.ts";
import { isOwnHost, isOwnOrigin, targetOf } from "./same-site.ts";
import { Turns } from "./turns.ts";

export interface HttpGatewayOptions {
  readonly assets: ReadonlyMap<string, Asset>;
  /** Host names of the server, besides addresses and localhost. */
  readonly hosts: readonly string[];
  /** How long a client may take to send the head of a request, in milliseconds. */
  readonly headersTimeoutMs: number;
  /** The clients' rate limits. @default none */
  readonly rates?: RateLimits | undefined;
  /** Returns the body of `/healthz`. */
  readonly health: () => unknown;
  /** Whether the server accepts new clients; `/readyz` reports it. If not, all paths except `/healthz` answer 503. */
  readonly isReady: () => boolean;
  /** Takes over a WebSocket handshake. */
  readonly upgrade: (request: IncomingMessage, stream: ConnectionStream) => void;
}

/** Nothing from other sites, nothing inline, no framing: a chat message can never run as code. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self' ws: wss:",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

/** Headers of every response, errors included. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const NO_HOST = "A request must name exactly one host";
const STRANGE_HOST =
  "This server does not serve that host name. To allow it, start the server with --hosts and the name";
const STRANGE_ORIGIN =
  "Pages from that address may not connect to this server. To allow them, start the server with --hosts and their host name";

const NO_HANDSHAKE = "A WebSocket handshake must be a GET request over HTTP/1.1, without a body";

const HEADER_BYTES_MAX = 16_384;
/** Most header fields of a request. Browsers and proxies send fewer than 50. */
const HEADER_FIELDS_MAX = 100;
const TOO_MANY_FIELDS = `A request must have at most ${HEADER_FIELDS_MAX} header fields`;
/** Most requests on one connection. The connection closes after the answer to the last one. */
const REQUESTS_PER_CONNECTION_MAX = 1_000;
/** Requests answered in one turn of the event loop, on all connections together. */
const REQUESTS_PER_TURN = 16;
/**
 * Rate of `/healthz` and `/readyz` per address. Counted separately, so that other requests from a shared address
 * cannot exhaust it.
 */
const PROBE_RATE: Rate = { perSecond: 20, burst: 100 };
const PROBES: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);

/**
 * Serves browsers: the page, `/healthz`, `/readyz` and the WebSocket handshake. It does not listen; the door passes
 * it connections.
 */
export class HttpGateway {
  readonly #options: HttpGatewayOptions;
  readonly #server: Server;
  readonly #streams = new Set<HttpStream>();
  readonly #turns = new Turns(REQUESTS_PER_TURN);
  readonly #probes = new KeyedBuckets(PROBE_RATE);

  constructor(options: HttpGatewayOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        headersTimeout: options.headersTimeoutMs,
        // Bodies are not read.
        requestTimeout: options.headersTimeoutMs,
        keepAliveTimeout: 5_000,
        connectionsCheckingInterval: Math.ceil(options.headersTimeoutMs / 2),
        maxHeaderSize: HEADER_BYTES_MAX,
        // `targetOf` rejects these requests, like all that do not name exactly one host.
        requireHostHeader: false,
        // Other upgrades, such as HTTP/2 of `curl`, are declined by ignoring them (RFC 9110, section 7.8).
        shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === "websocket",
      },
      (request, response) => this.#answer(request, response),
    );
    // Past this count, Node drops fields silently, possibly a second `Host` or an `Origin`. With one more than the
    // limit, every request that loses a field is refused.
    this.#server.maxHeadersCount = HEADER_FIELDS_MAX + 1;
    // Answer at once, without `100 Continue`: bodies are not read.
    for (const event of ["checkContinue", "checkExpectation"] as const) {
      this.#server.on(event, (request, response) => this.#answer(request, response));
    }
    this.#server.on("upgrade", (request) => {
      const stream = streamOf(request);
      try {
        this.#upgrade(request, stream);
      } catch (error) {
        refuse(stream, 500);
        stream.failed(error);
      }
    });
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => refuseBadRequest(error, socket));
    // This event arms the server's timeouts. The server itself never listens.
    this.#server.emit("listening");
  }

  /** Serves a connection that was detected as HTTP. */
  accept(connection: Connection, firstBytes: Uint8Array): void {
    const rates = this.#options.rates?.of(connection.remote?.host ?? "", performance.now());
    const stream = new HttpStream(connection, this.#turns, rates);
    this.#streams.add(stream);
    stream.once("close", () => this.#streams.delete(stream));
    this.#server.emit("connection", stream);
    stream.attach(firstBytes);
  }

  /** Closes idle connections now, and the others after their answer or after `timeoutMs`. */
  async close(timeoutMs: number): Promise<void> {
    this.#server.close();
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => {
      for (const stream of this.#streams) stream.destroy();
    }, timeoutMs);
    await Promise.all([...this.#streams].map((stream) => new Promise((resolve) => stream.once("close", resolve))));
    clearTimeout(timer);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const stream = streamOf(request);
    stream.answering(response);
    try {
      this.#respond(request, response, stream);
    } catch (error) {
      if (!response.headersSent) refuse(stream, 500);
      stream.failed(error);
    }
  }

  #respond(request: IncomingMessage, response: ServerResponse, stream: HttpStream): void {
    // Close after a request with a body: the body must not be read as the next request.
    const isLast = hasBody(request) || hasTooManyFields(request) || stream.requests === REQUESTS_PER_CONNECTION_MAX;
    if (isLast) response.setHeader("connection", "close");
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    const { method } = request;
    const target = targetOf(request);
    const seconds = this.#waitSeconds(stream, target?.path);
    if (seconds > 0) {
      // A client over its rate loses the connection.
      response.setHeader("connection", "close");
      response.setHeader("retry-after", seconds);
      sendText(response, 429, tooMany(seconds));
    } else if (hasTooManyFields(request)) {
      sendText(response, 431, TOO_MANY_FIELDS);
    } else if (target === undefined) {
      sendText(response, 400, NO_HOST);
    } else if (!isOwnHost(target.authority, this.#options.hosts)) {
      sendText(response, 421, STRANGE_HOST);
    } else if (method !== "GET" && method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      sendText(response, 405, "Only GET and HEAD");
    } else {
      this.#get(target.path, request, response);
    }
  }

  #get(path: string, request: IncomingMessage, response: ServerResponse): void {
    const isReady = this.#options.isReady();
    // Close the connection: it gets no further answers.
    if (!isReady) response.setHeader("connection", "close");
    if (path === "/healthz") {
      sendState(response, 200, this.#options.health());
      return;
    }
    if (!isReady) {
      sendState(response, 503, { status: "shutting down" });
      return;
    }
    if (path === "/readyz") {
      sendState(response, 200, { status: "ok" });
      return;
    }
    const asset = this.#options.assets.get(path);
    if (asset === undefined) {
      const text =
        path === "/" ? "The web page was not built; run: npm run build:web" : "There is nothing here; the chat is at /";
      sendText(response, 404, text);
      return;
    }
    const isGzip = asset.gzip !== undefined && acceptsGzip(request.headers["accept-encoding"]);
    const content = isGzip ? asset.gzip : asset;
    response.setHeader("etag", content.etag);
    if (asset.gzip !== undefined) response.setHeader("vary", "accept-encoding");
    if (isGzip) response.setHeader("content-encoding", "gzip");
    response.setHeader("cache-control", asset.isImmutable ? "public, max-age=31536000, immutable" : "no-cache");
    if (request.headers["if-none-match"] === content.etag) response.writeHead(304).end();
    else send(response, 200, asset.type, content.bytes);
  }

  /** Counts a request against the client's rate and returns 0, or returns how many seconds the client must wait. */
  #waitSeconds({ rates, remoteAddress }: HttpStream, path: string | undefined): number {
    if (rates === undefined) return 0;
    const nowMs = performance.now();
    if (path === undefined || !PROBES.has(path)) return Math.ceil(rates.take("request", undefined, nowMs) / 1_000);
    const bucket = this.#probes.of(addressKey(remoteAddress), nowMs);
    const waitMs = bucket.waitMs(nowMs);
    if (waitMs === 0) bucket.take();
    return Math.ceil(waitMs / 1_000);
  }

  #upgrade(request: IncomingMessage, stream: HttpStream): void {
    const { hosts, isReady, upgrade } = this.#options;
    const { origin } = request.headers;
    const target = targetOf(request);
    const seconds = this.#waitSeconds(stream, target?.path);
    if (!isReady()) refuse(stream, 503);
    else if (seconds > 0) refuse(stream, 429, tooMany(seconds), { "retry-after": String(seconds) });
    else if (hasTooManyFields(request)) refuse(stream, 431, TOO_MANY_FIELDS);
    else if (target === undefined) refuse(stream, 400, NO_HOST);
    else if (!isHandshake(request)) refuse(stream, 400, NO_HANDSHAKE);
    else if (target.path !== "/" && target.path !== "/ws") refuse(stream, 404);
    else if (!isOwnHost(target.authority, hosts)) refuse(stream, 421, STRANGE_HOST);
    // Without `Origin` the client is a program, not a page.
    else if (origin !== undefined && !isOwnOrigin(origin, target.authority, hosts)) refuse(stream, 403, STRANGE_ORIGIN);
    else {
      upgrade(request, stream);
      stream.upgraded();
    }
  }
}

function streamOf(request: IncomingMessage): HttpStream {
  return request.socket as unknown as HttpStream;
}

function tooMany(seconds: number): string {
  return `Too many requests in a short time; try again in ${seconds} s`;
}

function sendState(response: ServerResponse, status: number, state: unknown): void {
  response.setHeader("cache-control", "no-store");
  send(response, status, "application/json", Buffer.from(`${JSON.stringify(state)}\n`));
}

function sendText(response: ServerResponse, status: number, text: string): void {
  send(response, status, "text/plain; charset=utf-8", Buffer.from(`${text}\n`));
}

function send(response: ServerResponse, status: number, type: string, bytes: Buffer): void {
  response.writeHead(status, { "content-type": type, "content-length": bytes.length });
  // Node omits the body of an answer to HEAD.
  response.end(bytes);
}

/** Whether a body may follow (RFC 9112, section 6.3). */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

function hasTooManyFields({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.length > 2 * HEADER_FIELDS_MAX;
}

/** Whether a request may ask for a WebSocket (RFC 6455, section 4.2.1). Bytes of a body would be read as frames. */
function isHandshake(request: IncomingMessage): boolean {
  return request.method === "GET" && request.httpVersion === "1.1" && !hasBody(request);
}

/** Writes an error response outside of `node:http`, and closes the connection. */
export function refuse(
  socket: Duplex,
  status: number,
  why: string | undefined = STATUS_CODES[status],
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = `${why}\n`;
  const all = {
    ...SECURITY_HEADERS,
    ...headers,
    connection: "close",
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n${body}`);
}

function refuseBadRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400;
  refuse(socket, status);
}
