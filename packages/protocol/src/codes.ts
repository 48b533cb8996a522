/**
 * What a request can be refused for. The connection goes on.
 *
 * The codes are stable; the texts beside them on the wire are for people and may change.
 */
export const ERROR_CODES = [
  /** The bytes were not JSON, or not UTF-8. */
  "invalid-json",
  /** A field is missing or has the wrong type. */
  "invalid-request",
  /** No request has this `type`. */
  "unknown-type",
  /** The request needs `hello` with version 2 first. */
  "version-required",
  /** The version in `hello` is not spoken here. */
  "unsupported-version",
  /** The person's name breaks a rule for names. */
  "name-invalid",
  /** Somebody else has this name, or one that looks like it. */
  "name-in-use",
  /** This connection already has another name. */
  "name-fixed",
  /** The room's name breaks a rule for names. */
  "room-invalid",
  /** The connection is in as many rooms as it may be. */
  "too-many-rooms",
  /** The person has as many connections as it may have. */
  "too-many-connections",
  /** The request is for a room that this connection has not joined. */
  "not-joined",
  /** The text is longer than `messageBytesMax`, or the topic than `topicBytesMax`. */
  "message-too-long",
  /** Too many messages, joins or other requests in a short time; `retryAfterMs` says when to go on. */
  "rate-limited",
  /** An id was used before, with another text. */
  "id-reused",
  /** No connection that could be taken back has this session. */
  "session-unknown",
  /** The server has too much to do for this now; try again later. */
  "busy",
  /** The server cannot store anything at the moment: its disk is full, for example. Nothing was stored; try again later. */
  "unavailable",
  /** The server failed; trying again may help. */
  "internal",
] as const;

/** See {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Why the server ends a connection; see {@link BYE_CODES}. */
export type ByeCode =
  /** The server is shutting down. */
  | "shutdown"
  /** The client read more slowly than its rooms talk; it may resume from its last position. */
  | "slow-consumer"
  /** Nothing was heard from the client, not even an answer to a ping. */
  | "ping-timeout"
  /** Another connection took this one's session. */
  | "replaced"
  /** Nothing was joined in time. */
  | "join-timeout"
  /** A request was longer than `frameBytesMax`; what follows it cannot be told apart. */
  | "frame-too-long"
  /** The bytes cannot be the chat's: HTTP on a chat connection, frames that cannot be told apart. */
  | "protocol-error";

/**
 * Each reason with whether the client should come back. Two halves, like the close codes of WebSocket: reasons of the
 * network or the server, and the client's own.
 */
export const BYE_CODES: Readonly<Record<ByeCode, boolean>> = {
  shutdown: true,
  "slow-consumer": true,
  "ping-timeout": true,
  replaced: false,
  "join-timeout": false,
  "frame-too-long": false,
  "protocol-error": false,
};
