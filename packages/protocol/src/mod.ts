/**
 * The chat's JSON wire: every message, how a request is checked, the codes of errors and goodbyes, and how names are
 * compared. Browser-safe and without a dependency; the reference in prose is `docs/protocol.md`.
 *
 * @module
 */
export { BYE_CODES, type ByeCode, ERROR_CODES, type ErrorCode } from "./codes.ts";
export type {
  AckMessage,
  ByeMessage,
  ChatMessage,
  EntryMessage,
  ErrorMessage,
  GapReason,
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
  SearchMessage,
  ServerMessage,
  SetMessage,
  TopicMessage,
  TypingMessage,
  WelcomeMessage,
  WhoMessage,
} from "./messages.ts";
export { nameKey } from "./names.ts";
export { type InvalidRequest, isRequestId, parseRequest, parseServerMessage } from "./parse.ts";
