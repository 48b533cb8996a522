/** Why a command is refused. The connection stays open. Every dialect can express each code. */
export type RefusalCode =
  | "invalid-json"
  | "invalid-request"
  | "unknown-type"
  | "version-required"
  | "unsupported-version"
  | "unsupported"
  | "name-invalid"
  | "name-in-use"
  | "name-fixed"
  | "room-invalid"
  | "too-many-rooms"
  | "too-many-connections"
  | "not-joined"
  | "message-too-long"
  | "rate-limited"
  | "id-reused"
  | "session-unknown"
  | "busy"
  | "unavailable"
  | "in-doubt"
  | "internal";

/** A refused command: a code for programs and a text for people. */
export interface Refusal {
  readonly type: "refusal";
  readonly code: RefusalCode;
  readonly message: string;
  /** The id of the refused request. */
  readonly id?: string | undefined;
  /** How long to wait before a retry, in milliseconds. */
  readonly retryAfterMs?: number;
}

export function refuse(code: RefusalCode, message: string): Refusal {
  return { type: "refusal", code, message };
}

/** Why the server ends a connection, and whether the client should reconnect. */
export interface Goodbye {
  readonly code:
    | "shutdown"
    | "slow-consumer"
    | "ping-timeout"
    | "replaced"
    | "join-timeout"
    | "frame-too-long"
    | "protocol-error";
  readonly message: string;
  readonly reconnect: boolean;
  /** Shortest wait before reconnecting, in milliseconds. */
  readonly afterMs?: number;
}
