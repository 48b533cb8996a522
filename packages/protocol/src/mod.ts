/**
 * The chat's JSON protocol: all messages, request validation, error and close codes, and name comparison. It has no
 * dependencies and runs in browsers. The reference is `docs/protocol.md`.
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
  KickedMessage,
  Limits,
  NotificationMessage,
  PingMessage,
  PongMessage,
  PresenceMessage,
  ReadMessage,
  ResyncMessage,
  RoomsMessage,
  SearchMessage,
  ServerMessage,
  SetMessage,
  TopicMessage,
  TypingMessage,
  UsersMessage,
  WelcomeMessage,
  WhoMessage,
} from "./messages.ts";
export { nameKey } from "./names.ts";
export { type InvalidRequest, isRequestId, parseRequest } from "./parse.ts";
export { parseServerMessage } from "./parse-server-message.ts";
export { type Position, REQUESTS, type Request, type RequestOf, type RequestType } from "./requests.ts";
