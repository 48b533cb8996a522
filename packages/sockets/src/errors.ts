import { type Address, formatAddress } from "./address.ts";

/**
 * What went wrong, in one word that stays the same:
 *
 * - `refused`: nobody listens there. `unreachable`: no way to the host. `address-in-use`, `address-not-available`:
 *   the local address cannot be had. `permission`: the system refuses it, or `allowAddress` refuses the peer's address.
 * - `name-not-found`: the name has no address. `name-lookup-failed`: the lookup failed; try again.
 * - `timeout`: a wait's `timeoutMs` passed, and the connection stays open; or it was idle, or its peer dead, for too
 *   long, and it is gone.
 * - `reset`: the peer broke the connection. `closed`: this side closed it.
 * - `busy`: another read is already waiting.
 * - `end-of-stream`: the peer finished before all was there; see `expected` and `partial`.
 * - `frame-too-long`, `frame-truncated`, `malformed`: the bytes break the framing or the protocol.
 * - `limit`: more than a limit of this side.
 * - `message-too-long`: a datagram is too long to send.
 * - `tls`: the TLS handshake or its certificates.
 * - `system`: anything else; Node's error is the `cause`.
 */
export type SocketErrorCode =
  | "refused"
  | "unreachable"
  | "name-not-found"
  | "name-lookup-failed"
  | "timeout"
  | "reset"
  | "closed"
  | "busy"
  | "end-of-stream"
  | "frame-too-long"
  | "frame-truncated"
  | "malformed"
  | "limit"
  | "address-in-use"
  | "address-not-available"
  | "permission"
  | "message-too-long"
  | "tls"
  | "system";

/** The facts of a {@link SocketError}; which are there depends on its code. */
export interface SocketErrorFields {
  /** What was being done, as a verb: `connect`, `read`, `send`. */
  readonly operation?: string;
  /** This side's address. */
  readonly local?: Address;
  /** The peer's. */
  readonly remote?: Address;
  /** Bytes that the connection had read and written until then. */
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
  /** `end-of-stream`: how many bytes were wanted. */
  readonly expected?: number;
  /** `end-of-stream`, `frame-truncated`: what there was instead. */
  readonly partial?: Uint8Array;
  /**
   * `malformed`: where, in bytes from the start of the message or stream; of `json`, for other errors, where the value
   * begins.
   */
  readonly offset?: number;
  readonly cause?: unknown;
}

/**
 * The one error of the toolkit. Tell errors apart by `code`; `cause` is the error it came from. The other fields are
 * those of {@link SocketErrorFields}, `undefined` where they say nothing.
 *
 * An abort is no `SocketError`: it rejects with the signal's own reason.
 *
 * @example
 * ```ts
 * import { connect, serve, SocketError } from "@landline/sockets";
 * import assert from "node:assert/strict";
 *
 * await using server = await serve({ port: 0 }, (connection) => connection.write("hel"));
 * await using connection = await connect(server.address);
 * await assert.rejects(connection.readExactly(5), (error) => {
 *   assert.ok(error instanceof SocketError);
 *   assert.equal(error.code, "end-of-stream");
 *   assert.equal(error.expected, 5);
 *   return String(error.partial) === "hel";
 * });
 * ```
 */
export class SocketError extends Error {
  override readonly name = "SocketError";
  readonly code: SocketErrorCode;
  declare readonly operation: string | undefined;
  declare readonly local: Address | undefined;
  declare readonly remote: Address | undefined;
  declare readonly bytesRead: number | undefined;
  declare readonly bytesWritten: number | undefined;
  declare readonly expected: number | undefined;
  declare readonly partial: Uint8Array | undefined;
  declare readonly offset: number | undefined;

  constructor(code: SocketErrorCode, message: string, fields: SocketErrorFields = {}) {
    const { cause, ...known } = fields;
    super(message, "cause" in fields ? { cause } : undefined);
    this.code = code;
    // Only those that are known, so that a printed error is short.
    Object.assign(this, known);
  }
}

const CODES: ReadonlyMap<string, SocketErrorCode> = new Map<string, SocketErrorCode>(
  Object.entries({
    ECONNREFUSED: "refused",
    ENOENT: "refused",
    EHOSTUNREACH: "unreachable",
    ENETUNREACH: "unreachable",
    EHOSTDOWN: "unreachable",
    ENETDOWN: "unreachable",
    ENOTFOUND: "name-not-found",
    ENODATA: "name-not-found",
    EAI_AGAIN: "name-lookup-failed",
    EAI_FAIL: "name-lookup-failed",
    ETIMEDOUT: "timeout",
    ERR_SOCKET_CONNECTION_TIMEOUT: "timeout",
    ECONNRESET: "reset",
    ECONNABORTED: "reset",
    EPIPE: "reset",
    EADDRINUSE: "address-in-use",
    EADDRNOTAVAIL: "address-not-available",
    EACCES: "permission",
    EPERM: "permission",
    EMSGSIZE: "message-too-long",
  } as const),
);

const TEXTS: Readonly<Partial<Record<SocketErrorCode, string>>> = {
  refused: "connection refused (is the server running?)",
  unreachable: "host or network is unreachable",
  "name-not-found": "no such host name",
  "name-lookup-failed": "the name lookup failed, try again",
  timeout: "timed out",
  reset: "connection reset by the peer",
  "address-in-use": "the address is already in use (is another server running?)",
  "address-not-available": "this machine does not have the address",
  permission: "permission denied",
  "message-too-long": "the message is too long",
};

/** Turns an error of Node's into a {@link SocketError}; `action` reads `Cannot connect to localhost:8080`. */
export function fromNodeError(error: unknown, action: string, fields: SocketErrorFields = {}): SocketError {
  if (error instanceof SocketError) return error;
  const nodeCode = nodeErrorCode(error);
  const code =
    CODES.get(nodeCode) ?? (/^ERR_(TLS|SSL|OSSL)|CERT|SELF_SIGNED|UNABLE_TO/.test(nodeCode) ? "tls" : "system");
  const text = TEXTS[code] ?? reasonOf(error);
  const isLowPort = code === "permission" && (fields.local?.port ?? 1024) < 1024;
  const hint = isLowPort ? " (ports below 1024 need privileges)" : "";
  return new SocketError(code, `${action}: ${text}${hint}`, { ...fields, cause: error });
}

/** What was thrown, in words. Anything can be thrown, also what has no text. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}

/** OpenSSL's own word, where there is one: its text names its source files. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return textOf(error);
  const { reason } = error as { reason?: unknown };
  if (typeof reason !== "string" || reason === "") return error.message.trim();
  return reason === "wrong version number" ? `${reason} (does the peer speak TLS?)` : reason;
}

/** The `code` of a Node error; of several attempts' errors the first that has one. */
function nodeErrorCode(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  if (error instanceof AggregateError) return error.errors.map(nodeErrorCode).find((code) => code !== "") ?? "";
  return "";
}

/** ` localhost:8080` with the given word in front, or nothing where the address is not known. */
export function toOrFrom(word: string, address: Address | undefined): string {
  return address === undefined ? "" : ` ${word} ${formatAddress(address)}`;
}
