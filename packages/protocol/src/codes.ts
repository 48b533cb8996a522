/**
 * Codes of refused requests. The connection stays open.
 *
 * The codes are stable. The text beside them on the wire is for people and may change.
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
  /** The server does not support the version in `hello`. */
  "unsupported-version",
  /** This server does not offer the request, for example `search`. */
  "unsupported",
  /** The person's name is invalid. */
  "name-invalid",
  /** Another person has this name, or one that looks like it. */
  "name-in-use",
  /** This connection already has another name. */
  "name-fixed",
  /** The room's name is invalid. */
  "room-invalid",
  /** The connection is already in `roomsMax` rooms. */
  "too-many-rooms",
  /** The person already has the most connections that the server allows. */
  "too-many-connections",
  /** The connection has not joined this room. */
  "not-joined",
  /** The text is longer than `messageBytesMax`, or the topic than `topicBytesMax`. */
  "message-too-long",
  /** Too many messages, joins or other requests in a short time. `retryAfterMs` tells when to retry. */
  "rate-limited",
  /** The id was used before for a different text. */
  "id-reused",
  /** No session has this secret, or it ended. */
  "session-unknown",
  /** The server is overloaded; retry later. */
  "busy",
  /** The server cannot store the message now, for example because its disk is full. Nothing was stored; retry later. */
  "unavailable",
  /** The message may have been stored or not. Send it again with the same id: it is then stored once. */
  "in-doubt",
  /** The server failed; a retry may succeed. */
  "internal",
] as const;

/** See {@link ERROR_CODES}. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Why the server ends a connection; see {@link BYE_CODES}. */
export type ByeCode =
  /** The server is shutting down. */
  | "shutdown"
  /** The client read more slowly than its rooms send. It may resume from its last position. */
  | "slow-consumer"
  /** The client sent nothing, not even an answer to a ping. */
  | "ping-timeout"
  /** Another connection took over this one's session. */
  | "replaced"
  /** The client joined no room in time. */
  | "join-timeout"
  /** A request exceeded `frameBytesMax`. The server cannot tell where the next one starts. */
  | "frame-too-long"
  /** The bytes are not the chat's protocol, for example HTTP on a chat connection or an invalid frame. */
  | "protocol-error";

/**
 * For each code, whether the client should reconnect. Like WebSocket's close codes, they form two groups: faults of
 * the network or the server (`true`) and faults of the client (`false`).
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
