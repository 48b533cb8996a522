/**
 * The chat's JSON wire: every message, how a request is checked, and the codes of errors and goodbyes.
 * Browser-safe and without a dependency; the reference in prose is `docs/protocol.md`.
 *
 * @module
 */
export { BYE_CODES, type ByeCode, ERROR_CODES, type ErrorCode } from "./codes.ts";
export type {
  AckMessage,
  ByeMessage,
  ChatMessage,
  ErrorMessage,
  HelloMessage,
  HistoryMessage,
  JoinedMessage,
  Limits,
  NotificationMessage,
  PingMessage,
  PongMessage,
  Position,
  PresenceMessage,
  Request,
  RequestOf,
  RequestType,
  RoomsMessage,
  ServerMessage,
  WelcomeMessage,
  WhoMessage,
} from "./messages.ts";
export { type InvalidRequest, parseRequest, parseServerMessage } from "./parse.ts";
