import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Asset, acceptsGzip } from "./assets.ts";
import { isOwnHost, isOwnOrigin, targetOf } from "./same-site.ts";

export interface HttpGatewayOptions {
  readonly assets: ReadonlyMap<string, Asset>;
  /** Names under which the server is reached, beside addresses and localhost. */
  readonly hosts: readonly string[];
  /** How long a client may take for the head of a request, in milliseconds. */
  readonly headersTimeoutMs: number;
  /** Answers `/healthz`. */
  readonly health: () => unknown;
  /** Whether new clients are welcome: `/readyz` says so. If not, nothing but `/healthz` is answered with what was asked. */
  readonly isReady: () => boolean;
  /** Takes a WebSocket handshake over. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** Nothing from elsewhere, nothing inline, nothing framed: a message can never become code. */
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

/** Of every answer, refusals too. */
const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const NO_HOST = "A request names one host";
const STRANGE_HOST = "This server does not answer to that host name; to let it, start it with --hosts and the name";
const STRANGE_ORIGIN =
  "Pages from that address may not speak to this server; to let them, start it with --hosts and their host name";

/** How long it may take for all of it, beyond its head. */
const BODY_TIMEOUT_MS = 20_000;
const HEADER_BYTES_MAX = 16_384;
const HEADERS_MAX = 100;
/** How long a refused peer has to end its side, in milliseconds. */
const LINGER_MS = 2_000;

/** Browsers: the page, `/healthz`, `/readyz`, and the way to WebSocket. It has no port of its own; the door hands it connections. */
export class HttpGateway {
  readonly #options: HttpGatewayOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(options: HttpGatewayOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        headersTimeout: options.headersTimeoutMs,
        requestTimeout: options.headersTimeoutMs + BODY_TIMEOUT_MS,
        keepAliveTimeout: 5_000,
        connectionsCheckingInterval: Math.ceil(options.headersTimeoutMs / 2),
        maxHeaderSize: HEADER_BYTES_MAX,
        noDelay: true,
        // Refused here, as every request that does not name one host.
        requireHostHeader: false,
        // Any other offer, such as HTTP/2's of `curl`, is declined by answering as if it were not there.
        shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === "websocket",
      },
      (request, response) => this.#answer(request, response),
    );
    this.#server.maxHeadersCount = HEADERS_MAX;
    // A body is not wanted: nobody is told to go on and send it, nor that what is expected is not understood.
    for (const event of ["checkContinue", "checkExpectation"] as const) {
      this.#server.on(event, (request, response) => this.#answer(request, response));
    }
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => refuseBadRequest(error, socket));
    // Its timeouts are armed by this event, and it never listens itself.
    this.#server.emit("listening");
  }

  /** Serves a connection whose first bytes are still to be read. */
  accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    // `node:http` listens for errors only while it has the socket.
    socket.on("error", () => undefined);
    this.#server.emit("connection", socket);
    socket.resume();
  }

  /** Ends idle connections now, and the others when they are done or after this long. */
  async close(timeoutMs: number): Promise<void> {
    this.#server.close();
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, timeoutMs);
    await Promise.all([...this.#sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve))));
    clearTimeout(timer);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    // A body is never read as anything; it is drained so that the connection can be used again.
    request.resume();
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    const { method } = request;
    const target = targetOf(request);
    if (target === undefined) {
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
    // Nothing more is answered on this connection.
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

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { hosts, isReady, upgrade } = this.#options;
    const { origin } = request.headers;
    const target = targetOf(request);
    if (!isReady()) refuse(socket, 503);
    else if (target === undefined) refuse(socket, 400, NO_HOST);
    else if (target.path !== "/" && target.path !== "/ws") refuse(socket, 404);
    else if (!isOwnHost(target.authority, hosts)) refuse(socket, 421, STRANGE_HOST);
    // No Origin: a program, not a page.
    else if (origin !== undefined && !isOwnOrigin(origin, target.authority, hosts)) refuse(socket, 403, STRANGE_ORIGIN);
    else upgrade(request, socket, head);
  }
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
  // Node leaves the body of an answer to HEAD out.
  response.end(bytes);
}

/** Answers where `node:http` does not, and ends the connection even if the peer does not. */
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
  // What the peer still sends is read and thrown away, so that it gets to read the answer.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(timer));
}

function refuseBadRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400;
  refuse(socket, status);
}
