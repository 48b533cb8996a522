import { type Address, formatAddress } from "./address.ts";

/**
 * A stable code for what went wrong:
 *
 * | code | meaning |
 * | --- | --- |
 * | `refused` | nothing listens at the address |
 * | `unreachable` | there is no route to the host or network |
 * | `address-in-use` | another socket has the local address |
 * | `address-not-available` | this machine does not have the local address |
 * | `permission` | the system refuses the operation, or `allowAddress` refuses the peer's address |
 * | `name-not-found` | the host name has no address |
 * | `name-lookup-failed` | the lookup failed for now; try again |
 * | `timeout` | a time limit of one call has passed; or the connection was idle or stalled too long and is closed |
 * | `reset` | the peer broke the connection |
 * | `closed` | this side closed the socket |
 * | `busy` | another read is waiting, or something else reads the socket |
 * | `end-of-stream` | the peer finished too early; see `expected` and `partial` |
 * | `frame-too-long` | a frame exceeds the limit of its codec |
 * | `frame-truncated` | the stream ended inside a frame; see `partial` |
 * | `malformed` | the bytes violate the framing or protocol |
 * | `limit` | a limit of this side was exceeded |
 * | `message-too-long` | a datagram is too long to send |
 * | `tls` | the TLS handshake failed or a certificate is invalid |
 * | `system` | any other error; Node's error is the `cause` |
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

/** Fields of a {@link SocketError}. The code decides which ones are set. */
export interface SocketErrorFields {
  /** The operation that failed, as a verb: `connect`, `read`, `send`. */
  readonly operation?: string;
  /** This side's address. */
  readonly local?: Address;
  /** The peer's address. */
  readonly remote?: Address;
  /** Bytes that the connection had read and written by then. */
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
  /** `end-of-stream`: number of bytes that were requested. */
  readonly expected?: number;
  /** `end-of-stream`, `frame-truncated`: the incomplete bytes. */
  readonly partial?: Uint8Array;
  /** `malformed`: position in bytes from the start of the message or stream. */
  readonly offset?: number;
  readonly cause?: unknown;
}

/**
 * The error class of the toolkit. Use `code` to distinguish errors. `cause` is the original error. The other fields are
 * those of {@link SocketErrorFields}; they are `undefined` when they do not apply.
 *
 * An abort does not give a `SocketError`: it rejects with the signal's own reason.
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
    // Set only known fields, so that a printed error is short.
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

/**
 * Converts an error of Node to a {@link SocketError}. `action` is the start of the text, such as `Cannot connect to
 * localhost:8080`.
 */
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

/** Returns the text of a thrown value. Any value can be thrown, even one that cannot be converted to a string. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return Object.prototype.toString.call(thrown);
  }
}

/** Returns OpenSSL's `reason` if there is one, because its message names source files. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return textOf(error);
  const { reason } = error as { reason?: unknown };
  if (typeof reason !== "string" || reason === "") return error.message.trim();
  return reason === "wrong version number" ? `${reason} (does the peer speak TLS?)` : reason;
}

/** Returns the `code` of a Node error. For an `AggregateError`: the first code of its errors. */
function nodeErrorCode(error: unknown): string {
  if (typeof error !== "object" || error === null) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  if (error instanceof AggregateError) return error.errors.map(nodeErrorCode).find((code) => code !== "") ?? "";
  return "";
}

/** Returns `word` and the address, such as ` to localhost:8080`, or nothing when the address is unknown. */
export function toOrFrom(word: string, address: Address | undefined): string {
  return address === undefined ? "" : ` ${word} ${formatAddress(address)}`;
}
